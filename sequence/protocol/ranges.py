"""Which bytes a Range header asks for (RFC 9110, section 14), as half-open spans."""

import re
from decimal import Decimal

from sequence.errors import RangeNotSatisfiable
from sequence.text.span import Span

MOST_RANGES = 16
"""More are refused: they cost much and nobody means well by them (RFC 9110, section 17.15)."""

# Section 14.1.1: int-range = first-pos "-" [ last-pos ], suffix-range = "-" suffix-length.
_RANGE = re.compile(r"([0-9]*)-([0-9]*)", re.ASCII)
# Section 14.1: range-unit = token; section 14.2: ranges-specifier = range-unit "=" range-set.
_SPECIFIER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(.*)", re.ASCII | re.DOTALL)


def spans(header: str, length: int) -> list[Span] | None:
    """The spans of a representation of that length that the header asks for, in its order.

    None where it asks for the whole: in another unit, or for more than there is. What cannot be
    had is left out of a list. Raises RangeNotSatisfiable where nothing is left, or where the
    header is malformed, which section 14.2 leaves to the server.
    """
    specifier = _SPECIFIER.fullmatch(header)
    if specifier and specifier[1].lower() != "bytes":
        return None
    # Counted before they are looked at.
    if not specifier or specifier[2].count(",") >= 2 * MOST_RANGES:
        raise RangeNotSatisfiable(header, length, MOST_RANGES)
    # Section 5.6.1.2: empty elements of a list are none.
    elements = [element for each in specifier[2].split(",") if (element := each.strip(" \t"))]
    if not 1 <= len(elements) <= MOST_RANGES:
        raise RangeNotSatisfiable(header, length, MOST_RANGES)
    found = [span for element in elements if (span := _span(element, header, length)).length]
    if not found:
        raise RangeNotSatisfiable(header, length, MOST_RANGES)
    return found if sum(span.length for span in found) <= length else None


def _span(element: str, header: str, length: int) -> Span:
    """The bytes that are there of one range; empty where there are none."""
    match = _RANGE.fullmatch(element)
    if not match or element == "-":
        raise RangeNotSatisfiable(header, length, MOST_RANGES)
    first, last = match.groups()
    if not first:
        return Span(length - _clipped(last, length), length)
    if last and Decimal(last) < Decimal(first):
        raise RangeNotSatisfiable(header, length, MOST_RANGES)
    # Section 14.1.2: a last position beyond the end, or none, means the end.
    stop = _clipped(last, length - 1) + 1 if last else length
    return Span(_clipped(first, length), stop)


def _clipped(digits: str, most: int) -> int:
    """The number or, where that is less, `most`. int() would refuse more than 4,300 digits."""
    return int(min(Decimal(digits), Decimal(most)))


def content_range(span: Span, length: int) -> str:
    """Content-Range for the span: its first and last byte, inclusive (section 14.4)."""
    return f"bytes {span.start}-{span.stop - 1}/{length}"
