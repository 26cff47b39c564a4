"""Range and Content-Range: rows are of RFC 9110, or rows and contract of hostile-inputs.md."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.errors import RangeNotSatisfiable
from sequence.protocol import ranges
from sequence.text.span import Span
from tests.support.worst_ranges import FIELD_BYTES, REFUSED, WORST, Outcome
from tests.support.worst_ranges import LENGTH as TEXT_BYTES

LENGTH = 100
NINES = "9" * 31
MANY_NINES = "9" * 5000
MANY_NOUGHTS = "0" * 5000


def asked(header: str, length: int = LENGTH) -> Outcome:
    """What the header asks for of so many bytes."""
    try:
        return ranges.spans(header, length)
    except RangeNotSatisfiable:
        return REFUSED


ONE: dict[str, tuple[str, Outcome]] = {
    "HOSTILE 10, first byte": ("bytes=0-0", [(0, 1)]),
    "14.1.2, first and last are inclusive": ("bytes=3-7", [(3, 8)]),
    "14.1.2, last byte": ("bytes=99-99", [(99, 100)]),
    "14.1.2, all bytes": ("bytes=0-99", [(0, 100)]),
    "HOSTILE 10, open": ("bytes=5-", [(5, 100)]),
    "14.1.2, open from the first": ("bytes=0-", [(0, 100)]),
    "14.1.2, open from the last": ("bytes=99-", [(99, 100)]),
    "HOSTILE 10, suffix": ("bytes=-5", [(95, 100)]),
    "14.1.2, suffix of a byte": ("bytes=-1", [(99, 100)]),
    "14.1.2, suffix of L": ("bytes=-100", [(0, 100)]),
    "14.1.2, suffix past L": ("bytes=-101", [(0, 100)]),
    "HOSTILE 10, end at L": ("bytes=98-100", [(98, 100)]),
    "HOSTILE 10, end past L": ("bytes=98-1000", [(98, 100)]),
    "HOSTILE 10, end of 31 digits": (f"bytes=1-{NINES}", [(1, 100)]),
    "HOSTILE 10, suffix of 31 digits": (f"bytes=-{NINES}", [(0, 100)]),
    "contract, end of 5,000 digits": (f"bytes=1-{MANY_NINES}", [(1, 100)]),
    "contract, suffix of 5,000 digits": (f"bytes=-{MANY_NINES}", [(0, 100)]),
    "14.1.1, 1*DIGIT": ("bytes=007-0008", [(7, 9)]),
    "contract, 5,000 noughts before": (f"bytes={MANY_NOUGHTS}7-{MANY_NOUGHTS}8", [(7, 9)]),
    "contract, suffix of noughts and a 5": (f"bytes=-{MANY_NOUGHTS}5", [(95, 100)]),
}
LISTS: dict[str, tuple[str, Outcome]] = {
    "HOSTILE 13": ("bytes=0-0,5-6", [(0, 1), (5, 7)]),
    "15.3.7.2, in the order asked": ("bytes=50-50,-1,0-1", [(50, 51), (99, 100), (0, 2)]),
    "15.3.7.2, neighbours stay apart": ("bytes=0-4,5-9", [(0, 5), (5, 10)]),
    "14.2, overlapping": ("bytes=0-4,2-6", [(0, 5), (2, 7)]),
    "14.2, the same twice": ("bytes=0-4,0-4", [(0, 5), (0, 5)]),
    "HOSTILE 13, sum is L": ("bytes=1-,0-0", [(1, 100), (0, 1)]),
    "HOSTILE 13, sum is L in two halves": ("bytes=-50,0-49", [(50, 100), (0, 50)]),
    "HOSTILE 13, sum is L + 1": ("bytes=1-,0-1", None),
    "HOSTILE 13, sum is 2 L": ("bytes=0-,-100", None),
    "HOSTILE 13, clipped, sum is L": (f"bytes=60-{NINES},0-59", [(60, 100), (0, 60)]),
    "HOSTILE 13, clipped, sum is L + 1": (f"bytes=60-{NINES},0-60", None),
    "HOSTILE 13, what is not there is no part of the sum": (
        "bytes=0-49,100-199,50-99",
        [(0, 50), (50, 100)],
    ),
    "15.5.17, unsatisfiable among satisfiable": ("bytes=100-,0-0,-0,9-9", [(0, 1), (9, 10)]),
    "15.3.7, one is left": ("bytes=100-,0-0,-0", [(0, 1)]),
    "15.3.7, the whole is left": ("bytes=0-,100-", [(0, 100)]),
    "HOSTILE 14, 16": ("bytes=" + ",".join(["3-3"] * 16), [(3, 4)] * 16),
    "HOSTILE 14, 16 and a comma": ("bytes=" + "3-3," * 16, [(3, 4)] * 16),
    "HOSTILE 14, 16 among 16 empty ones": ("bytes=" + ",3-3," * 15 + ",3-3", [(3, 4)] * 16),
}
SPELLINGS: dict[str, tuple[str, Outcome]] = {
    "14.1, unit in upper case": ("BYTES=0-0", [(0, 1)]),
    "14.1, unit in mixed case": ("bYtEs=0-0", [(0, 1)]),
    "5.6.1, space after a comma": ("bytes=0-0, 5-5", [(0, 1), (5, 6)]),
    "5.6.3, spaces and tabs": ("bytes= \t0-0\t , \t 5-5 \t", [(0, 1), (5, 6)]),
    "5.6.1.2, empty first": ("bytes=,0-0", [(0, 1)]),
    "5.6.1.2, empty last": ("bytes=0-0,", [(0, 1)]),
    "5.6.1.2, empty between": ("bytes=0-0,,5-5", [(0, 1), (5, 6)]),
    "5.6.1.2, empty but for white space": ("bytes= ,\t, 0-0 , ,\t", [(0, 1)]),
    "5.6.1.2, 31 commas": ("bytes=" + "," * 31 + "0-0", [(0, 1)]),
}
OTHER_UNITS: dict[str, tuple[str, Outcome]] = {
    "HOSTILE 12": ("items=0-0", None),
    "HOSTILE 12, without its s": ("byte=0-0", None),
    "HOSTILE 12, with one more letter": ("bytesx=0-0", None),
    "14.1, none": ("none=0-0", None),
    "5.6.2, a token of signs": ("!#$%&'*+-.^_`|~=0-0", None),
    "14.1.1, other-range": ("lines=first/last, anything", None),
    "HOSTILE 12, of nothing": ("items=", None),
    "HOSTILE 12, malformed for bytes": ("items=10-5", None),
    "HOSTILE 12, 17 ranges": ("items=" + "0-0," * 17, None),
}
NOT_THERE: dict[str, tuple[str, Outcome]] = {
    "HOSTILE 11, at L": ("bytes=100-", REFUSED),
    "HOSTILE 11, at L with an end": ("bytes=100-100", REFUSED),
    "HOSTILE 11, past L": ("bytes=101-200", REFUSED),
    "HOSTILE 11, empty suffix": ("bytes=-0", REFUSED),
    "HOSTILE 11, empty suffix of noughts": ("bytes=-000", REFUSED),
    "HOSTILE 11, first of 31 digits": (f"bytes={NINES}-", REFUSED),
    "contract, first of 5,000 digits": (f"bytes={MANY_NINES}-", REFUSED),
    "contract, both of 5,000 digits": (f"bytes={MANY_NINES}-{MANY_NINES}", REFUSED),
    "15.5.17, none of several": ("bytes=100-,200-300,-0", REFUSED),
}
MALFORMED: dict[str, tuple[str, Outcome]] = {
    "HOSTILE 11, inverted": ("bytes=10-5", REFUSED),
    "14.1.1, inverted by one": ("bytes=1-0", REFUSED),
    "14.1.1, inverted past L": ("bytes=300-200", REFUSED),
    "14.1.1, inverted as numbers": ("bytes=10-9", REFUSED),
    "14.1.1, inverted in 31 digits": (f"bytes={NINES}-{NINES[1:]}", REFUSED),
    "14.1.1, inverted in the last of 5,000": (f"bytes={MANY_NINES}9-{MANY_NINES}8", REFUSED),
    "14.1.1, inverted among satisfiable": ("bytes=0-0,10-5", REFUSED),
    "14.1.1, inverted past L among satisfiable": ("bytes=0-0,300-200", REFUSED),
    "14.1.1, inverted, and all asked for too": ("bytes=0-,0-,10-5", REFUSED),
    "HOSTILE 11, no unit": ("alpha", REFUSED),
    "HOSTILE 11, letters": ("bytes=alpha", REFUSED),
    "HOSTILE 11, no dash": ("bytes=10", REFUSED),
    "14.1.1, malformed among satisfiable": ("bytes=0-0,x", REFUSED),
    "14.1.1, malformed after unsatisfiable": ("bytes=100-,x", REFUSED),
    "14.1.1, dash alone": ("bytes=-", REFUSED),
    "14.1.1, two dashes": ("bytes=0-0-", REFUSED),
    "14.1.1, negative suffix": ("bytes=--5", REFUSED),
    "14.1.1, two pairs in one": ("bytes=0-1-2", REFUSED),
    "14.1.1, sign": ("bytes=+0-5", REFUSED),
    "14.1.1, sign of the last": ("bytes=0-+5", REFUSED),
    "14.1.1, underscore": ("bytes=0-1_0", REFUSED),
    "14.1.1, point": ("bytes=0-1.0", REFUSED),
    "14.1.1, exponent": ("bytes=0-1e1", REFUSED),
    "14.1.1, hexadecimal": ("bytes=0x0-0x5", REFUSED),
    "14.1.1, not a number": ("bytes=0-NaN", REFUSED),
    "14.1.1, infinity": ("bytes=0-Infinity", REFUSED),
    "14.1.1, digits of Latin-1": ("bytes=0-\xb2", REFUSED),
    "14.1.1, digits of other scripts": ("bytes=٠-٣", REFUSED),
    "14.1.1, full-width digits": ("bytes=0-\uff15", REFUSED),
    "14.1.1, other dash": ("bytes=0\u20135", REFUSED),
    "14.1.1, space before the dash": ("bytes=0 -5", REFUSED),
    "14.1.1, space after the dash": ("bytes=0- 5", REFUSED),
    "14.1.1, tab in a number": ("bytes=0-1\t0", REFUSED),
    "5.6.1, parted by a space": ("bytes=0-0 5-5", REFUSED),
    "5.6.1, parted by a semicolon": ("bytes=0-0;5-5", REFUSED),
    "5.6.3, no-break space": ("bytes=\xa00-0", REFUSED),
    "5.6.3, line feed": ("bytes=0-0\n", REFUSED),
    "5.6.3, line feed before": ("bytes=\n0-0", REFUSED),
    "5.6.3, vertical tab": ("bytes=0-0\x0b", REFUSED),
    "5.5, nul": ("bytes=0-0\0", REFUSED),
    "14.2, quoted": ('bytes="0-0"', REFUSED),
    "14.2, no element": ("bytes=", REFUSED),
    "14.2, white space for an element": ("bytes= \t", REFUSED),
    "14.2, empty elements only": ("bytes=, ,", REFUSED),
    "14.2, empty": ("", REFUSED),
    "14.2, unit alone": ("bytes", REFUSED),
    "14.2, other unit alone": ("items", REFUSED),
    "14.2, no equals sign": ("bytes 0-0", REFUSED),
    "14.2, Content-Range's form": ("bytes 0-0/100", REFUSED),
    "14.2, colon": ("bytes: 0-0", REFUSED),
    "14.2, unit twice": ("bytes=bytes=0-0", REFUSED),
    "14.2, unit with each range": ("bytes=0-0,bytes=5-5", REFUSED),
    "5.6.2, unit is no token": ("by tes=0-0", REFUSED),
    "5.6.2, space before the equals sign": ("bytes =0-0", REFUSED),
    "5.6.2, unit of no letters": ("=0-0", REFUSED),
    "5.6.2, unit beyond ASCII": ("b\xffytes=0-0", REFUSED),
    "HOSTILE 14, 17": ("bytes=" + ",".join(["3-3"] * 17), REFUSED),
    "HOSTILE 14, 17, of which 16 are not there": ("bytes=" + "100-," * 16 + "0-0", REFUSED),
    "HOSTILE 14, 17, and more than there is": ("bytes=" + "0-," * 17, REFUSED),
    "HOSTILE 14, 2,700": ("bytes=" + "0-," * 2700, REFUSED),
}
HEADERS = ONE | LISTS | SPELLINGS | OTHER_UNITS | NOT_THERE | MALFORMED


@pytest.mark.parametrize(("header", "outcome"), HEADERS.values(), ids=HEADERS)
def test_a_range_header_asks_for_these_spans(header: str, outcome: Outcome) -> None:
    assert asked(header) == outcome


def test_no_row_of_the_tables_hides_another() -> None:
    tables = (ONE, LISTS, SPELLINGS, OTHER_UNITS, NOT_THERE, MALFORMED)
    assert len(HEADERS) == sum(map(len, tables))


# Section 14.1.2. No bytes at all are the caller's to answer: test_answer.py.
ONE_BYTE: dict[str, tuple[str, Outcome]] = {
    "first": ("bytes=0-0", [(0, 1)]),
    "open": ("bytes=0-", [(0, 1)]),
    "suffix": ("bytes=-1", [(0, 1)]),
    "suffix past L": ("bytes=-2", [(0, 1)]),
    "end past L": ("bytes=0-1", [(0, 1)]),
    "at L": ("bytes=1-", REFUSED),
    "empty suffix": ("bytes=-0", REFUSED),
    "twice": ("bytes=0-0,0-0", None),
}


@pytest.mark.parametrize(("header", "outcome"), ONE_BYTE.values(), ids=ONE_BYTE)
def test_a_representation_of_a_byte_has_ranges_too(header: str, outcome: Outcome) -> None:
    assert asked(header, 1) == outcome


@pytest.mark.parametrize("length", [2**31, 2**32 + 1, 2**63, 10**30])
def test_the_last_byte_of_any_length_is_found(length: int) -> None:
    last = [(length - 1, length)]
    assert asked(f"bytes={length - 1}-", length) == last
    assert asked(f"bytes={length - 1}-{length}", length) == last
    assert asked("bytes=-1", length) == last
    assert asked(f"bytes={length}-", length) is REFUSED


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        # Section 14.4: inclusive, and with the complete length.
        (Span(0, 1), "bytes 0-0/100"),
        (Span(3, 8), "bytes 3-7/100"),
        (Span(99, 100), "bytes 99-99/100"),
        (Span(0, 100), "bytes 0-99/100"),
    ],
)
def test_content_range_is_inclusive(span: Span, expected: str) -> None:
    assert ranges.content_range(span, LENGTH) == expected


def test_the_refusal_is_a_short_sentence_in_ascii() -> None:
    header = "bytes=\xb2" + "9" * 8000
    with pytest.raises(RangeNotSatisfiable) as caught:
        ranges.spans(header, 1_045_042_806)
    assert (caught.value.header, caught.value.length) == (header, 1_045_042_806)
    sentence = str(caught.value)
    assert sentence.startswith(r"Range is 'bytes=\xb2999")
    assert sentence.endswith("at least begins within the 1,045,042,806 bytes.")
    assert len(sentence) < 250


# HOSTILE 14. What they cost is measured by benchmarks/topics/range_header.py.


@pytest.mark.parametrize(("header", "outcome"), WORST.values(), ids=WORST)
def test_the_worst_headers_have_an_outcome(header: str, outcome: Outcome) -> None:
    assert len(header) == FIELD_BYTES
    assert asked(header, TEXT_BYTES) == outcome


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The elements that were looked at, as they are."""
    elements: list[str] = []
    parse: Callable[[str, int], Span | None] = ranges._span

    def noted(element: str, length: int) -> Span | None:
        elements.append(element)
        return parse(element, length)

    monkeypatch.setattr(ranges, "_span", noted)
    return elements


