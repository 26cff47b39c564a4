"""The content codings by name (RFC 9110, section 8.4.1)."""

from collections.abc import Callable
from dataclasses import dataclass

from sequence.coding import gzip, zstd
from sequence.coding.coder import Coder
from sequence.text.representation import AnyRepresentation


@dataclass(frozen=True)
class Coding:
    """A coding: what makes coders, and the version of the bits that they make."""

    name: str
    version: int
    """For the strong ETag: to be changed with any bit of docs/text-format.md, section 6."""
    coder: Callable[[AnyRepresentation], Coder]


MIN_BYTES = 1024
"""From so many bytes on the coded form of every representation is shorter."""

ZSTD = Coding("zstd", 1, zstd.Coder)
GZIP = Coding("gzip", 1, gzip.Coder)

CODINGS = {coding.name: coding for coding in (ZSTD, GZIP)}
"""By name, the preferred one first."""
