"""Pages and JSON in gzip. Nothing in them is a secret, which their length could tell (BREACH)."""

import gzip

from sequence import conf
from sequence.coding.coding import GZIP, MIN_BYTES

LEVEL = 6
"""9 takes ten times as long, and saves a hundredth of the bytes."""


def is_offered(content: bytes) -> bool:
    """Whether the content is long enough, and the operator allows gzip."""
    return len(content) >= MIN_BYTES and GZIP.name in conf.encodings()


def compressed(content: bytes) -> bytes:
    """Return the content in gzip; what zlib makes of it depends on its version."""
    return gzip.compress(content, LEVEL, mtime=0)
