"""Checksums of the blocks of a segment (docs/text-format.md, section 4)."""

from isal import isal_zlib

BLOCK_BYTES = 1024 * 1024
"""How long a block is; the last one of a segment is what remains."""


class BlockChecksums:
    """The CRC-32 of every block of a segment that is given piece by piece."""

    def __init__(self) -> None:
        self._digest = bytearray()
        self._crc = 0
        self._filled_bytes = 0

    def update(self, piece: bytes | memoryview) -> None:
        """Takes the next piece, which may begin and end anywhere in a block."""
        rest = memoryview(piece)
        while rest:
            part = rest[: BLOCK_BYTES - self._filled_bytes]
            self._crc = isal_zlib.crc32(part, self._crc)
            self._filled_bytes += len(part)
            if self._filled_bytes == BLOCK_BYTES:
                self._digest += self._crc.to_bytes(4, "big")
                self._crc = self._filled_bytes = 0
            rest = rest[len(part) :]

    def digest(self) -> bytes:
        """The checksums of all blocks so far, 4 bytes big-endian each."""
        begun = self._crc.to_bytes(4, "big") if self._filled_bytes else b""
        return bytes(self._digest) + begun
