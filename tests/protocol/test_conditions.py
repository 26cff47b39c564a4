"""If-Match, If-None-Match and If-Range: rows are clauses of RFC 9110 or of hostile-inputs.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.errors import PreconditionFailed
from sequence.protocol import conditions

ETAG = '"1-0-10-text-identity"'
OTHER = '"1-0-10-text-gzip"'
FIELD_BYTES = 8190
DATES = {
    "past": "Sun, 06 Nov 1994 08:49:37 GMT",
    "future": "Tue, 01 Jan 2999 00:00:00 GMT",
    "RFC 850": "Sunday, 06-Nov-94 08:49:37 GMT",
    "asctime": "Sun Nov  6 08:49:37 1994",
}


def matched(if_match: str) -> bool:
    """Whether If-Match lets the request go on."""
    try:
        assert not conditions.not_modified({"If-Match": if_match}, ETAG)
    except PreconditionFailed:
        return False
    return True


def named(if_none_match: str) -> bool:
    """Whether If-None-Match names the ETag."""
    return conditions.not_modified({"If-None-Match": if_none_match}, ETAG)


# Header, whether it names ETAG weakly (If-None-Match), whether it does so strongly (If-Match).
LISTS = {
    "HOSTILE 17 and 18, match": (ETAG, True, True),
    "HOSTILE 17 and 18, mismatch": (OTHER, False, False),
    "8.8.3.2, weak": (f"W/{ETAG}", True, False),
    "8.8.3.2, another that is weak": (f"W/{OTHER}", False, False),
    "HOSTILE 17 and 18, any": ("*", True, True),
    "5.6.3, any between white space": (" \t* ", True, True),
    "HOSTILE 17, list, last": (f"{OTHER}, {ETAG}", True, True),
    "HOSTILE 17, list, first": (f"{ETAG}, {OTHER}", True, True),
    "HOSTILE 17, list, between": (f'"a", {ETAG}, "b"', True, True),
    "HOSTILE 17, list, none": (f'"a", {OTHER}, "b"', False, False),
    "8.8.3.2, list, weak among strong": (f"{OTHER}, W/{ETAG}", True, False),
    "8.8.3.2, list, weak and strong": (f"W/{ETAG}, {ETAG}", True, True),
    "8.8.3.2, list, strong and weak": (f"{ETAG}, W/{ETAG}", True, True),
    "8.8.3.2, list, others about a weak one": (f'"a", W/{ETAG}, "b"', True, False),
    "5.6.1, no white space": (f"{OTHER},{ETAG}", True, True),
    "5.6.1, white space": (f" \t{OTHER}\t , \t {ETAG} \t", True, True),
    "5.6.1.2, empty elements": (f",, {OTHER} ,\t, {ETAG},", True, True),
    "5.6.1.2, empty elements only": (", ,", False, False),
    "13.1.1, empty": ("", False, False),
    "5.6.1, the same twice": (f"{ETAG}, {ETAG}", True, True),
    "8.8.3, comma in another": (f'"a,b", {ETAG}', True, True),
    "8.8.3, commas around in another": (f'"a,", ",b", ",", {ETAG}', True, True),
    "8.8.3, inside of another": ('"x,1-0-10-text-identity"', False, False),
    "8.8.3, between commas inside of another": ('"x,1-0-10-text-identity,y"', False, False),
    "8.8.3, empty tags": (f'"", W/"", {ETAG}', True, True),
    "8.8.3, empty tag alone": ('""', False, False),
    "8.8.3, obs-text": (f'"\x80\xff", {ETAG}', True, True),
    "8.8.3, backslash escapes nothing": (f'"a\\", {ETAG}', True, True),
    "8.8.3, longer": ('"1-0-10-text-identity2"', False, False),
    "8.8.3, shorter": ('"1-0-10-text"', False, False),
    "8.8.3.2, its case counts": (ETAG.upper(), False, False),
    "8.8.3, W has a case": (f"w/{ETAG}", False, False),
    "8.8.3, space after W/": (f"W/ {ETAG}", False, False),
    "8.8.3, W without /": (f"W{ETAG}", False, False),
    "8.8.3, W/ twice": (f"W/W/{ETAG}", False, False),
    "8.8.3, no quotes": (ETAG.strip('"'), False, False),
    "8.8.3, single quotes": (ETAG.replace('"', "'"), False, False),
    "8.8.3, one quote": (ETAG[:-1], False, False),
    "8.8.3, the other quote": (ETAG[1:], False, False),
    "8.8.3, space inside": ('" 1-0-10-text-identity"', False, False),
    "5.6.1, parted by a space": (f"{OTHER} {ETAG}", False, False),
    "5.6.1, parted by a semicolon": (f"{OTHER};{ETAG}", False, False),
    "5.6.1, parted by nothing": (f"{OTHER}{ETAG}", False, False),
    "5.6.1, more behind": (f"{ETAG}x", False, False),
    "5.6.1, more in front": (f"x{ETAG}", False, False),
    "5.6.1.2, malformed is passed over": (f"x, {ETAG}, y", True, True),
    "5.6.1.2, malformed quotes are passed over": (f'"a b", {ETAG}', True, True),
    "5.6.3, other white space": (f"\xa0{ETAG}", False, False),
    "13.1.1, any is no element": ('*, "a"', False, False),
    "13.1.1, any is no last element": ('"a", *', False, False),
    "13.1.1, any beside a match": (f"*, {ETAG}", True, True),
    "13.1.1, any in quotes": ('"*"', False, False),
    "13.1.1, any twice": ("**", False, False),
    "13.1.3, a date": (DATES["past"], False, False),
}


@pytest.mark.parametrize(("header", "weakly", "strongly"), LISTS.values(), ids=LISTS)
def test_if_none_match_compares_weakly(header: str, weakly: bool, strongly: bool) -> None:
    assert named(header) == weakly


@pytest.mark.parametrize(("header", "weakly", "strongly"), LISTS.values(), ids=LISTS)
def test_if_match_compares_strongly(header: str, weakly: bool, strongly: bool) -> None:
    assert matched(header) == strongly


IF_RANGE = {
    "HOSTILE 16, strong match": (ETAG, True),
    "HOSTILE 16, mismatch": (OTHER, False),
    "13.1.5, weak": (f"W/{ETAG}", False),
    "8.8.3, W has a case": (f"w/{ETAG}", False),
    "5.6.3, between white space": (f" \t{ETAG}\t ", True),
    "13.1.5, no list": (f"{OTHER}, {ETAG}", False),
    "13.1.5, no list of the same": (f"{ETAG}, {ETAG}", False),
    "13.1.5, comma": (f"{ETAG},", False),
    "13.1.5, any": ("*", False),
    "13.1.5, empty": ("", False),
    "8.8.3, no quotes": (ETAG.strip('"'), False),
    "8.8.3.2, its case counts": (ETAG.upper(), False),
    **{f"13.1.5, a date, {name}": (date, False) for name, date in DATES.items()},
    "13.1.5, no date either": ("yesterday", False),
}


@pytest.mark.parametrize(("header", "expected"), IF_RANGE.values(), ids=IF_RANGE)
def test_if_range_is_one_strong_etag(header: str, expected: bool) -> None:
    assert conditions.range_is_meant({"If-Range": header}, ETAG) == expected


def test_without_if_range_a_range_is_meant() -> None:
    assert conditions.range_is_meant({}, ETAG)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"If-Range": ETAG},
        *({"If-Modified-Since": date} for date in DATES.values()),
        *({"If-Unmodified-Since": date} for date in DATES.values()),
        {"If-Modified-Since": DATES["future"], "If-None-Match": OTHER},
        {"If-Unmodified-Since": DATES["past"], "If-Match": ETAG},
    ],
    ids=str,
)
def test_dates_and_if_range_modify_nothing(headers: dict[str, str]) -> None:
    """Sections 13.1.3 and 13.1.4: they are ignored where there is no date of modification."""
    assert not conditions.not_modified(headers, ETAG)


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "expected"),
    [
        # Section 13.2.2, steps 1 and 3.
        (ETAG, ETAG, 304),
        (ETAG, OTHER, 200),
        ("*", "*", 304),
        (f"{OTHER}, {ETAG}", f"W/{ETAG}", 304),
        (OTHER, ETAG, 412),
        (OTHER, "*", 412),
        (OTHER, OTHER, 412),
        (f"W/{ETAG}", f"W/{ETAG}", 412),
        ("", "*", 412),
    ],
)
def test_if_match_comes_before_if_none_match(
    if_match: str, if_none_match: str, expected: int
) -> None:
    headers = {"If-None-Match": if_none_match, "If-Match": if_match}
    if expected == 412:
        with pytest.raises(PreconditionFailed):
            conditions.not_modified(headers, ETAG)
    else:
        assert conditions.not_modified(headers, ETAG) == (expected == 304)


def test_the_refusal_is_a_short_sentence_with_the_etag() -> None:
    header = '"\xe9' + "x" * 8000 + '"'
    with pytest.raises(PreconditionFailed) as caught:
        conditions.not_modified({"If-Match": header}, ETAG)
    sentence = str(caught.value)
    assert sentence.startswith(r"""If-Match is '"\xe9xxx""")
    assert sentence.endswith(f"the ETag here is {ETAG}.")
    assert len(sentence) < 200
    assert (caught.value.if_match, caught.value.etag) == (header, ETAG)