@pytest.mark.parametrize("header", [header for header, _ in WORST.values()], ids=WORST)
def test_at_most_sixteen_elements_are_looked_at(header: str, looked_at: list[str]) -> None:
    asked(header, TEXT_BYTES)
    assert len(looked_at) <= ranges.MAX_RANGES


def test_too_many_elements_are_not_looked_at(looked_at: list[str]) -> None:
    assert asked("bytes=" + "0-0," * 17) is REFUSED
    assert looked_at == []


@pytest.mark.parametrize("max_ranges", [1, 2, 15])
def test_fewer_may_be_allowed(max_ranges: int) -> None:
    allowed = ",".join(f"{n}-{n}" for n in range(max_ranges))
    found = ranges.spans(f"bytes={allowed}", 100, max_ranges)
    assert found == [(n, n + 1) for n in range(max_ranges)]
    with pytest.raises(RangeNotSatisfiable, match=f"with one to {max_ranges} ranges"):
        ranges.spans(f"bytes={allowed},50-50", 100, max_ranges)


def test_sixteen_elements_are_looked_at_once_each(looked_at: list[str]) -> None:
    asked("bytes=" + "0-0, ," * 15 + "1-1")
    assert looked_at == ["0-0"] * 15 + ["1-1"]


class Element(NamedTuple):
    """A range as it is written, and the positions that it selects of any list of them."""

    written: str
    select: Callable[[list[int]], list[int]]


