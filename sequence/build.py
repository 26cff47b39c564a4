"""Makes a segment from its number alone, once on a host, however many ask for it."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

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
        directory.publish(name, _summed(compute(terms), checksums))
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


def _summed(pieces: Iterator[memoryview], checksums: BlockChecksums) -> Iterator[memoryview]:
    for piece in pieces:
        checksums.update(piece)
        yield piece


def build_in_thread(number: int) -> Segment:
    """`build`, for a thread whose connection to the index nobody else would close."""
    try:
        return build(number)
    finally:
        connection.close()


_builders = ThreadPoolExecutor(BUILDERS, thread_name_prefix="build")
_under_way: dict[int, Future[Segment]] = {}
_asking = threading.Lock()


def soon(number: int) -> Future[Segment]:
    """The segment of that number: at once where it is stored, or else when it has been built."""
    future: Future[Segment]
    if found := stored(number):
        future = Future()
        future.set_result(found)
        return future
    with _asking:
        if number in _under_way:
            return _under_way[number]
        future = _under_way[number] = _builders.submit(build_in_thread, number)
    future.add_done_callback(lambda _: _under_way.pop(number))
    return future
