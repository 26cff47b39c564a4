"""Segments in a format and a content coding, made once on a host and kept beside the plain ones."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial
from sys import maxsize

from zstandard import ZstdError

from sequence import budget, build, conf, healing
from sequence.background import Background, at_once
from sequence.coding import CODINGS, Coding, crc32
from sequence.errors import NoRoom
from sequence.index import dispensable, give_back
from sequence.models import CodedSegment, Segment
from sequence.store.checksum import BlockChecksums
from sequence.text.format import Format
from sequence.text.representation import Representation
from sequence.text.span import Piece, Span

log = logging.getLogger(__name__)

LEAST_OF_IDENTITY = 0.415
"""What a coded segment takes at least of its plain bytes, log2(10)/8, to see whether to begin."""

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
        try:
            for chunk in chunks:
                self.crc32 = crc32(chunk, self.crc32)
                if coded := self._coder.compress(chunk):
                    yield coded
            yield self._coder.flush()
        except ZstdError as error:
            # Nothing else can be wrong with a text that is to be coded.
            raise MemoryError(str(error)) from error


def offered() -> list[Coding]:
    """The codings that the settings offer, the preferred one first."""
    return [coding for name, coding in CODINGS.items() if name in conf.encodings()]


def soon(number: int, format: Format, coding: Coding) -> Future[CodedSegment | None]:
    """The segment in that format and coding: at once where it is kept, or when it has been made.

    None where it cannot be kept.
    """
    if not budget.keeps(number):
        return at_once(None)
    name = file_name(number, format, coding)
    with dispensable(f"Looking up {name}"):
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
    found = CodedSegment.objects.sealed(name)
    return found if found and build.store().length(name) == found.length_bytes else None


def read(segment: CodedSegment) -> Iterator[bytes]:
    """The bytes of a coded segment in chunks, each checked; raises what FAULTS lists."""
    whole = Span(0, segment.length_bytes)
    return build.store().read_checked(segment.name, whole, segment.block_checksums)


def forget(name: str) -> None:
    """Removes the coded segment of that name, so that it is made again when it is asked for."""
    with build.store().sole_builder(name):
        _remove(name)


def _remove(name: str) -> None:
    CodedSegment.objects.filter(name=name).delete()
    build.store().remove(name)


def make(number: int, format: Format, coding: Coding) -> CodedSegment | None:
    """The segment in that format and coding, made and kept first where it is missing.

    None where the settings leave no room for it or where anything fails: an answer can do
    without.
    """
    name = file_name(number, format, coding)
    with dispensable(f"Keeping {name}"):
        segment = build.stored(number) or build.build(number)
        with build.store().sole_builder(name):
            return kept(name) or _keep(name, segment, format, coding)
    return None


def rendered(number: int, format: Format, text: Iterator[bytes]) -> Iterator[bytes]:
    """The text of a whole segment, in the format."""
    whole = Representation(format, conf.layout().terms(number), headed=False)
    return whole.excerpt(Span(0, whole.length)).render(text)


def _keep(name: str, segment: Segment, format: Format, coding: Coding) -> CodedSegment | None:
    limit = budget.encoded_bytes()
    # With a limit one at a time, as each must know what the others leave.
    with nullcontext() if limit is None else build.store().sole_builder("coded"):
        _remove(name)
        left = maxsize if limit is None else limit - CodedSegment.objects.total_bytes()
        if segment.length_bytes * LEAST_OF_IDENTITY > left:
            return None
        try:
            return _publish(name, segment, format, coding, left)
        except NoRoom as full:
            log.info("%s is not kept. %s", name, full)
            return None


def _publish(
    name: str, segment: Segment, format: Format, coding: Coding, left: int
) -> CodedSegment:
    give_back()
    coder, checksums = CheckedCoder(coding), BlockChecksums()
    text = healing.read(segment, Span(0, segment.length_bytes))
    pieces = build.summed(coder.code(rendered(segment.number, format, text)), checksums)
    made = CodedSegment(
        name=name,
        segment=segment,
        length_bytes=build.store().publish(name, _at_most(left, pieces)),
        crc32=coder.crc32,
        block_checksums=checksums.digest(),
    )
    made.seal = made.right_seal()
    try:
        made.save(force_insert=True)
    except BaseException:
        build.store().remove(name)
        raise
    log.info("Kept %s: %s bytes.", made, f"{made.length_bytes:,}")
    return made


def _at_most(limit: int, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces; raises NoRoom rather than give more bytes than that."""
    given_bytes = 0
    for piece in pieces:
        given_bytes += len(piece)
        if given_bytes > limit:
            raise NoRoom(limit)
        yield piece