def between(first: int, count: int, noughts: str) -> Element:
    last = first + count
    return Element(f"{first}-{noughts}{last}", lambda all_: [p for p in all_ if first <= p <= last])


def onward(first: int, noughts: str) -> Element:
    return Element(f"{noughts}{first}-", lambda all_: [p for p in all_ if p >= first])


def suffix(count: int, noughts: str) -> Element:
    return Element(f"-{noughts}{count}", lambda all_: all_[max(len(all_) - count, 0) :])


numbers = st.one_of(st.integers(0, 70), st.just(10**30))
noughts = st.sampled_from(["", "", "0", "0" * 31])
elements = st.one_of(
    st.builds(between, numbers, st.integers(0, 5), noughts),
    st.builds(between, numbers, numbers, noughts),
    st.builds(onward, numbers, noughts),
    st.builds(suffix, st.integers(0, 5) | numbers, noughts),
)
spaces = st.text(" \t", max_size=2)
empty = Element("", lambda all_: all_[:0])


@st.composite
def listed(draw: st.DrawFn) -> list[Element]:
    """One to 18 ranges, and some empty elements among them."""
    found = draw(
        st.lists(elements, min_size=1, max_size=4) | st.lists(elements, min_size=15, max_size=18)
    )
    for at in draw(st.lists(st.integers(0, len(found)), max_size=4)):
        found.insert(at, empty)
    return found


