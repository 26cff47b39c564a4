"""Reconciliation of files and rows: before a start, and after the loss of an index."""

import logging
import re

from sequence import conf
from sequence.index import health
from sequence.index.failures import dispensable
from sequence.models import Segment
from sequence.segments import budget, build, storage
from sequence.store.store import LABEL
from sequence.text.layout import segment_number

log = logging.getLogger(__name__)

_ENCODED = re.compile(
    r"[0-9]{8,18}\.(text|lines|bfile|jsonl|csv)\.(zstd-level1|gzip-huffman)(\.lock|\.part)?"
    r"|coded\.lock",
    re.ASCII,
)
"""The names of encoded segments, which versions before 0.1.0 stored."""


def repair_and_sweep(check: str = "quick_check") -> None:
    """Recreate an index that is missing or damaged, rewrite a damaged label, and sweep the store.

    `check` is SQLite's, of its file. Raises OSError and DatabaseError if they cannot be written.
    """
    health.recreate(check)
    for name in storage.store().abandoned():
        with dispensable(f"Sweeping {name}"):
            rows = Segment.objects.filter(name=name)
            # The file may be complete, but has no row yet; it can be built again.
            if storage.store().is_own(name) and not rows.exists():
                storage.store().evict(name)
    if storage.label_fault():
        storage.set_label()


def submit(**_: object) -> None:
    """Have files and rows reconciled in the background; a receiver of `index_recreated`."""
    health.index_thread.submit("reconcile", files_and_rows)


def files_and_rows() -> None:
    """Write the rows of segments that have none, and remove what older versions stored encoded."""
    with dispensable("Removing encoded segments"):
        _remove_encoded()
    with dispensable("Looking for segments without rows"):
        for number in without_rows():
            build.attempt(number)


def without_rows() -> list[int]:
    """Return the numbers of the segments whose files exist and whose rows do not.

    Without those of no terms, which lie within one long term, and those beyond the budget.
    """
    numbers = map(segment_number, storage.store().names())
    rows = set(Segment.objects.values_list("number", flat=True))
    planned = conf.layout().planned
    return sorted(
        n
        for n in numbers
        if n is not None and n not in rows and budget.keeps(n) and planned(n).term_count
    )


def _remove_encoded() -> None:
    store = storage.store()
    if not any(map(_ENCODED.fullmatch, store.all_names())):
        return
    # One process of a host removes them, and logs it.
    with store.sole_builder(LABEL):
        if found := list(filter(_ENCODED.fullmatch, store.all_names())):
            for name in found:
                store.remove(name)
            store.sync()
            log.info("Removed %s files of encoded segments: nothing encoded is stored.", len(found))
