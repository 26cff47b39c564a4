"""Content codings undone, as a strict client undoes them."""

import zlib
from typing import Any

import zstandard


def decoded(body: bytes, coding: str | None) -> bytes:
    """The body without its content coding: of exactly one gzip member, or one zstd frame."""
    if coding in (None, "identity"):
        return body
    decoder: Any = zlib.decompressobj(31)
    if coding == "zstd":
        # RFC 9659: a window of more than 8 MB is not for HTTP.
        decoder = zstandard.ZstdDecompressor(max_window_size=8 << 20).decompressobj()
    content: bytes = decoder.decompress(body)
    assert decoder.eof, f"the {coding} does not end"
    assert not decoder.unused_data, f"something follows the {coding}"
    return content
