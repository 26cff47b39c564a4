"""Which segments are stored, which are on this host's disk, and which are fetched.

The lowest segments come first, as every answer begins with those. All of it is arithmetic, so that
all processes agree, and nothing that is stored is ever given up for something else.
"""

from bisect import bisect_left

from sequence import conf
from sequence.text.layout import segment_number

INDEX_BYTES = 8 * 1024 * 1024
"""What an index without terms takes: 0.2 MB, and its log of changes, which grows to 4 MB and more
if several change it at once (sequence/index/health.py)."""
INDEX_BYTES_A_TERM = 48
"""20 bytes a row, and as many in an index that was set aside as damaged."""

FETCHED_FROM_TERM = 3_000_000
"""From about there on fetching is faster than computing: it takes 7.9 times as long at 100,000
terms, 3.4 times at a million, and 0.45 times at ten million (benchmarks/fetch_or_compute.py)."""


def keeps(number: int) -> bool:
    """Whether the store has room for the segment; an object store has, for all."""
    return conf.object_store() is not None or has_room(number)


def has_room(number: int) -> bool:
    """Whether this host's own disk has room for the segment: for it and for all before it."""
    budget = conf.store_bytes()
    if budget is None:
        return True
    planned = conf.layout().planned(number)
    index_bytes = INDEX_BYTES + INDEX_BYTES_A_TERM * planned.terms.stop
    return planned.span.stop + index_bytes <= budget


def is_on_disk(name: str) -> bool:
    """Whether the segment of that name is to be on this host's own disk."""
    number = segment_number(name)
    return number is not None and has_room(number)


def is_fetched(number: int) -> bool:
    """Whether to fetch a segment from the object store, and not to compute it."""
    if conf.fetch() == conf.AUTO:
        return conf.layout().planned(number).first_term >= FETCHED_FROM_TERM
    return conf.fetch() == conf.ALWAYS


def max_terms(upto: int) -> int:
    """Return how many of the first `upto` terms there is room for."""
    plan = conf.layout()
    kept = bisect_left(range(plan.segment_of(upto) + 1), True, key=lambda number: not keeps(number))
    return min(plan.planned(kept).first_term, upto)
