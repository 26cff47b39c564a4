from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import BoundedSemaphore

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sequence.models import Segment
from sequence.operations import populate
from sequence.segments import build, stream
from sequence.text.format import FORMATS
from sequence.text.layout import offset
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import oracle
from tests.support.waiting import idle, soon

pytestmark = pytest.mark.django_db(transaction=True)

Queries = Callable[[int], AbstractContextManager[object]]


def chunks_of(start: int, stop: int) -> Iterator[bytes]:
    """Bytes of the text, as a stream."""
    text = Representation(FORMATS["text"], Span(0, 5000))
    return stream.chunks(text, [Span(start, stop)])


def streamed(start: int, stop: int) -> bytes:
    return b"".join(chunks_of(start, stop))


@given(st.integers(0, 30_000), st.integers(0, 30_000))
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_span_is_that_of_the_text_cold_or_warm(data_dir: Path, a: int, b: int) -> None:
    start, stop = min(a, b), max(a, b)
    assert streamed(start, stop) == oracle.text(0, 600)[start:stop]


def test_what_is_missing_is_built_and_kept(data_dir: Path) -> None:
    stop = offset(1000)
    assert streamed(0, stop) == oracle.text(0, 1000)
    idle()
    assert populate.missing(1000) == []


def test_a_span_in_the_middle_builds_nothing_before_it(data_dir: Path) -> None:
    start = offset(2000)
    assert streamed(start, start + 10) == oracle.text(2000, 2001)[:10]
    idle()
    assert Segment.objects.order_by("number").values_list("first_term", flat=True)[0] > 1900


def test_a_stream_that_is_dropped_builds_only_a_little_ahead(data_dir: Path) -> None:
    representation = Representation(FORMATS["text"], Span(0, 3000))
    pieces = stream.pieces(representation, [Span(0, representation.length)])
    next(pieces)
    pieces.close()
    idle()
    assert Segment.objects.count() <= stream.MAX_STORING + 1


def test_a_warm_short_stream_takes_two_queries(
    data_dir: Path, django_assert_num_queries: Queries
) -> None:
    build.segment(0)
    with django_assert_num_queries(2):
        streamed(0, offset(100))


def test_few_streams_of_a_process_wait_for_the_disk_and_others_store_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "_waiting", BoundedSemaphore(1))
    monkeypatch.setattr(build, "submit", lambda _: Future())
    never = [Future[Segment | None]() for _ in range(stream.MAX_STORING)]
    storing = list(never)
    with stream._waiting:
        stream._store(99, storing)
    assert storing == never
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(stream._store, 99, storing)
        soon(0, lambda: stream._waiting._value)
        assert not waits.done()
        never[0].set_result(None)
        waits.result(10)
    assert len(storing) == stream.MAX_STORING
    assert stream._waiting._value == 1
