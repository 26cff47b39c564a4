"""Segments in a format and a content coding, made once on a host and kept beside the plain ones."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial

from django.db import DatabaseError, transaction

from sequence import build, conf, healing
from sequence.background import Background, at_once
from sequence.coding import CODINGS, Coding, crc32
from sequence.models import CodedSegment, Segment
from sequence.store.checksum import BlockChecksums
from sequence.text.format import Format
from sequence.text.representation import Representation
from sequence.text.span import Span

log = logging.getLogger(__name__)

MOST_OF_IDENTITY = 0.45
"""About what a coded segment takes of its plain bytes, to see whether making it is worth while."""

CODERS = 2
"""How many segments a process codes at once. Apart from the builders, whom clients wait for."""

coders = Background(CODERS, "code")


class CheckedCoder:
    """Codes a piece, and knows the CRC-32 of what it was given."""

    def __init__(self, coding: Coding) -> None:
        self._coder = coding.coder()
        self.crc32 = 0

    def code(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The coded form of the chunks, as one piece, in chunks."""
        for chunk in chunks:
            self.crc32 = crc32(chunk, self.crc32)
            if coded := self._coder.compress(chunk):
                yield coded
        yield self._coder.flush()


def offered() -> list[Coding]:
    """The codings that the settings offer, the preferred one first."""
    return [coding for name, coding in CODINGS.items() if name in conf.encodings()]


def soon(number: int, format: Format, coding: Coding) -> Future[CodedSegment | None]:
    """The segment in that format and coding: at once where it is kept, or when it has been made.

    None where it cannot be kept.
    """
    name = file_name(number, format, coding)
    if found := kept(name):
        return at_once(found)
    return coders.soon(name, partial(make, number, format, coding))


def file_name(number: int, format: Format, coding: Coding) -> str:
    """The name of a segment's file in that format and coding."""
    return f"{number:08}.{format.name}.{coding.name}-{coding.recipe}"


def form(name: str) -> str:
    """The format and the coding of the file of that name."""
    _, format, coding = name.split(".")
    return f"{format}, {coding.partition('-')[0]}"


def kept(name: str) -> CodedSegment | None:
    """The coded segment of that name, where it is kept; its file may be removed at any time."""
    found = CodedSegment.objects.filter(name=name).first()
    return found if found and build.store().length(name) == found.length_bytes else None


def read(segment: CodedSegment) -> Iterator[bytes]:
    """The bytes of a coded segment in chunks, each checked; raises what `healing.FAULTS` lists."""
    whole = Span(0, segment.length_bytes)
    return build.store().read_checked(segment.name, whole, segment.block_checksums)


def forget(name: str) -> None:
    """Removes the coded segment of that name, so that it is made again when it is asked for."""
    with build.store().sole_builder(name):
        CodedSegment.objects.filter(name=name).delete()
        build.store().remove(name)


def make(number: int, format: Format, coding: Coding) -> CodedSegment | None:
    """The segment in that format and coding, made and kept first where it is missing.

    None where the settings leave no room for it or where anything fails: an answer can do
    without.
    """
    name = file_name(number, format, coding)
    try:
        segment = build.stored(number) or build.build(number)
        with build.store().sole_builder(name):
            return kept(name) or _keep(name, segment, format, coding)
    except (OSError, DatabaseError):
        log.exception("%s could not be kept; it is made anew for each request.", name)
        return None


def rendered(number: int, format: Format, text: Iterator[bytes]) -> Iterator[bytes]:
    """The text of a whole segment, in the format."""
    whole = Representation(format, conf.layout().terms(number), headed=False)
    return whole.excerpt(Span(0, whole.length)).render(text)


def _keep(name: str, segment: Segment, format: Format, coding: Coding) -> CodedSegment | None:
    if not _fits(segment.length_bytes * MOST_OF_IDENTITY):
        return None
    directory, coder, checksums = build.store(), CheckedCoder(coding), BlockChecksums()
    text = healing.read(segment, Span(0, segment.length_bytes))
    pieces = coder.code(rendered(segment.number, format, text))
    made = CodedSegment(
        name=name,
        segment=segment,
        length_bytes=directory.publish(name, build.summed(pieces, checksums)),
        crc32=coder.crc32,
        block_checksums=checksums.digest(),
    )
    written = False
    try:
        # Looked at again, where one at a time can write, as others were made meanwhile.
        with transaction.atomic():
            CodedSegment.objects.filter(name=name).delete()
            if _fits(made.length_bytes):
                made.save(force_insert=True)
                written = True
    finally:
        if not written:
            directory.remove(name)
    log.info("%s %s: %s bytes.", "Kept" if written else "No room for", made, made.length_bytes)
    return made if written else None


def _fits(length_bytes: float) -> bool:
    """Whether the settings leave room for so many bytes more."""
    limit = conf.encoded_bytes()
    return limit is None or CodedSegment.objects.total_bytes() + length_bytes <= limit
