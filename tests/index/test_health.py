"""An index that is missing, empty or damaged is recreated."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from sequence import conf
from sequence.index import health
from sequence.index.sqlite.engine import DAMAGED
from sequence.models import Segment
from sequence.operations import reconcile
from sequence.segments import build
from tests.support import oracle
from tests.support.stored import replace_index
from tests.support.waiting import idle


def content_of(path: Path) -> bytes:
    """The whole of the index."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def overwritten(content: bytes, at: int, by: bytes) -> bytes:
    """The content with other bytes from there on."""
    return content[:at] + by + content[at + len(by) :]


def misspelt(content: bytes, word: bytes) -> bytes:
    """The content with that in place of CHECK, in what the index says of a term's row."""
    schema = content.index(b'CREATE TABLE "sequence_term"')
    return overwritten(content, content.index(b"CHECK", schema), word)


Damage = Callable[[bytes], bytes | None]

DAMAGES: dict[str, Damage] = {
    "missing": lambda _: None,
    "empty": lambda _: b"",
    "no index": lambda _: b"no index at all " * 1000,
    "cut": lambda content: content[: len(content) // 2],
    "without a schema": lambda content: overwritten(content, 100, bytes(4000)),
    "a schema that is no SQL": lambda content: misspelt(content, b"CHUCK"),
    # SQLite's message quotes the word, and is then no UTF-8 either.
    "a schema that is no text": lambda content: misspelt(content, b"CH\xa9CK"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_index_stops_no_answer_and_is_recreated(
    own_index: Path, client: Client, damage: Damage
) -> None:
    replace_index(own_index, damage(content_of(own_index)))
    assert client.get("/?sn=500").getvalue() == oracle.text(0, 500)
    idle()
    assert health.fault("integrity_check") is None
    assert client.get("/?sn=500").getvalue() == oracle.text(0, 500)
    idle()
    assert Segment.objects.count() == 7


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_start_records_the_files_as_they_are(own_index: Path, damage: Damage) -> None:
    for number in range(5):
        build.segment(number)
    files = {path: path.stat().st_mtime_ns for path in conf.segments_dir().iterdir()}
    replace_index(own_index, damage(content_of(own_index)))
    reconcile.repair_and_sweep()
    reconcile.files_and_rows()
    assert health.fault("integrity_check") is None
    assert [segment.number for segment in Segment.objects.all()] == list(range(5))
    assert {path: path.stat().st_mtime_ns for path in conf.segments_dir().iterdir()} == files


def test_an_index_that_another_process_writes_is_not_taken_for_damaged(
    own_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.segment(0)
    connection.close()
    monkeypatch.setitem(
        connection.settings_dict["OPTIONS"], "init_command", "PRAGMA busy_timeout=9"
    )
    with closing(sqlite3.connect(own_index, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert build.submit(1).result(60) is None
        with pytest.raises(DatabaseError, match="locked"):
            build.segment(1)
    idle()
    assert Segment.objects.get().number == 0
    assert not (own_index.parent / DAMAGED).exists()


def test_an_emptied_index_that_others_hold_open_is_replaced_at_once(own_index: Path) -> None:
    build.segment(0)
    connection.close()
    with closing(sqlite3.connect(own_index)) as other:
        other.execute("SELECT * FROM sequence_segment").fetchall()
        own_index.write_bytes(b"")
        started = monotonic()
        build.submit(0).result(60)
        idle()
        assert health.fault() is None
        assert build.submit(0).result(60) is not None
        assert monotonic() - started < 30  # it waited for those, for a minute each time


def test_a_connection_that_could_only_read_is_refused_and_the_next_one_works(
    own_index: Path,
) -> None:
    build.segment(0)
    connection.close()
    connection.settings_dict["NAME"] = f"{own_index.as_uri()}?mode=ro"
    for _ in range(2):
        with pytest.raises(DatabaseError, match="readonly"):
            Segment.objects.count()
    connection.settings_dict["NAME"] = own_index
    assert Segment.objects.count() == 1
