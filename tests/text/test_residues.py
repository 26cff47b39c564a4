"""Residues against the terms themselves, and far out against matrix powers."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sequence.text.digests import Digests
from sequence.text.format import FORMATS, Format
from sequence.text.layout import MAX_N
from sequence.text.representation import AnyRepresentation, Representation
from sequence.text.residues import CHUNK_TERMS, MAX_COUNTED, MAX_MODULUS, Residues
from sequence.text.span import Span
from sequence.text.term import Numeral
from tests.support import oracle
from tests.support.matrix import residue

TERMS = 3 * CHUNK_TERMS

moduli = st.one_of(
    st.integers(1, MAX_MODULUS), st.sampled_from([1, 2, 3, 2**64 - 1, 2**127 - 1, MAX_MODULUS])
)
formats = st.sampled_from(list(FORMATS))


def render(format: Format, terms: Span, modulus: int) -> Iterator[bytes]:
    """All bytes of the residues, in chunks."""
    return Residues(format, terms, modulus).chunks(Span(0, sys.maxsize))


def written(format: str, start: int, stop: int, modulus: int) -> bytes:
    """As the documentation says it, a term at a time."""
    lines = [
        oracle.WRITTEN[format].format(n=n, value=int(oracle.terms(stop)[n]) % modulus)
        for n in range(start, stop)
    ]
    return (oracle.HEADERS.get(format, "") + "".join(lines)).encode()


@given(formats, st.integers(0, 600), st.integers(0, 60), moduli)
@example("text", 0, 0, 7)
@example("csv", 600, 0, 1)
def test_any_window_is_that_of_the_terms(format: str, start: int, count: int, modulus: int) -> None:
    window = Span(start, start + count)
    found = b"".join(render(FORMATS[format], window, modulus))
    assert found == written(format, *window, modulus)


@pytest.mark.parametrize("format", FORMATS)
def test_chunks_join_without_a_seam(format: str) -> None:
    modulus, residues, value = 2**61 - 1, [], (0, 1)
    for _ in range(TERMS):
        residues.append(value[0])
        value = value[1], sum(value) % modulus
    lines = [oracle.WRITTEN[format].format(n=n, value=each) for n, each in enumerate(residues)]
    expected = oracle.HEADERS.get(format, "") + "".join(lines)
    for stop in (TERMS, TERMS - 1, CHUNK_TERMS + 1):
        left_out = sum(map(len, lines[stop:]))
        found = b"".join(render(FORMATS[format], Span(0, stop), modulus)).decode()
        assert found == expected[: len(expected) - left_out]


@given(st.integers(0, MAX_N), st.integers(1, 8), moduli)
def test_far_windows_are_those_of_matrix_powers(start: int, count: int, modulus: int) -> None:
    found = b"".join(render(FORMATS["bfile"], Span(start, start + count), modulus))
    assert found.decode().splitlines() == [
        f"{n} {residue(n, modulus)}" for n in range(start, start + count)
    ]


def test_the_first_terms_modulo_ten_are_those_that_others_have_published() -> None:
    """OEIS A003893, Fibonacci(n) mod 10."""
    found = b"".join(render(FORMATS["text"], Span(0, 30), 10)).decode()
    assert found == "0 1 1 2 3 5 8 3 1 4 5 9 4 3 7 0 7 7 4 1 5 6 1 7 8 5 3 8 1 9 "


@given(moduli.filter(lambda modulus: modulus < 10**4))
def test_residues_come_again_after_the_pisano_period(modulus: int) -> None:
    """Which is 6 times the modulus at most: D. D. Wall, Fibonacci series modulo m (1960)."""
    residues = b"".join(render(FORMATS["text"], Span(0, 12 * modulus + 2), modulus)).split()
    periods = range(1, 6 * modulus + 1)
    zero, one = b"0", b"%d" % (1 % modulus)
    period = next(each for each in periods if residues[each : each + 2] == [zero, one])
    assert residues[: 6 * modulus] == residues[period : period + 6 * modulus]


@given(formats, st.integers(0, 600), st.integers(0, 2 * CHUNK_TERMS), moduli, st.data())
def test_any_bytes_of_a_window_are_found(
    format: str, start: int, count: int, modulus: int, data: st.DataObject
) -> None:
    found = Residues(FORMATS[format], Span(start, start + count), modulus)
    whole = b"".join(render(found.format, found.terms, modulus))
    assert found.length == len(whole)
    first = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(first, len(whole)))
    assert b"".join(found.chunks(Span(first, stop))) == whole[first:stop]


@given(formats, st.integers(0, 600), st.integers(0, 60), moduli)
def test_the_digits_of_the_residues_are_counted(
    format: str, start: int, count: int, modulus: int
) -> None:
    window = Span(start, start + count)
    values = [int(value) % modulus for value in oracle.terms(window.stop)[window.start :]]
    assert Residues(FORMATS[format], window, modulus).digit_count == len("".join(map(str, values)))


def test_the_length_of_more_residues_is_left_to_the_end() -> None:
    counted = Residues(FORMATS["text"], Span(5, 5 + MAX_COUNTED), 2)
    assert counted.length == 2 * MAX_COUNTED
    assert Residues(FORMATS["text"], Span(5, 6 + MAX_COUNTED), 2).length is None


def test_no_two_representations_share_a_name_or_a_key() -> None:
    """So that a client never resumes a download with the bytes of another one."""
    windows = [Span(0, 5), Span(0, 6), Span(1, 6)]
    every: list[AnyRepresentation] = [
        *(Representation(format, terms) for format in FORMATS.values() for terms in windows),
        *(
            Residues(format, terms, modulus)
            for format in FORMATS.values()
            for terms in windows
            for modulus in (5, 6)
        ),
        *(Digests(terms) for terms in windows),
        *(Numeral(n, 16) for n in (0, 1, 2)),
    ]
    assert len({each.file_name for each in every}) == len(every)
    assert len({each.key for each in every}) == len(every)
