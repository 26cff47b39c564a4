from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from django.db.models import F
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sequence import build, populate, stream
from sequence.errors import IndexMismatch, SegmentShort
from sequence.models import Segment, Term
from sequence.text.format import FORMATS
from sequence.text.layout import offset
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests import oracle

pytestmark = pytest.mark.django_db(transaction=True)

Queries = Callable[[int], AbstractContextManager[object]]


def chunks_of(start: int, stop: int) -> Iterator[bytes]:
    """Bytes of the text, as a stream."""
    text = Representation(FORMATS["text"], Span(0, 5000))
    return stream.stream(text, [Span(start, stop)])


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
    assert populate.missing(1000) == []


def test_a_span_in_the_middle_builds_nothing_before_it(data_dir: Path) -> None:
    start = offset(2000)
    assert streamed(start, start + 10) == oracle.text(2000, 2001)[:10]
    assert Segment.objects.order_by("number").values_list("first_term", flat=True)[0] > 1900


def test_a_stream_that_is_dropped_builds_only_a_little_ahead(data_dir: Path) -> None:
    chunks = stream.primed(chunks_of(0, offset(3000)))
    next(chunks)
    chunks.close()
    build.builders._pool.submit(int).result()
    assert Segment.objects.count() <= stream.LOOKAHEAD + 1


def test_the_index_is_asked_where_a_term_ends(
    data_dir: Path, django_assert_num_queries: Queries
) -> None:
    with django_assert_num_queries(1):
        stream.check_index(99)
    build.build(0)
    with django_assert_num_queries(1):
        stream.check_index(99)


def test_an_index_that_places_a_term_elsewhere_is_not_believed(data_dir: Path) -> None:
    build.build(0)
    Term.objects.filter(n=99).update(digits=99)
    with pytest.raises(IndexMismatch, match="end of term 99 at offset"):
        stream.check_index(99)


def test_a_warm_short_stream_takes_one_query(
    data_dir: Path, django_assert_num_queries: Queries
) -> None:
    build.build(0)
    with django_assert_num_queries(1):
        streamed(0, offset(100))


def test_a_missing_file_is_found_before_anything_is_sent(data_dir: Path) -> None:
    (data_dir / "segments" / build.build(0).name).unlink()
    with pytest.raises(FileNotFoundError):
        stream.primed(chunks_of(0, 100))


def test_a_short_file_breaks_the_stream_and_does_not_end_it(data_dir: Path) -> None:
    build.build(0)
    path = data_dir / "segments" / build.build(1).name
    path.write_bytes(path.read_bytes()[:-1])
    chunks = chunks_of(0, offset(600))
    next(chunks)
    with pytest.raises(SegmentShort):
        list(chunks)


@pytest.mark.parametrize(("number", "column"), [(0, "length_bytes"), (1, "start_offset")])
@pytest.mark.parametrize("shift", [-1, 1])
def test_a_segment_that_the_index_has_elsewhere_breaks_the_stream(
    data_dir: Path, number: int, column: str, shift: int
) -> None:
    stop = build.build(0).length_bytes + build.build(1).length_bytes
    Segment.objects.filter(number=number).update(**{column: F(column) + shift})
    with pytest.raises((IndexMismatch, SegmentShort), match=r"segment 1 at offset|00000000.txt"):
        list(chunks_of(0, stop))


def test_a_last_segment_that_the_index_has_too_short_breaks_the_stream(data_dir: Path) -> None:
    stop = build.build(0).length_bytes
    Segment.objects.update(length_bytes=stop - 1)
    with pytest.raises(IndexMismatch, match="end of segment 0"):
        list(chunks_of(0, stop))
