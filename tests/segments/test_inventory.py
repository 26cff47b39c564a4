"""Rows with values of any type, and rows without their files: told, repaired, and no 500."""

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from shutil import rmtree

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils.html import escape

from sequence import conf, models
from sequence.index import counters
from sequence.models import Segment
from sequence.operations import populate, prune, verify
from sequence.segments import build, inventory
from sequence.text.layout import segment_name
from sequence.web import plots
from tests.support import oracle
from tests.support.stored import findings
from tests.support.waiting import idle

pytestmark = pytest.mark.django_db(transaction=True)
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="only there types are free")

LIST = "/admin/sequence/segment/"

VALUES = {
    "NULL": "NULL",
    "a word": "'abc'",
    "no text": "''",
    "mark-up": "'<b>%s{}'",
    "text that is not UTF-8": "CAST(x'ff00fe' AS TEXT)",
    "a blob": "x'00ff'",
    "a fraction": "0.5",
    "infinity": "9e999",
    "the largest integer": "9223372036854775807",
    "a negative integer": "-9223372036854775808",
    "a date far away": "'9999-12-31 23:59:59.999999-23:59'",
    "no date": "'2026-02-30 00:00:00'",
}
COLUMNS = [field.attname for field in Segment._meta.concrete_fields]
SEGMENTS = list(range(len(COLUMNS)))
"""Of each another column is altered: of segment 0 the number."""


@pytest.fixture
def operator(own_index: Path) -> Client:
    """A browser that is logged in, at a store with a segment for each column."""
    counters.write()  # what another test has left is of none of these
    list(populate.segments(SEGMENTS, 1))
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("operator"))
    return client


def alter(table: str, column: str, value: str, row: str) -> bool:
    """Alter the column as damage to the file may; return whether that changed anything."""
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        if value == "NULL":
            cursor.execute("PRAGMA writable_schema = ON")
            cursor.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')")
            cursor.execute("PRAGMA writable_schema = RESET")
        cursor.execute(f"SELECT {column} FROM {table} WHERE {row}")  # noqa: S608
        before = cursor.fetchone()
        cursor.execute(f"UPDATE {table} SET {column} = {value} WHERE {row}")  # noqa: S608
        cursor.execute(f"SELECT {column} FROM {table} WHERE {row}")  # noqa: S608
        after = cursor.fetchone()
    connection.close()
    return bool(before != after)


def page(client: Client, address: str) -> str:
    """The page for people at the address, which is no error."""
    response = client.get(address, headers={"Accept": "text/html"}, follow=True)
    assert response.status_code == 200, address
    return response.getvalue().decode()


def answer(client: Client) -> None:
    """Read all segments for answers, which are right, and wait for the repair of those."""
    count = conf.layout().terms(SEGMENTS[-1]).stop
    assert client.get(f"/?sn={count}").getvalue() == oracle.text(0, count)
    idle()


def printed(command: str) -> str:
    """What the command prints."""
    out = StringIO()
    call_command(command, stdout=out)
    return out.getvalue()


def repair(client: Client) -> str:
    """The list after the admin's repairs: of rows that are of no segment, and of all others."""
    client.post(f"{LIST}remove-strays/")
    idle()
    form = {"action": "repair", "_selected_action": [str(number) for number in SEGMENTS]}
    listed = client.post(LIST, form, follow=True).content.decode()
    assert "cannot be repaired" not in listed
    return listed


@on_sqlite
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_rows_with_values_of_any_type_are_told_and_repaired(operator: Client, value: str) -> None:
    wrong = {
        number: column
        for number, column in enumerate(COLUMNS)
        if alter("sequence_segment", column, value, f"number = {number}")
    }
    assert len(wrong) >= len(COLUMNS) - 1
    table, listed, found = printed("segments"), page(operator, LIST), findings()
    assert f"{len(SEGMENTS) - len(wrong):,} segments" in table
    assert "`manage.py verify --repair`" in table
    assert "with a number that no segment has" in listed
    assert "Remove them" in listed
    assert populate.missing(conf.layout().terms(SEGMENTS[-1]).stop) == list(wrong)
    assert any("1 segments that cannot be" in finding.sentence for finding in found)
    for number, column in list(wrong.items())[1:]:
        sentence = f"{segment_name(number)}: The index has "
        told = re.search(f"{sentence}(.*){column.removeprefix('block_')}.*; it must", table)
        assert told, column
        shown = page(operator, f"{LIST}{number}/change/")
        assert escape(told[0].removeprefix(f"{segment_name(number)}: ")) in listed
        assert escape(told[0].removeprefix(f"{segment_name(number)}: ")) in shown
        assert "Repair this segment" in shown
        assert segment_name(number) in {finding.name for finding in found}
    for address in ("?q=1", "?q=abc", *(f"?o={place}" for place in range(1, 11))):
        page(operator, LIST + address)
    for address in ("/plots", "/metrics", "/readyz", "/terms/1"):
        page(operator, address)
    assert list(prune.surplus()) == []
    page(operator, LIST)
    repair(operator)
    assert findings() == []
    assert populate.missing(conf.layout().terms(SEGMENTS[-1]).stop) == []
    assert "The index has" not in printed("segments")


