"""The metrics for Prometheus: counts and times over all of gunicorn's processes."""

import logging
import platform
from collections.abc import Iterator
from itertools import product

from django.db import DatabaseError
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from sequence import __version__
from sequence.errors import FiboError
from sequence.index.engine import said
from sequence.index.ratelimit import acquire
from sequence.segments import inventory
from sequence.text import digests
from sequence.text.format import FORMATS
from sequence.text.layout import LAYOUT_VERSION
from sequence.web.counting import SharedValue

log = logging.getLogger(__name__)

WRITTEN = (*FORMATS, digests.NAME)
"""The formats of windows."""
NO_FORMAT = "none"
"""The format of an answer that is no representation of terms."""
OTHER = "other"
"""Any other method or code than the following."""
METHODS = ("GET", "HEAD", "OPTIONS")
CODES = (
    *(200, 204, 206, 301, 302, 304),
    *(400, 403, 404, 405, 406, 412, 416, 429),
    *(500, 503),
)

# Before any metric is created.
values.ValueClass = SharedValue
disable_created_metrics()  # type: ignore[no-untyped-call]

# The library adds to its own registry what it knows of one process only.
COUNTED = CollectorRegistry()

REQUESTS = Counter(
    "fibo_requests",
    "Requests that were answered.",
    ("method", "code", "format"),
    registry=COUNTED,
)
SENT_BYTES = Counter(
    "fibo_sent_bytes", "Bytes of bodies that were sent.", ("format",), registry=COUNTED
)
FIRST_BYTE_SECONDS = Histogram(
    "fibo_first_byte_seconds",
    "From a request to the first byte of its answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=COUNTED,
)
STREAM_SECONDS = Histogram(
    "fibo_stream_seconds",
    "From the first byte of a streamed body to its end.",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 600),
    registry=COUNTED,
)
STREAMS_IN_PROGRESS = Gauge(
    "fibo_streams_in_progress",
    "Streamed bodies that are being sent.",
    registry=COUNTED,
)
STREAMS_ABORTED = Counter(
    "fibo_streams_aborted", "Streamed bodies that ended before their last byte.", registry=COUNTED
)
SEGMENTS_BUILT = Counter(
    "fibo_segments_built", "Segments that were built and stored.", registry=COUNTED
)
STORE_REPAIRED = Counter(
    "fibo_store_healed",
    "Stretches of stored bytes that were wrong or gone, and were recomputed for an answer.",
    registry=COUNTED,
)

# All series exist before the processes fork, which share them: a client can add none, and one that
# begins at 0 shows its first growth.
_SENT_BYTES = {format: SENT_BYTES.labels(format) for format in (*WRITTEN, NO_FORMAT)}
_REQUESTS = {
    labels: REQUESTS.labels(*labels)
    for labels in (
        *product(("GET", "HEAD"), (200, 206, 304), WRITTEN),
        *product((*METHODS, OTHER), (*CODES, OTHER), (NO_FORMAT,)),
    )
}


def requests(method: str, code: int, format: str) -> Counter:
    """Return the counter of the requests that were answered so."""
    method = method if method in METHODS else OTHER
    return _REQUESTS.get((method, code, format)) or _REQUESTS[method, OTHER, NO_FORMAT]


def sent_bytes(format: str) -> Counter:
    """Return the counter of the bytes that were sent in the format."""
    return _SENT_BYTES[format]


def exposition() -> tuple[bytes, str]:
    """Return the page that Prometheus scrapes, and its content type."""
    registry = CollectorRegistry()
    registry.register(COUNTED)
    registry.register(_NotCounted())
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _NotCounted:
    """What is looked up for each page: the program and the store."""

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, as the library asks for them."""
        program = {
            "version": __version__,
            "layout_version": str(LAYOUT_VERSION),
            "python": platform.python_version(),
        }
        yield InfoMetricFamily("fibo_build", "The program that runs.", program)
        try:
            totals = inventory.take().totals()
        except (FiboError, OSError, DatabaseError) as error:
            # That is when the other metrics are needed most.
            if acquire("totals"):
                why = said(error) if isinstance(error, DatabaseError) else error
                log.error("The totals of the store cannot be read: %s", why)
            return
        for name in ("segments", "terms", "bytes"):
            yield GaugeMetricFamily(f"fibo_store_{name}", f"Stored {name}.", totals[name])
        yield GaugeMetricFamily(
            "fibo_store_missing_segments",
            "Segments of the index whose files are missing or have another length.",
            totals["missing"],
        )
