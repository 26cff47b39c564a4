"""What is counted of the segments, apart from the streams that it is counted of."""

from pathlib import Path

import pytest
from django.db import OperationalError, connection
from pytest_django import DjangoAssertNumQueries

from sequence import conf
from sequence.coding.coding import ZSTD
from sequence.index import counters
from sequence.models import Segment
from sequence.segments import build
from sequence.segments.stream import chunks, encoded
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import oracle
from tests.support.waiting import idle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def first_segment(data_dir: Path) -> None:
    """A store with one segment, of which nothing is noted."""
    counters.write()
    build.segment(0)


def ask(terms: Span) -> None:
    representation = Representation(FORMATS["text"], terms)
    body = b"".join(chunks(representation, [Span(0, representation.length)]))
    assert body == oracle.text(*terms)


def counts(number: int) -> tuple[int, int, int]:
    segment = Segment.objects.get(number=number)
    return segment.served, segment.checked_blocks, segment.repaired


def test_each_reading_is_counted_and_written_later() -> None:
    for _ in range(3):
        ask(Span(0, 100))
    assert counts(0) == (0, 0, 0)
    assert Segment.objects.get(number=0).served_at is None
    counters.write()
    assert counts(0) == (3, 3, 0)
    assert Segment.objects.get(number=0).served_at is not None
    counters.write()
    assert counts(0) == (3, 3, 0)


def test_a_count_that_cannot_be_begins_again_and_keeps_no_other_from_being_counted() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("nothing else lets that happen")
    build.segment(1)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute("UPDATE sequence_segment SET served = -5 WHERE number = 0")
        cursor.execute("PRAGMA ignore_check_constraints = OFF")
    counters.note(0, served=1)
    counters.note(1, served=1)
    counters.write()
    assert (counts(0), counts(1)) == ((1, 0, 0), (1, 0, 0))


def test_counting_adds_no_query_to_an_answer(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(2):
        ask(Span(0, 20))


def test_what_was_repaired_is_counted() -> None:
    path = conf.segments_dir() / build.segment(0).name
    path.write_bytes(b"8" + path.read_bytes()[1:])
    ask(Span(0, 20))
    idle()
    counters.write()
    assert counts(0) == (1, 0, 1)


def test_an_encoded_answer_counts_too() -> None:
    b"".join(encoded(Representation(FORMATS["text"], Span(0, 100)), ZSTD))
    counters.write()
    assert counts(0) == (1, 1, 0)


def test_an_index_that_cannot_be_written_loses_counts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    ask(Span(0, 20))

    def locked(*_: object, **__: object) -> int:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr("django.db.models.QuerySet.update", locked)
        counters.write()
    idle()
    counters.write()
    assert counts(0) == (0, 0, 0)


def test_a_segment_that_is_made_again_keeps_its_counts() -> None:
    ask(Span(0, 20))
    counters.write()
    build.repair(0)
    assert counts(0) == (1, 1, 0)
