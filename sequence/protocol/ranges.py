"""Which bytes a Range header asks for (RFC 9110, section 14), as half-open spans."""

import re
from decimal import Decimal

from sequence.errors import RangeNotSatisfiable
from sequence.text.span import Span

MAX_RANGES = 16
"""More are refused: they are costly, and a sign of an attack (RFC 9110, section 17.15)."""

# Section 14.1.1: int-range = first-pos "-" [ last-pos ], suffix-range = "-" suffix-length.
_RANGE = re.compile(r"([0-9]*)-([0-9]*)", re.ASCII)
# Section 14.1: range-unit = token; section 14.2: ranges-specifier = range-unit "=" range-set.
_SPECIFIER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(.*)", re.ASCII | re.DOTALL)


def spans(header: str, length: int, max_ranges: int = MAX_RANGES) -> list[Span] | None:
    """Return the spans of a representation that the header asks for, in its order.

    None if it asks for the whole: in another unit, or for more than there is. What is not there
    is left out of a list. Raises RangeNotSatisfiable if nothing is left, if there are more than
    `max_ranges`, or if the header is malformed, which section 14.2 leaves to the server.
    """
    refusal = RangeNotSatisfiable(header, length, max_ranges)
    specifier = _SPECIFIER.fullmatch(header)
    if specifier and specifier[1].lower() != "bytes":
        return None
    # Counted before they are looked at.
    if not specifier or specifier[2].count(",") >= 2 * MAX_RANGES:
        raise refusal
    # Section 5.6.1.2: empty elements of a list are none.
    elements = [element for each in specifier[2].split(",") if (element := each.strip(" \t"))]
    if not 1 <= len(elements) <= max_ranges:
        raise refusal
    parts = [_span(element, length) for element in elements]
    if not all(parts) or not (found := [span for span in parts if span and span.length]):
        raise refusal
    return found if sum(span.length for span in found) <= length else None


def _span(element: str, length: int) -> Span | None:
    """Return the existing bytes of one range, empty if there are none; None if it is malformed."""
    match = _RANGE.fullmatch(element)
    if not match or element == "-":
        return None
    first, last = match.groups()
    if not first:
        return Span(length - _clipped(last, length), length)
    if last and Decimal(last) < Decimal(first):
        return None
    # Section 14.1.2: a last position beyond the end, or none, means the end.
    stop = _clipped(last, length - 1) + 1 if last else length
    return Span(_clipped(first, length), stop)


def _clipped(digits: str, most: int) -> int:
    """Return the number, `most` if it is larger. int() would refuse more than 4,300 digits."""
    return int(min(Decimal(digits), Decimal(most)))


def content_range(span: Span, length: int) -> str:
    """Return Content-Range for the span: its first and last byte, inclusive (section 14.4)."""
    return f"bytes {span.start}-{span.stop - 1}/{length}"
