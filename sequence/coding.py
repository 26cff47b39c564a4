"""The content codings, as pieces that are made apart and joined (RFC 9110, section 8.4.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import zstandard
from isal import isal_zlib
from zlib_ng import zlib_ng


class Coder(Protocol):
    """Codes one piece, chunk by chunk."""

    def compress(self, data: bytes, /) -> bytes:
        """What is ready of the coded form after this chunk."""

    def flush(self) -> bytes:
        """The rest of the coded form, so that another piece may follow it."""


@dataclass(frozen=True)
class Coding:
    """A coding: a head, pieces, and a tail that knows their checksum and their length."""

    name: str
    recipe: str
    """What makes the coded bytes these and no others; to be changed with them."""
    coder: Callable[[], Coder]
    head: bytes = b""
    tail: Callable[[int, int], bytes] = lambda _crc, _length: b""


class _DeflateCoder:
    """Raw deflate blocks that end at a byte; Huffman codes only, as digits do not repeat."""

    def __init__(self) -> None:
        self._compressor = zlib_ng.compressobj(
            1, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS, 9, zlib_ng.Z_HUFFMAN_ONLY
        )
        self.compress = self._compressor.compress

    def flush(self) -> bytes:
        return bytes(self._compressor.flush(zlib_ng.Z_FULL_FLUSH))


def _gzip_tail(crc: int, length: int) -> bytes:
    """A last deflate block without content, then CRC-32 and length (RFC 1952, section 2.3.1)."""
    return b"\x03\x00" + crc.to_bytes(4, "little") + (length % 2**32).to_bytes(4, "little")


GZIP = Coding(
    "gzip",
    "huffman",
    _DeflateCoder,
    # RFC 1952, section 2.3: deflate, no flags, no time, the fastest algorithm, no known system.
    bytes.fromhex("1f8b 08 00 00000000 04 ff"),
    _gzip_tail,
)

# One frame a piece (RFC 8878, section 3.1); level 1 keeps to the 8 MiB of window that RFC 9659
# allows.
ZSTD = Coding(
    "zstd", "level1", lambda: zstandard.ZstdCompressor(1, write_checksum=True).compressobj()
)

CODINGS = {coding.name: coding for coding in (ZSTD, GZIP)}
"""By name, the preferred one first."""

crc32: Callable[..., int] = isal_zlib.crc32
"""The CRC-32 of more bytes after those of a first CRC-32."""


def joined_crc32(first: int, second: int, second_length: int) -> int:
    """The CRC-32 of bytes, from that of their beginning and that of the rest, and its length."""
    return int(isal_zlib.crc32_combine(first, second, second_length))