def filled(pattern: str, after: str = "") -> str:
    """A header that repeats the pattern for as long as there is room, and ends so."""
    room = FIELD_BYTES - len(after)
    return (pattern * room)[:room] + after


# Long headers, each with whether it names ETAG; a pattern that backtracks would not return.
LONG = {
    "commas": (filled(","), False),
    "commas, then it": (filled(",", ETAG), True),
    "spaces": (filled(" "), False),
    "spaces, then it": (filled(" ", ETAG), True),
    "spaces, then a letter": (filled(" ", "x"), False),
    "commas and spaces, then it": (filled(", \t", f",{ETAG}"), True),
    "quotes, even": (filled('"'), False),
    "quotes, odd": (filled('"', "x"), False),
    "a tag without end": ('"' + filled("a")[1:], False),
    "a tag, then spaces and a letter": ('""' + filled(" ", "x")[2:], False),
    "thousands of tags": (filled('"",'), False),
    "thousands of tags, then it": (filled('"",', f",{ETAG}"), True),
    "thousands of weak tags, then it": (filled('W/"",', f",{ETAG}"), True),
    "commas within quotes": ('"' + filled(",", '"')[1:], False),
    "quotes and commas in turn": (filled('",'), False),
    "commas and quotes in turn": (filled(',"'), False),
    "openings without end": (filled(',"a'), False),
    "weak marks": (filled("W/"), False),
    "asterisks": (filled("*"), False),
    "itself over and over": (filled(f"{ETAG},"), True),
    "spaces around an asterisk": (filled(" ", "*"), True),
}