@on_sqlite
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_answers_are_right_and_counted_whatever_is_in_the_rows(
    operator: Client, value: str
) -> None:
    for number, column in enumerate(COLUMNS):
        alter("sequence_segment", column, value, f"number = {number}")
    for number in SEGMENTS:
        counters.note(number, served=1, checked_blocks=1, repaired=1)
    counters.write()
    for row in inventory.rows():
        for column in models.COUNTS:
            shown = getattr(row, column)
            assert shown == 1 or COLUMNS[row.number] == column, (row.number, column, shown)
            assert models.is_count(shown)
    answer(operator)
    for column in ("segment_id", "position", "digits"):
        first = conf.layout().terms(COLUMNS.index("name"))
        alter("sequence_term", column, value, f"n = {first.stop - 1}")
        assert findings()
        answer(operator)
        page(operator, f"/terms/{first.stop - 1}")
        idle()
        verify.repair_faults()
        for finding in findings():
            verify.repair_file(finding.name)
        assert findings() == []


def cut(path: Path) -> None:
    """Leave all but the last byte."""
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    """Add a byte."""
    path.write_bytes(path.read_bytes() + b"7")


def link(path: Path) -> None:
    """Put a link to the same bytes into its place."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


LOSSES: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (Path.unlink, "Its file is missing."),
    "cut": (cut, "Its file has {} bytes; it must have "),
    "longer": (lengthen, "Its file has {} bytes; it must have "),
}


@pytest.mark.parametrize("lost", [[1], [0, 1, 2]], ids=["one of three", "all"])
@pytest.mark.parametrize(("lose", "sentence"), LOSSES.values(), ids=LOSSES)
def test_rows_are_not_believed_without_their_files(
    data_dir: Path,
    client: Client,
    lost: list[int],
    lose: Callable[[Path], object],
    sentence: str,
) -> None:
    list(populate.segments([0, 1, 2], 1))
    count = conf.layout().terms(2).stop
    client.force_login(User.objects.create_superuser("operator"))
    paths = [data_dir / "segments" / segment_name(number) for number in lost]
    for path in paths:
        lose(path)
    assert populate.missing(count) == lost
    told = sentence.format(f"{paths[0].stat().st_size:,}") if paths[0].exists() else sentence
    assert f"{paths[0].name}: {told}" in printed("segments")
    assert f"<strong>{3 - len(lost)}</strong> segments" in page(client, LIST)
    assert told in page(client, f"{LIST}{lost[0]}/change/")
    metrics = page(client, "/metrics")
    assert f"fibo_store_segments {3 - len(lost)}.0" in metrics
    assert f"fibo_store_missing_segments {len(lost)}.0" in metrics
    assert plots.coverage(inventory.take()).rows[0][1] == str(3 - len(lost))
    ready = client.get("/readyz")
    assert ready.status_code == (503 if len(lost) == 3 else 200)
    assert f"the files of {len(lost)} are missing or have another length" in ready.content.decode()
    assert len(list(populate.segments(populate.missing(count), 1))) == len(lost)
    assert populate.missing(count) == []
    assert client.get("/readyz").content == b"ready\n"
    assert findings() == []


@pytest.mark.parametrize("put", [link, lambda path: (path.unlink(), path.mkdir())])
def test_what_is_no_regular_file_is_no_segment(
    data_dir: Path, put: Callable[[Path], object]
) -> None:
    list(populate.segments([0, 1, 2], 1))
    put(data_dir / "segments" / segment_name(1))
    assert inventory.take().missing == [1]
    assert populate.missing(conf.layout().terms(2).stop) == [1]


def test_a_store_without_a_directory_has_no_segments(data_dir: Path, client: Client) -> None:
    list(populate.segments([0, 1], 1))
    rmtree(data_dir / "segments")
    assert inventory.take().missing == [0, 1]
    assert client.get("/readyz").status_code == 503


def test_the_page_of_a_term_knows_whether_its_segment_is_stored(
    data_dir: Path, client: Client
) -> None:
    build.segment(0)
    address = "/terms/9"
    assert "<code>00000000.txt</code>" in page(client, address)
    (data_dir / "segments" / segment_name(0)).unlink()
    assert "which is not stored now" in page(client, address)
    # The digits are computed, and nothing is stored for them.
    idle()
    assert not inventory.is_stored(0)


def test_totals_are_over_what_is_stored(data_dir: Path) -> None:
    nothing = inventory.take().totals()
    assert set(nothing.values()) == {0}
    list(populate.segments([0, 1, 3, 5], 2))
    Segment.objects.filter(number=1).update(served=4, repaired=2)
    (data_dir / "segments" / segment_name(5)).unlink()
    found = inventory.take()
    text = b"".join(oracle.text(*conf.layout().terms(number)) for number in (0, 1, 3))
    terms = len(text.split())
    assert found.totals() == {
        "segments": 3,
        "missing": 1,
        "terms": terms,
        "bytes": len(text),
        "digits": len(text) - terms,
        "served": 4,
        "repaired": 2,
    }
    assert (list(found.stored), found.missing, found.repaired) == ([0, 1, 3], [5], [1])


@pytest.mark.parametrize(
    ("numbers", "most", "expected"),
    [
        ([], 9, []),
        ([0], 9, [range(1)]),
        ([4, 5, 6, 8], 9, [range(4, 7), range(8, 9)]),
        ([0, 1, 2, 3, 4], 2, [range(2), range(2, 4), range(4, 5)]),
    ],
)
def test_neighbours_are_taken_together(
    numbers: list[int], most: int, expected: list[range]
) -> None:
    assert list(inventory.runs(numbers, most)) == expected
