"""The store that the settings name, opened once, and its label."""

import logging
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from sequence import conf
from sequence.conf import ObjectStore
from sequence.errors import LayoutMismatch, StoreUnreachable
from sequence.segments import budget
from sequence.store.directory import SegmentDirectory
from sequence.store.store import LABEL, Store
from sequence.text.layout import Layout, segment_number

log = logging.getLogger(__name__)


def store() -> Store:
    """Return the store that the settings name.

    Raises LayoutMismatch if it is cut in another way, and NotStoreDirectory if there is something
    else in its place.
    """
    return _opened(conf.segments_dir(), conf.object_store(), conf.layout())


@cache
def _opened(path: Path, place: ObjectStore | None, layout: Layout) -> Store:
    directory = SegmentDirectory(path, layout.is_name)
    directory.assert_usable()
    opened: Store = directory
    if place:
        # Here, as both load boto3, which one host alone need not have installed.
        from sequence.store.bucket import Clients, SegmentBucket
        from sequence.store.cache import CachedBucket

        clients = Clients.connect(place.endpoint_url)
        bucket = SegmentBucket(clients, place.bucket, place.prefix, path.parent, layout.is_name)
        opened = CachedBucket(directory, bucket, budget.is_on_disk)
    with suppress(StoreUnreachable):  # compared again before anything is stored
        _readable_label(opened, layout)
    return opened


# The connections of a client are no child's.
os.register_at_fork(after_in_child=_opened.cache_clear)


def _readable_label(opened: Store, layout: Layout) -> str | None:
    """Return the label of the store; raises LayoutMismatch if it is cut by another layout.

    A label can be damaged, so what is stored decides: names and lengths follow from the layout.
    """
    label = opened.label()
    if label != layout.label:
        right, wrong = _fitting(opened, layout)
        if wrong >= right and (label or wrong):
            found = label or "segments of other lengths"
            raise LayoutMismatch(str(opened), found, layout.label)
    return label


def _fitting(opened: Store, layout: Layout) -> tuple[int, int]:
    """Count the segments on this host that have the length they must have, and the others."""
    fits = [
        length == layout.stored(number, length).length_bytes
        for name, length in opened.on_disk().items()
        if length is not None and (number := segment_number(name)) is not None
    ]
    return fits.count(True), fits.count(False)


def set_label() -> None:
    """Label the store if it is new or its label is damaged; raises LayoutMismatch and OSError."""
    opened, layout = store(), conf.layout()
    label = _readable_label(opened, layout)
    if label != layout.label:
        found = opened.set_label(layout.label, instead_of=label)
        if found != layout.label:  # another process was faster, with other settings
            raise LayoutMismatch(str(opened), found, layout.label)
        if label or opened.names():
            log.warning("%s in %s was damaged and is written again.", LABEL, opened)


def label_fault() -> str | None:
    """Say what is wrong with the label of a store that is not empty; None if nothing is."""
    opened, expected = store(), conf.layout().label
    found = opened.label()
    if found == expected or not opened.names():
        return None
    return f"It says {found or 'nothing readable'}; it must say {expected}."
