"""The app's settings: their names, units and defaults."""

from pathlib import Path

from django.conf import settings

from sequence.text.layout import Layout

MAX_SN = 100_000
"""FIBO_MAX_SN, in terms: the most that one request may ask for."""
MAX_SN_LIMIT = 10**7
"""What FIBO_MAX_SN may be at most: from there on a single term takes seconds to begin."""

SEGMENT_BYTES = 64 * 1024 * 1024
"""FIBO_SEGMENT_BYTES, in bytes: about the length of a segment."""
LEAST_SEGMENT_BYTES = 1024
MOST_SEGMENT_BYTES = 2**40

PREPOPULATE = 10_000
"""FIBO_PREPOPULATE, in terms: what `manage.py prepopulate` stores when it is not told."""

ENCODINGS: tuple[str, ...] = ("zstd", "gzip")
"""FIBO_ENCODINGS: the content codings that are offered, and kept beside the segments."""


def max_sn() -> int:
    """The most terms that one request may ask for."""
    return int(settings.FIBO_MAX_SN)


def prepopulate() -> int:
    """How many terms `manage.py prepopulate` stores when it is not told."""
    return int(settings.FIBO_PREPOPULATE)


def encodings() -> list[str]:
    """The names of the content codings that are offered."""
    return list(settings.FIBO_ENCODINGS)


def encoded_bytes() -> int | None:
    """FIBO_ENCODED_BYTES, in bytes: what the coded segments may take together; None for any."""
    limit: int | None = settings.FIBO_ENCODED_BYTES
    return limit


def layout() -> Layout:
    """The plan of segments."""
    return Layout(settings.FIBO_SEGMENT_BYTES)


def segments_dir() -> Path:
    """The directory of the segment files, below FIBO_DATA_DIR."""
    return Path(settings.FIBO_DATA_DIR) / "segments"
