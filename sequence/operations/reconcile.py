"""Brings files and rows together: before a start, and after the loss of an index."""

import logging
import re

from django.dispatch import receiver

from sequence import conf
from sequence.index import health
from sequence.index.health import dispensable
from sequence.models import Segment
from sequence.segments import budget, build, storage
from sequence.store.store import LABEL, Store
from sequence.text.layout import segment_number

log = logging.getLogger(__name__)

_ENCODED = re.compile(
    r"[0-9]{8,18}\.(text|lines|bfile|jsonl|csv)\.(zstd-level1|gzip-huffman)(\.lock|\.part)?"
    r"|coded\.lock",
    re.ASCII,
)
"""The names that encoded segments had, while they were stored."""


def prepare() -> None:
    """Makes the index where it is missing or damaged, and sweeps the store: before a start.

    Raises OSError and DatabaseError where that cannot be written.
    """
    health.restore()
    sweep()


def unindexed() -> list[int]:
    """The numbers of the segments whose files are there and whose rows are not."""
    numbers = map(segment_number, storage.store().names())
    rows = set(Segment.objects.values_list("number", flat=True))
    return sorted(n for n in numbers if n is not None and n not in rows and _is_kept(n))


def _is_kept(number: int) -> bool:
    """Whether there is a segment of that number, which some lie between, and room for it."""
    return budget.keeps(number) and conf.layout().planned(number).term_count > 0


def take_in() -> None:
    """Brings files and rows together again, as after the loss of an index.

    Has the rows of segments written that have none, one after another, and removes what versions
    before kept in content codings.
    """
    with dispensable("Removing encoded segments"):
        _remove_encoded()
    with dispensable("Looking for segments without rows"):
        for number in unindexed():
            build.attempt(number)


def _remove_encoded() -> None:
    """Remove the encoded segments of versions before 0.1.0, with what their builders left."""
    store = storage.store()
    if not _encoded(store):
        return
    # One process of a host removes them, and tells.
    with store.sole_builder(LABEL):
        if found := _encoded(store):
            for name in found:
                store.remove(name)
            store.sync()
            log.info("Removed %s files of encoded segments: nothing encoded is stored.", len(found))


def _encoded(store: Store) -> list[str]:
    return list(filter(_ENCODED.fullmatch, store.all_names()))


@receiver(health.restored)
def _take_in_soon(**_: object) -> None:
    health.restorers.soon("take in", take_in)


def sweep() -> None:
    """Remove what builders left behind that died, and put a damaged label right.

    Builders at work are let be. Raises OSError if the label cannot be written.
    """
    for name in storage.store().abandoned():
        with dispensable(f"Sweeping {name}"):
            rows = Segment.objects.filter(name=name)
            # Complete, perhaps, but not in the index yet; it can be made again.
            if storage.store().is_own(name) and not rows.exists():
                storage.store().remove(name)
    if storage.label_fault():
        storage.set_label()
