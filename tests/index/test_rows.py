"""The rows of segments and of terms, and the constraints that they obey."""

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from sequence import signals
from sequence.index import rows
from sequence.models import Segment, Term
from tests.support import oracle

pytestmark = pytest.mark.django_db


def segment(number: int = 0, **changed: int) -> Segment:
    fields = {"first_term": 0, "term_count": 3, "start_offset": 0, "length_bytes": 6} | changed
    return Segment(number=number, name=f"{number}.txt", block_checksums=b"1234", **fields)


def test_the_rows_of_a_segment_place_each_of_its_terms() -> None:
    positions = [0, 2, 4, 6, 8, 10, 12, 14, 17]
    rows.record(segment(term_count=8, length_bytes=17), positions)
    found = Term.objects.order_by("n").values_list("n", "segment", "position", "digits")
    assert list(found) == [
        (n, 0, position, len(term) - 1)
        for n, (position, term) in enumerate(zip(positions, oracle.terms(8), strict=False))
    ]


def test_many_rows_are_written_whole() -> None:
    count = 30_000
    rows.record(segment(term_count=count, length_bytes=2 * count), range(0, 2 * count + 1, 2))
    assert Term.objects.count() == count


def test_the_first_row_of_a_segment_is_signalled_when_it_is_committed(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    built: list[object] = []

    def note(sender: object, **_: object) -> None:
        built.append(sender)

    signals.segment_built.connect(note)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            rows.record(segment(7), [0, 2, 4, 6])
            assert not built
        assert built == [7]
        with django_capture_on_commit_callbacks(execute=True):
            rows.record(segment(7), [0, 2, 4, 6])
        assert built == [7]
    finally:
        signals.segment_built.disconnect(note)


def test_rows_are_written_all_or_none() -> None:
    rows.record(segment(), [0, 2, 4, 6])
    impossible = segment(0, length_bytes=5)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.record(impossible, [0, 2, 4, 6])
    assert Segment.objects.get().length_bytes == 6
    assert Term.objects.count() == 3


def test_rows_take_the_place_of_others() -> None:
    rows.record(segment(), [0, 2, 4, 6])
    rows.record(segment(1, first_term=1, start_offset=6), [0, 2, 4, 6])
    rows.record(segment(), [0, 2, 4, 6])
    assert [row.number for row in Segment.objects.all()] == [0, 1]
    found = Term.objects.order_by("n").values_list("n", "segment_id")
    assert list(found) == [(0, 0), (1, 0), (2, 0), (3, 1)]


@pytest.mark.parametrize("changed", [{"term_count": 0}, {"length_bytes": 5}, {"start_offset": -1}])
def test_the_index_refuses_segments_that_cannot_be(changed: dict[str, int]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        segment(**changed).save()


def test_the_index_refuses_terms_without_digits() -> None:
    segment().save()
    with pytest.raises(IntegrityError), transaction.atomic():
        Term.objects.create(n=0, segment_id=0, position=0, digits=0)


def test_the_stop_offset_of_a_term_is_where_its_space_ends() -> None:
    rows.record(segment(3, first_term=7, start_offset=100), [0, 2, 4, 6])
    assert [rows.find_stop_offset(n) for n in (6, 7, 9, 10)] == [None, 102, 106, None]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="it is SQLite's")
def test_terms_lie_in_the_order_of_their_number() -> None:
    """SQLite's own row number is the key, so that a row costs no second tree."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN SELECT position FROM sequence_term WHERE n = 5")
        assert "INTEGER PRIMARY KEY" in cursor.fetchone()[3]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="it is SQLite's")
def test_sqlite_is_set_to_share() -> None:
    with connection.cursor() as cursor:
        for name, expected in (
            ("journal_mode", "wal"),
            ("synchronous", 1),
            ("busy_timeout", 60_000),
        ):
            cursor.execute(f"PRAGMA {name}")
            assert cursor.fetchone()[0] == expected
    assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
