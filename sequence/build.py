"""Makes a segment from its number alone, once on a host, however many ask for it."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection

from sequence import conf, models
from sequence.errors import LayoutMismatch
from sequence.models import Segment
from sequence.store.checksum import BlockChecksums
from sequence.store.directory import SegmentDirectory
from sequence.text import adder
from sequence.text.compute import compute
from sequence.text.layout import Layout, offset, segment_name

log = logging.getLogger(__name__)

Made = TypeVar("Made")
Piece = TypeVar("Piece", bytes, memoryview)

BUILDERS = 4
"""How many segments a process builds at once: twice two cores, as half of them await the disk."""


def store() -> SegmentDirectory:
    """The store that the settings name; raises LayoutMismatch where it is cut in another way."""
    return _opened(conf.segments_dir(), conf.layout())


@cache
def _opened(path: Path, layout: Layout) -> SegmentDirectory:
    directory = SegmentDirectory(path)
    _compare(directory, directory.label() or layout.label, layout)
    return directory


def _compare(directory: SegmentDirectory, label: str, layout: Layout) -> None:
    if label != layout.label:
        raise LayoutMismatch(str(directory.path), label, layout.label)


def stored(number: int) -> Segment | None:
    """The segment of that number, where it is stored."""
    return Segment.objects.filter(number=number).first()


def build(number: int) -> Segment:
    """The segment of that number, made and stored first where it is missing.

    One thread of all processes on the host makes it; the others wait, and find it stored. Raises
    OSError where it cannot be written; then nothing of it is left.
    """
    directory, layout, name = store(), conf.layout(), segment_name(number)
    with directory.sole_builder(name):
        if found := stored(number):
            return found
        _compare(directory, directory.set_label(layout.label), layout)
        terms = layout.terms(number)
        checksums = BlockChecksums()
        directory.publish(name, summed(compute(terms), checksums))
        start_offset = offset(terms.start)
        segment = Segment(
            number=number,
            name=name,
            first_term=terms.start,
            term_count=terms.length,
            start_offset=start_offset,
            length_bytes=offset(terms.stop) - start_offset,
            block_checksums=checksums.digest(),
        )
        models.insert(segment, adder.positions(terms))
        log.info("Built %s: %s bytes.", segment, f"{segment.length_bytes:,}")
        return segment


def summed(pieces: Iterable[Piece], checksums: BlockChecksums) -> Iterator[Piece]:
    """The pieces, each of them given to the checksums."""
    for piece in pieces:
        checksums.update(piece)
        yield piece


def in_thread(make: Callable[[], Made]) -> Made:
    """What `make` makes in a thread whose connection to the index nobody else would close."""
    try:
        return make()
    finally:
        connection.close()


_builders = ThreadPoolExecutor(BUILDERS, thread_name_prefix="build")
_under_way: dict[str, Future[Any]] = {}
_asking = threading.Lock()


def in_background(name: str, make: Callable[[], Made]) -> Future[Made]:
    """What `make` makes under that name, when a builder has made it; once for all who ask."""
    with _asking:
        if name in _under_way:
            return _under_way[name]
        future = _under_way[name] = _builders.submit(in_thread, make)
    future.add_done_callback(lambda _: _under_way.pop(name))
    return future


def at_once(found: Made) -> Future[Made]:
    """What was found, as if it had been made."""
    future: Future[Made] = Future()
    future.set_result(found)
    return future


def soon(number: int) -> Future[Segment]:
    """The segment of that number: at once where it is stored, or else when it has been built."""
    if found := stored(number):
        return at_once(found)
    return in_background(segment_name(number), partial(build, number))
