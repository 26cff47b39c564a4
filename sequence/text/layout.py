"""Where every term lies in the text, in closed form (docs/text-format.md, sections 2 and 3)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cached_property, lru_cache
from math import isqrt
from typing import NamedTuple

from sequence.text.span import Span

LAYOUT_VERSION = 1

MAX_N = 10**18
"""How far the closed forms are known to be exact:
`test_offsets_are_exact_for_every_term_to_ten_to_the_18`."""

MAX_TERMS = 10**7
"""How many terms can be stored: from there on a single term takes seconds to begin."""

SCALE_BITS = 192
_EXACT = Context(prec=90)
_SQRT5 = _EXACT.sqrt(Decimal(5))
_PHI = _EXACT.divide(_EXACT.add(1, _SQRT5), 2)


def scaled_log10(value: Decimal) -> int:
    """log10 of the value · 2^192, rounded down."""
    return int(_EXACT.multiply(_EXACT.log10(value), 1 << SCALE_BITS))


LOG10_PHI = scaled_log10(_PHI)
LOG10_SQRT5 = scaled_log10(_SQRT5)


def digit_count(n: int) -> int:
    """How many digits F(n) has.

    Exact for 0 <= n <= MAX_N.
    """
    return max(n * LOG10_PHI - LOG10_SQRT5 >> SCALE_BITS, 0) + 1


# A request asks for the same few places several times.
@lru_cache(maxsize=1024)
def offset(n: int) -> int:
    """How many bytes of the text stand before term n.

    Exact for 0 <= n <= MAX_N.
    """
    if n < 2:
        return 2 * n
    first = 2 * LOG10_PHI - LOG10_SQRT5
    return 4 + floor_sum(n - 2, 1 << SCALE_BITS, LOG10_PHI, first) + 2 * (n - 2)


def floor_sum(count: int, m: int, a: int, b: int) -> int:
    """The sum of ⌊(a·i + b)/m⌋ over 0 <= i < count, for non-negative a and b, in O(log m) steps.

    Source: Graham, Knuth, Patashnik, Concrete Mathematics, 2nd edition, section 3.5.
    """
    total = 0
    while True:
        total += (a // m) * (count * (count - 1) // 2) + (b // m) * count
        a, b = a % m, b % m
        # Count the lattice points below the line by its columns, then by its rows: they are few.
        top = a * count + b
        if top < m:
            return total
        count, b, a, m = top // m, top % m, m, a


def term_at(byte: int) -> int:
    """The term that the byte at this offset of the text belongs to, as digit or as space."""
    # offset(n) is about α/2·n² + 1.05·n, so this is the term or next to it.
    n = max(isqrt((2 * byte << SCALE_BITS) // LOG10_PHI) - 5, 0)
    while offset(n) > byte:
        n -= 1
    while offset(n + 1) <= byte:
        n += 1
    return n


SEGMENT_SUFFIX = ".txt"
_LABEL = re.compile(r'\{"layout_version": [0-9]+, "segment_bytes": [0-9]+\}', re.ASCII)


def is_label(text: str) -> bool:
    """Whether the text is the label of some layout."""
    return _LABEL.fullmatch(text) is not None


def segment_name(number: int) -> str:
    """The file name of a segment."""
    return f"{number:08}{SEGMENT_SUFFIX}"


_NAME = re.compile(rf"([0-9]{{8,18}}){re.escape(SEGMENT_SUFFIX)}", re.ASCII)


def segment_number(name: str) -> int | None:
    """Return the number in the name of a segment, or None if it is no such name."""
    found = _NAME.fullmatch(name)
    # A number has one name: leading zeros fill it to eight digits.
    return number if found and segment_name(number := int(found[1])) == name else None


def is_segment_name(name: str) -> bool:
    """Whether a segment of some layout can have the name."""
    return segment_number(name) is not None


class Planned(NamedTuple):
    """What arithmetic says of a segment, in the order and by the names of its row's columns."""

    number: int
    name: str
    first_term: int
    term_count: int
    start_offset: int
    length_bytes: int

    @property
    def terms(self) -> Span:
        """The terms that it holds; none if it lies within one long term."""
        return Span(self.first_term, self.first_term + self.term_count)

    @property
    def span(self) -> Span:
        """Its bytes in the text."""
        return Span(self.start_offset, self.start_offset + self.length_bytes)


@dataclass(frozen=True)
class Layout:
    """The plan of segments for one segment size: term n belongs to ⌊offset(n)/segment_bytes⌋.

    Only the first `max_terms` can be asked for: the file of a segment ends with the last of those.
    """

    segment_bytes: int
    max_terms: int = MAX_N

    def segment_of(self, n: int) -> int:
        """The number of the segment that holds term n."""
        return offset(n) // self.segment_bytes

    @property
    def label(self) -> str:
        """What a store that is cut by this plan says of itself, as one line of JSON."""
        return json.dumps({"layout_version": LAYOUT_VERSION, "segment_bytes": self.segment_bytes})

    @cached_property
    def possible(self) -> range:
        """The numbers that segments can have."""
        return range(self.segment_of(MAX_TERMS - 1) + 1)

    def is_name(self, name: str) -> bool:
        """Whether a segment can have the name."""
        number = segment_number(name)
        # `None in range` would compare with each number in turn.
        return number is not None and number in self.possible

    def terms(self, number: int) -> Span:
        """All terms of a segment; empty if it lies within one long term."""
        return Span(self._first_term(number), self._first_term(number + 1))

    def planned(self, number: int) -> Planned:
        """What arithmetic says of the file to build of the segment of that number."""
        return _planned(self, number)

    def stored(self, number: int, length_bytes: int | None) -> Planned:
        """What arithmetic says of a file of that length: `planned`, unless it is as right.

        It was built with another `max_terms`, if it has whole terms of the segment only, and all
        that can be asked for.
        """
        planned, terms = self.planned(number), self.terms(number)
        needed = min(max(self.max_terms, terms.start), terms.stop)
        most_bytes = offset(terms.stop) - planned.start_offset
        if length_bytes not in (None, planned.length_bytes) and 0 < length_bytes <= most_bytes:
            stop = term_at(planned.start_offset + length_bytes)
            found = _between(number, Span(terms.start, stop))
            if stop >= needed and found.length_bytes == length_bytes:
                return found
        return planned

    def numbers(self, terms: Span) -> Iterator[int]:
        """The numbers of the segments that hold the terms, in order, without the empty ones."""
        n = terms.start
        while n < terms.stop:
            number = self.segment_of(n)
            yield number
            n = self._first_term(number + 1)

    def _first_term(self, number: int) -> int:
        return term_at(number * self.segment_bytes - 1) + 1 if number else 0


@lru_cache(maxsize=4096)
def _planned(layout: Layout, number: int) -> Planned:
    terms = layout.terms(number)
    if terms.start < layout.max_terms:
        terms = terms.within(Span(0, layout.max_terms))
    return _between(number, terms)


def _between(number: int, terms: Span) -> Planned:
    start = offset(terms.start)
    length_bytes = offset(terms.stop) - start
    return Planned(number, segment_name(number), terms.start, terms.length, start, length_bytes)
