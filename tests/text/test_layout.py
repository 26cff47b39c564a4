from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.text.layout import (
    LOG10_PHI,
    LOG10_SQRT5,
    MAX_TERMS,
    SCALE_BITS,
    Layout,
    digit_count,
    floor_sum,
    offset,
    segment_name,
    segment_number,
    term_at,
)
from sequence.text.span import Span
from tests.support import oracle

FAR = st.integers(min_value=2, max_value=10**18)


def test_digit_counts_and_offsets_are_those_of_the_text() -> None:
    expected_offset = 0
    for n, term in enumerate(oracle.terms(6000)):
        assert digit_count(n) == len(term) - 1
        assert offset(n) == expected_offset
        expected_offset += len(term)


@pytest.mark.parametrize(
    ("n", "expected"),
    [(10, 23), (10**5, 1_045_042_806), (10**6, 104_494_866_149), (10**7, 10_449_392_472_716)],
)
def test_offsets_are_those_that_the_text_format_states(n: int, expected: int) -> None:
    assert offset(n) == expected


def test_the_constants_are_the_logarithms_rounded_down() -> None:
    context = Context(prec=150)
    root = context.sqrt(Decimal(5))
    phi = context.divide(context.add(root, 1), 2)
    for constant, value in ((LOG10_PHI, phi), (LOG10_SQRT5, root)):
        scaled = context.multiply(context.log10(value), 1 << SCALE_BITS)
        assert constant <= scaled < constant + 1


def test_offsets_are_exact_for_every_term_to_ten_to_the_18() -> None:
    """With the constants too low and too high the sums agree, so each of their parts does."""
    count = 10**18 + 1
    low = floor_sum(count - 2, 1 << SCALE_BITS, LOG10_PHI, 2 * LOG10_PHI - LOG10_SQRT5 - 1)
    high = floor_sum(count - 2, 1 << SCALE_BITS, LOG10_PHI + 1, 2 * LOG10_PHI + 2 - LOG10_SQRT5)
    assert low == high


@given(st.integers(0, 60), st.integers(1, 10**6), st.integers(0, 10**7), st.integers(0, 10**7))
def test_floor_sum_is_the_sum_of_floors(count: int, m: int, a: int, b: int) -> None:
    assert floor_sum(count, m, a, b) == sum((a * i + b) // m for i in range(count))


def test_every_byte_belongs_to_its_term() -> None:
    byte = 0
    for n, term in enumerate(oracle.terms(400)):
        for _ in term:
            assert term_at(byte) == n
            byte += 1


@given(FAR)
def test_a_far_term_is_found_by_its_first_and_last_byte(n: int) -> None:
    assert term_at(offset(n)) == n
    assert term_at(offset(n + 1) - 1) == n


@pytest.mark.parametrize("segment_bytes", [1, 7, 64, 1000, 4096])
def test_a_term_belongs_to_the_segment_that_its_offset_falls_in(segment_bytes: int) -> None:
    layout = Layout(segment_bytes)
    numbers = [offset(n) // segment_bytes for n in range(1500)]
    for number in range(min(numbers[-1], 500)):
        expected = [n for n, of_term in enumerate(numbers) if of_term == number]
        assert list(range(*layout.terms(number))) == expected


@given(FAR, st.integers(1, 2**40))
def test_the_segment_of_a_far_term_holds_it(n: int, segment_bytes: int) -> None:
    layout = Layout(segment_bytes)
    start, stop = layout.terms(layout.segment_of(n))
    assert start <= n < stop


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 10**5))
def test_the_segments_of_terms_are_those_that_hold_one(a: int, b: int, segment_bytes: int) -> None:
    layout = Layout(segment_bytes)
    expected = sorted({layout.segment_of(n) for n in range(a, b)})
    assert list(layout.numbers(Span(a, b))) == expected


@given(st.integers(0, 3000), st.integers(1, 10**5))
def test_a_file_ends_before_the_first_term_that_nobody_can_ask_for(
    max_terms: int, segment_bytes: int
) -> None:
    layout = Layout(segment_bytes, max_terms)
    planned = [layout.planned(number) for number in layout.numbers(Span(0, max_terms))]
    assert [n for each in planned for n in range(*each.terms)] == list(range(max_terms))
    assert sum(each.length_bytes for each in planned) == offset(max_terms)


@pytest.mark.parametrize("max_terms", [0, 1, 50, 149, 150, 151, 200, 10**18])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_stored_file_is_right_with_whole_terms_and_all_that_can_be_asked_for(
    number: int, max_terms: int
) -> None:
    layout = Layout(2000, max_terms)
    terms, start = layout.terms(number), layout.planned(number).start_offset
    for length_bytes in range(2100):
        stops = [
            n for n in range(terms.start + 1, terms.stop + 1) if offset(n) - start == length_bytes
        ]
        right = [n for n in stops if n >= min(max_terms, terms.stop)]
        found = layout.stored(number, length_bytes)
        if right:
            assert (found.terms, found.length_bytes) == ((terms.start, *right), length_bytes)
        else:
            assert found == layout.planned(number)
    assert layout.stored(number, None) == layout.planned(number)


def test_segments_are_equal_to_within_a_term() -> None:
    layout = Layout(64 * 2**20)
    for number in (1, 100, 10**5):
        start, stop = layout.terms(number)
        assert abs(offset(stop) - offset(start) - layout.segment_bytes) <= digit_count(stop) + 1


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("00000000.txt", 0),
        ("00000003.jsonl.zstd-level1", None),
        ("99999999.txt", 99_999_999),
        ("100000000.txt", 100_000_000),
        ("9" * 18 + ".txt", 10**18 - 1),
        ("9" * 19 + ".txt", None),
        ("9" * 250 + ".txt", None),
        ("0000000.txt", None),
        ("000000000.txt", None),
        ("-0000001.txt", None),
        ("+0000001.txt", None),
        ("0000_001.txt", None),
        ("00000001", None),
        ("00000001.TXT", None),
        ("00000001.txt\n", None),
        ("00000001.txt.part", None),
        ("00000001.txt~", None),
        ("٠٠٠٠٠٠٠١.txt", None),
        ("\udcff0000001.txt", None),
        ("", None),
    ],
)
def test_a_segment_has_one_name(name: str, number: int | None) -> None:
    assert segment_number(name) == number
    if number is not None and name.endswith(".txt"):
        assert segment_name(number) == name


@pytest.mark.parametrize("segment_bytes", [1024, 4096, 64 << 20, 2**40])
def test_no_segment_is_beyond_the_last_term_that_can_be_stored(segment_bytes: int) -> None:
    layout = Layout(segment_bytes)
    last = layout.segment_of(MAX_TERMS - 1)
    assert layout.is_name(segment_name(last))
    assert not layout.is_name(segment_name(last + 1))
    assert not layout.is_name("9" * 18 + ".txt")
    # All that its row says fits into 64 bits.
    assert offset(layout.planned(last).terms.stop) < 2**63
