"""The app's settings: their names, units and defaults."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from sequence.text.layout import MAX_TERMS, Layout


class ObjectStore(NamedTuple):
    """A place in an S3-compatible object store."""

    bucket: str
    prefix: str
    endpoint_url: str | None = None
    """None for the one of boto3's default."""


MAX_SN = 100_000
"""FIBO_MAX_SN, in terms: the most that one request may ask for; layout.MAX_TERMS at most."""

MAX_TERM: int = MAX_TERMS
"""FIBO_MAX_TERM: the last term whose digits may be asked for alone, and the last one of windows of
residues; layout.MAX_TERMS at most."""

SEGMENT_BYTES = 64 * 1024 * 1024
"""FIBO_SEGMENT_BYTES, in bytes: about the length of a segment."""
MIN_SEGMENT_BYTES = 1024
MAX_SEGMENT_BYTES = 1024**3
"""A request for one term builds its whole segment: at this length it takes seconds."""

PREPOPULATE = 10_000
"""FIBO_PREPOPULATE, in terms: what `manage.py prepopulate` stores by default."""

MIN_STORE_BYTES = 16 * 1024 * 1024
"""The minimum of FIBO_STORE_BYTES: an index without terms takes a part of it."""
MAX_STORE_BYTES = 2**60

AUTO, ALWAYS, NEVER = "auto", "always", "never"
FETCH: tuple[str, ...] = (AUTO, ALWAYS, NEVER)
"""FIBO_FETCH: whether what lies in the object store only is fetched, or computed instead; by
default computed up to the term from which fetching is faster (sequence/segments/budget.py)."""

ENCODINGS: tuple[str, ...] = ("zstd", "gzip")
"""FIBO_ENCODINGS: the content codings that are offered."""


def max_sn() -> int:
    """The most terms that one request may ask for."""
    return int(settings.FIBO_MAX_SN)


def max_term() -> int:
    """The last term whose digits may be asked for alone."""
    return int(settings.FIBO_MAX_TERM)


def prepopulate() -> int:
    """How many terms `manage.py prepopulate` stores by default."""
    return int(settings.FIBO_PREPOPULATE)


def encodings() -> list[str]:
    """The names of the content codings that are offered."""
    return list(settings.FIBO_ENCODINGS)


def store_bytes() -> int | None:
    """FIBO_STORE_BYTES: how much space the store may take; None for no limit."""
    limit: int | None = settings.FIBO_STORE_BYTES
    return limit


def object_store() -> ObjectStore | None:
    """FIBO_OBJECT_STORE: where hosts store the segments that they share; None if it is unset."""
    place: ObjectStore | None = settings.FIBO_OBJECT_STORE
    return place


def fetch() -> str:
    """FIBO_FETCH: one of AUTO, ALWAYS and NEVER."""
    return str(settings.FIBO_FETCH)


# Every request asks for it, and computing it takes as long as looking a row up.
_layout = cache(Layout)


def layout() -> Layout:
    """The plan of segments."""
    return _layout(settings.FIBO_SEGMENT_BYTES, settings.FIBO_MAX_SN)


def data_dir() -> Path:
    """FIBO_DATA_DIR: the directory of everything that this host stores."""
    return Path(settings.FIBO_DATA_DIR)


def segments_dir() -> Path:
    """The directory of the segment files, below FIBO_DATA_DIR."""
    return _segments_dir(settings.FIBO_DATA_DIR)


@cache
def _segments_dir(data_dir: Path) -> Path:
    return Path(data_dir) / "segments"