@st.composite
def headers(draw: st.DrawFn, found: Sequence[Element]) -> str:
    """A Range header of these elements (sections 14.1.1, 14.2 and 5.6.1)."""
    unit = draw(st.sampled_from(["bytes", "Bytes", "BYTES"]))
    return f"{unit}=" + ",".join(draw(spaces) + each.written + draw(spaces) for each in found)


def slowly(
    found: Sequence[Element], length: int
) -> list[list[int]] | type[RangeNotSatisfiable] | None:
    """The positions that each range selects of all there are."""
    everything = list(range(length))
    selected = [positions for each in found if (positions := each.select(everything))]
    if sum(each is not empty for each in found) > 16 or not selected:
        return REFUSED
    return selected if sum(map(len, selected)) <= length else None


@given(st.data(), listed(), st.integers(1, 64))
def test_spans_are_the_positions_that_a_slow_definition_selects(
    data: st.DataObject, found: list[Element], length: int
) -> None:
    outcome = asked(data.draw(headers(found)), length)
    if isinstance(outcome, Sequence):
        assert [list(range(*span)) for span in outcome] == slowly(found, length)
    else:
        assert outcome is slowly(found, length)


@given(st.data(), listed(), st.integers(1, 64), numbers, st.integers(1, 10**31))
def test_one_inverted_range_spoils_any_list(
    data: st.DataObject, found: list[Element], length: int, last: int, more: int
) -> None:
    inverted = Element(f"{last + more}-{last}", lambda all_: all_[:0])
    found.insert(data.draw(st.integers(0, len(found))), inverted)
    assert asked(data.draw(headers(found)), length) is REFUSED


@given(st.text("bytes=0123456789-, \t\n\xb2٣x") | st.text(), st.integers(1, 100))
def test_any_text_has_an_outcome_within_the_representation(text: str, length: int) -> None:
    for header in (text, f"bytes={text}"):
        outcome = asked(header, length)
        if isinstance(outcome, Sequence):
            assert 1 <= len(outcome) <= ranges.MAX_RANGES
            assert all(0 <= start < stop <= length for start, stop in outcome)
            assert sum(stop - start for start, stop in outcome) <= length