@pytest.mark.parametrize(("header", "expected"), LONG.values(), ids=LONG)
def test_long_headers_have_an_outcome(header: str, expected: bool) -> None:
    assert len(header) == FIELD_BYTES
    assert named(header) == expected
    assert matched(header) == expected
    assert conditions.range_is_meant({"If-Range": header}, ETAG) == (header.strip() == ETAG)


opaque = st.text([chr(c) for c in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))], max_size=5)
spaces = st.text(" \t", max_size=2)


@st.composite
def listed(draw: st.DrawFn) -> tuple[list[tuple[bool, str]], str]:
    """Entity tags, each weak or not, and a list of them with empty elements."""
    tags = draw(st.lists(st.tuples(st.booleans(), opaque | st.sampled_from("ab,")), max_size=6))
    elements = ["W/" * weak + f'"{tag}"' for weak, tag in tags]
    for at in draw(st.lists(st.integers(0, len(elements)), max_size=2)):
        elements.insert(at, "")
    return tags, ",".join(draw(spaces) + element + draw(spaces) for element in elements)


@given(listed(), opaque | st.sampled_from("ab,"))
def test_any_list_names_what_is_in_it(found: tuple[list[tuple[bool, str]], str], tag: str) -> None:
    tags, header = found
    etag = f'"{tag}"'
    strongly = (False, tag) in tags
    assert conditions.not_modified({"If-None-Match": header}, etag) == (
        strongly or (True, tag) in tags
    )
    if strongly:
        assert not conditions.not_modified({"If-Match": header}, etag)
    else:
        with pytest.raises(PreconditionFailed):
            conditions.not_modified({"If-Match": header}, etag)


@given(st.text('"W/,* \tab') | st.text())
def test_any_text_has_an_outcome_and_a_match_is_in_it(text: str) -> None:
    if conditions.not_modified({"If-None-Match": text}, '"a"'):
        assert '"a"' in text or text.strip(" \t") == "*"
