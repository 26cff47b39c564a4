"""Checksums of the blocks of a segment (docs/text-format.md, section 4)."""

from collections.abc import Iterable, Iterator

from isal import isal_zlib

from sequence.errors import BlockMismatch
from sequence.text.span import Span

BLOCK_BYTES = 256 * 1024
"""How long a block is; the last one of a segment is what remains. Short enough for a request of a
few terms, which reads one, and long enough for its CRC-32 to cost little else than its bytes."""
CHECKSUM_BYTES = 4


class BlockChecksums:
    """The CRC-32 of every block of a segment, which comes piece by piece."""

    def __init__(self) -> None:
        self._digest = bytearray()
        self._crc = 0
        self._filled_bytes = 0

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next piece, which may begin and end anywhere in a block."""
        rest = memoryview(piece)
        while rest:
            part = rest[: BLOCK_BYTES - self._filled_bytes]
            self._crc = isal_zlib.crc32(part, self._crc)
            self._filled_bytes += len(part)
            if self._filled_bytes == BLOCK_BYTES:
                self._digest += self._crc.to_bytes(CHECKSUM_BYTES, "big")
                self._crc = self._filled_bytes = 0
            rest = rest[len(part) :]

    def digest(self) -> bytes:
        """Return the checksums of all blocks so far, 4 bytes big-endian each."""
        begun = self._crc.to_bytes(CHECKSUM_BYTES, "big") if self._filled_bytes else b""
        return bytes(self._digest) + begun


def checked(
    name: str, chunks: Iterable[bytes], start: int, checksums: bytes | memoryview
) -> Iterator[bytes]:
    """Yield the chunks of a segment from `start` on, each only if its blocks are right.

    Chunks begin and end with blocks. Raises BlockMismatch.
    """
    for chunk in chunks:
        verify(name, chunk, start, checksums)
        yield chunk
        start += len(chunk)


def verify(name: str, chunk: bytes | memoryview, start: int, checksums: bytes | memoryview) -> None:
    """Raise BlockMismatch if a chunk of a segment, of whole blocks, is not what it must be."""
    digest, at = _digest(chunk), start // BLOCK_BYTES * CHECKSUM_BYTES
    if digest != checksums[at : at + len(digest)]:
        raise BlockMismatch(name, Span(start, start + len(chunk)))


def _digest(chunk: bytes | memoryview) -> bytes:
    """Return what BlockChecksums does for a chunk that begins with a block, in less time."""
    view, crc32 = memoryview(chunk), isal_zlib.crc32
    starts = range(0, len(chunk), BLOCK_BYTES)
    return b"".join(
        crc32(view[start : start + BLOCK_BYTES]).to_bytes(CHECKSUM_BYTES, "big") for start in starts
    )


def blocks_around(span: Span, length: int) -> Span:
    """Return the span of the whole blocks, of a segment of that length, that the span touches."""
    stop = -(-span.stop // BLOCK_BYTES) * BLOCK_BYTES
    return Span(span.start // BLOCK_BYTES * BLOCK_BYTES, min(stop, length))
