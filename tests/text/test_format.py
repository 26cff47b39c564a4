"""Formats and windows against the oracle's text, written term by term."""

import csv
import json
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.text.format import FORMATS, Format
from sequence.text.layout import MAX_N, digit_count
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import oracle

TERMS = 1200

windows = st.tuples(st.integers(0, TERMS), st.integers(0, 60)).map(
    lambda window: Span(window[0], min(sum(window), TERMS))
)
formats = st.sampled_from(list(FORMATS.values()))


def excerpt(representation: Representation, span: Span, chunk_bytes: int) -> bytes:
    """The bytes of the span, made of chunks of the text of that length."""
    found = representation.excerpt(span)
    text = oracle.text(0, TERMS)[found.text.start : found.text.stop]
    chunks = (text[at : at + chunk_bytes] for at in range(0, len(text), chunk_bytes))
    return b"".join(found.render(chunks))


def whole(format: Format, terms: Span) -> str:
    """The representation, as it is rendered."""
    representation = Representation(format, terms)
    return excerpt(representation, Span(0, representation.length), 1000).decode()


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("terms", [(0, 0), (0, 1), (0, 12), (8, 12), (95, 105), (0, TERMS), (7, 7)])
def test_a_representation_is_as_long_as_it_is_written(
    format: Format, terms: tuple[int, int]
) -> None:
    expected = oracle.written(format.name, *terms)
    representation = Representation(format, Span(*terms))
    assert representation.length == len(expected)
    if expected:
        assert excerpt(representation, Span(0, len(expected)), 1000) == expected


@given(formats, windows, st.integers(1, 500), st.data())
def test_any_excerpt_is_that_of_the_whole(
    format: Format, terms: Span, chunk_bytes: int, data: st.DataObject
) -> None:
    expected = oracle.written(format.name, *terms)
    start = data.draw(st.integers(0, len(expected)))
    stop = data.draw(st.integers(start, len(expected)))
    representation = Representation(format, terms)
    if start < stop:
        assert excerpt(representation, Span(start, stop), chunk_bytes) == expected[start:stop]


@given(formats, windows, st.data())
def test_an_excerpt_needs_no_more_text_than_its_own_bytes(
    format: Format, terms: Span, data: st.DataObject
) -> None:
    representation = Representation(format, terms)
    start = data.draw(st.integers(0, representation.length))
    stop = data.draw(st.integers(start, representation.length))
    if start < stop:
        assert representation.excerpt(Span(start, stop)).text.length <= stop - start


@given(formats, st.integers(0, MAX_N - 1))
def test_a_term_takes_its_digits_and_what_stands_beside_them(format: Format, n: int) -> None:
    beside = len(oracle.WRITTEN[format.name].format(n=n, value=""))
    assert format.offset(n + 1) - format.offset(n) == digit_count(n) + beside


@given(formats, st.integers(0, 10**15), st.integers(1, 10**6), st.data())
def test_a_byte_far_out_is_found(format: Format, start: int, sn: int, data: st.DataObject) -> None:
    representation = Representation(format, Span(start, start + sn))
    n = data.draw(st.integers(start, start + sn - 1))
    found = representation.excerpt(Span(representation.offset(n), representation.length))
    assert (found.terms.start, found.skip_bytes) == (n, 0)


def test_json_lines_are_json() -> None:
    lines = whole(FORMATS["jsonl"], Span(0, 400)).splitlines()
    for n, line in enumerate(lines):
        assert json.loads(line) == {"n": n, "value": oracle.terms(400)[n].decode().rstrip()}


def test_csv_is_csv() -> None:
    text = whole(FORMATS["csv"], Span(0, 400))
    rows = list(csv.reader(StringIO(text, newline=""), strict=True))
    assert rows[0] == ["n", "value"]
    assert rows[1:] == [[str(n), oracle.terms(400)[n].decode().rstrip()] for n in range(400)]
