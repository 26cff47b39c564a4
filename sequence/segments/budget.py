"""What the store has room for: the lowest segments, as every answer begins with those."""

from bisect import bisect_left

from sequence import conf
from sequence.text.layout import segment_number

INDEX_BYTES = 8 * 1024 * 1024
"""What an index without terms takes: 0.2 MB, and its log of changes, which grows to 4 MB and more
where several change it at once (sequence/index/health.py)."""
INDEX_BYTES_A_TERM = 48
"""20 bytes a row, and as many in an index that was set aside as damaged."""


def keeps(number: int) -> bool:
    """Whether the store has room for the segment; an object store has, for all."""
    return conf.object_store() is not None or has_room(number)


def has_room(number: int) -> bool:
    """Whether this host's own disk has room for the segment: for it and for all before it.

    By arithmetic alone, so that all processes agree, and nothing that is kept is ever given up
    for something else.
    """
    budget = conf.store_bytes()
    if budget is None:
        return True
    planned = conf.layout().planned(number)
    index_bytes = INDEX_BYTES + INDEX_BYTES_A_TERM * planned.terms.stop
    return planned.span.stop + index_bytes <= budget


def is_copied(name: str) -> bool:
    """Whether this host has room for a copy of the segment of that name in an object store."""
    number = segment_number(name)
    return number is not None and has_room(number)


def max_terms(upto: int) -> int:
    """How many of the first `upto` terms there is room for."""
    plan = conf.layout()
    kept = bisect_left(range(plan.segment_of(upto) + 1), True, key=lambda number: not keeps(number))
    return min(plan.planned(kept).first_term, upto)
