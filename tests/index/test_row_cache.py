"""Rows are asked for once a second at most, and forgotten by all that changes them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import DatabaseError
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from sequence import conf
from sequence.index import health, rows
from sequence.models import Segment, Term
from sequence.operations import prune, verify
from sequence.segments import build, read, storage
from sequence.segments.stream import chunks
from sequence.text.format import FORMATS
from sequence.text.layout import offset, segment_name
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import oracle
from tests.support.waiting import idle

pytestmark = pytest.mark.django_db(transaction=True)


def text(start: int, stop: int) -> bytes:
    window = Representation(FORMATS["text"], Span(start, stop))
    return b"".join(chunks(window, [Span(0, window.length)]))


@pytest.fixture(autouse=True)
def clock(data_dir: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which rows are forgotten, which stands still."""
    settings.FIBO_SEGMENT_BYTES = 64 * 1024
    seconds = [0.0]
    monkeypatch.setattr(rows, "monotonic", lambda: seconds[0])
    rows.cache.clear()
    return seconds


@pytest.fixture
def stored() -> Segment:
    """A segment that is stored, and its row remembered."""
    build.segment(0)
    found = read.find_or_repair(0, last=0)
    assert found
    assert read.find_or_repair(0, last=0) is found
    return found


def test_the_rows_of_a_segment_are_asked_for_once(
    stored: Segment, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        for start in range(0, 500, 50):
            assert text(start, start + 10) == oracle.text(start, start + 10)
    rows.cache.clear()
    # The segment's, and that of the term that the first answer ends with.
    with django_assert_num_queries(2):
        for start in range(0, 500, 50):
            assert text(start, start + 10) == oracle.text(start, start + 10)


def pruned() -> None:
    list(prune.delete([prune.Surplus(segment_name(0), 1)]))


CHANGES: dict[str, tuple[Callable[[], object], bool]] = {
    "another segment is built": (lambda: build.segment(1), True),
    "it is built again": (lambda: build.build_or_reconcile(0), True),
    "it is repaired": (lambda: build.repair(0), True),
    "verify repairs it": (lambda: verify.repair_file(segment_name(0)), True),
    "its rows are removed": (lambda: rows.forget(Segment.objects.all()), False),
    "it is pruned": (pruned, False),
    "the tables are created": (health._migrate, True),
}
"""What changes rows, and whether the segment is stored afterwards."""


@pytest.mark.parametrize(("change", "is_stored"), CHANGES.values(), ids=CHANGES)
def test_what_changes_rows_forgets_them(
    stored: Segment, change: Callable[[], object], is_stored: bool
) -> None:
    change()
    assert not rows.cache.rows()
    found = read.find_or_repair(0, last=0)
    assert found is not stored
    assert (found is not None) == is_stored


@pytest.mark.parametrize("file", ["gone", "empty", "cut", "another", "a link", "a directory"])
def test_what_another_process_does_to_the_file_is_found_when_it_is_read(
    stored: Segment, data_dir: Path, events: list[object], file: str
) -> None:
    path = data_dir / "segments" / stored.name
    content = path.read_bytes()
    path.unlink()
    if file in ("empty", "cut", "another"):
        path.write_bytes({"empty": b"", "cut": content[:99], "another": content[::-1]}[file])
    elif file == "a link":
        path.symlink_to("elsewhere")
    elif file == "a directory":
        path.mkdir()
    assert text(90, 100) == oracle.text(90, 100)
    assert len(events) == 1
    idle()
    assert path.read_bytes() == content


def test_a_longer_file_of_a_greater_maximum_is_as_right(
    stored: Segment, settings: Settings, events: list[object]
) -> None:
    """Another process, with the new settings, may build it while this one remembers the row."""
    settings.FIBO_MAX_SN = 300
    rows.forget(Segment.objects.all())
    storage.store().remove(stored.name)
    build.segment(0)
    assert read.find_or_repair(0, last=299)
    remembered = dict(rows.cache.rows())
    settings.FIBO_MAX_SN = conf.MAX_SN
    longer = build.segment(0)
    assert longer.length_bytes > next(iter(remembered)).length_bytes
    settings.FIBO_MAX_SN = 300
    rows.cache.rows().update(remembered)
    assert text(290, 300) == oracle.text(290, 300)
    assert not events


def test_what_others_delete_is_believed_for_a_second(stored: Segment, clock: list[float]) -> None:
    Segment.objects.all().delete()
    clock[0] += 0.99 * rows.RowCache.TIME_TO_LIVE_S
    assert read.find_or_repair(0, last=0) is stored
    clock[0] += 0.01 * rows.RowCache.TIME_TO_LIVE_S
    assert read.find_or_repair(0, last=0) is None


def test_what_is_forgotten_while_it_is_asked_for_is_not_remembered(
    stored: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.cache.clear()
    asked = rows.find

    def slow(number: int) -> Segment | None:
        found = asked(number)
        rows.forget(Segment.objects.all())
        return found

    monkeypatch.setattr(rows, "find", slow)
    assert read.find_or_repair(0, last=0) == stored
    assert not rows.cache.rows()


def test_what_is_not_stored_is_asked_for_each_time(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(2):
        with django_assert_num_queries(2):
            assert read.find_or_repair(0, last=0) is None


def test_an_index_that_fails_is_not_remembered(
    stored: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise DatabaseError("is locked")

    rows.cache.clear()
    with monkeypatch.context() as broken:
        broken.setattr(rows, "find", fail)
        assert read.find_or_repair(0, last=0) is None
    assert read.find_or_repair(0, last=0) == stored


def test_so_many_rows_are_remembered_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows.RowCache, "MAX_ROWS", 3)
    for number in range(8):
        build.segment(number)
    for number in range(8):
        assert read.find_or_repair(number, last=conf.layout().planned(number).first_term)
        assert len(rows.cache.rows()) <= 3


def test_a_term_that_ends_elsewhere_is_found_with_the_row_of_its_segment(
    stored: Segment, clock: list[float]
) -> None:
    Term.objects.filter(n=99).update(digits=99)
    clock[0] += rows.RowCache.TIME_TO_LIVE_S
    assert text(90, 100) == oracle.text(90, 100)
    idle()
    assert rows.find_stop_offset(99) == offset(100)
