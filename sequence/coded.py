"""Segments in a format and a content coding, made once on a host and kept beside the plain ones."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial

from django.db import transaction

from sequence import build, conf
from sequence.coding import CODINGS, Coding, crc32
from sequence.models import CodedSegment, Segment
from sequence.store.checksum import BlockChecksums
from sequence.text.format import Format
from sequence.text.representation import Representation
from sequence.text.span import Span

log = logging.getLogger(__name__)

MOST_OF_IDENTITY = 0.45
"""About what a coded segment takes of its plain bytes, to see whether making it is worth while."""


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

    None where there is no room to keep it.
    """
    name = f"{number:08}.{format.name}.{coding.name}-{coding.recipe}"
    if found := CodedSegment.objects.filter(name=name).first():
        return build.at_once(found)
    return build.in_background(name, partial(make, name, number, format, coding))


def make(name: str, number: int, format: Format, coding: Coding) -> CodedSegment | None:
    """The segment in that format and coding, made and kept under that name where it is missing.

    Makes the plain segment too where that is missing, and raises what `build.build` does. None
    where the settings or the disk leave no room for it.
    """
    segment = build.build(number)
    with build.store().sole_builder(name):
        if found := CodedSegment.objects.filter(name=name).first():
            return found
        whole = Representation(format, conf.layout().terms(number), headed=False)
        if not _fits(whole.length * MOST_OF_IDENTITY):
            return None
        try:
            return _keep(name, segment, whole, coding)
        except OSError:
            log.exception("%s could not be kept; it is made anew for each request.", name)
            return None


def _keep(
    name: str, segment: Segment, whole: Representation, coding: Coding
) -> CodedSegment | None:
    directory, coder, checksums = build.store(), CheckedCoder(coding), BlockChecksums()
    text = directory.read(segment.name, Span(0, segment.length_bytes))
    pieces = coder.code(whole.excerpt(Span(0, whole.length)).render(text))
    kept = CodedSegment(
        name=name,
        segment=segment,
        length_bytes=directory.publish(name, build.summed(pieces, checksums)),
        crc32=coder.crc32,
        block_checksums=checksums.digest(),
    )
    # Looked at again, where one at a time can write, as others were made meanwhile.
    with transaction.atomic():
        if _fits(kept.length_bytes):
            kept.save(force_insert=True)
            log.info("Kept %s: %s bytes.", kept, f"{kept.length_bytes:,}")
            return kept
    directory.remove(name)
    return None


def _fits(length_bytes: float) -> bool:
    """Whether the settings leave room for so many bytes more."""
    limit = conf.encoded_bytes()
    return limit is None or CodedSegment.objects.total_bytes() + length_bytes <= limit
