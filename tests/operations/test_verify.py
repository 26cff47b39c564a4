"""verify finds each kind of damage and changes nothing; with repair it puts all of it right."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from sequence.index import engine
from sequence.models import Segment, Term
from sequence.operations import populate, verify
from sequence.segments import storage
from sequence.store.directory import SegmentDirectory
from tests.support.processes import manage
from tests.support.stored import findings, flip

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "00000003.txt"
BETWEEN = "09999999.txt"
"""A name that a segment of 4,096 bytes could have, if a term of 93,000 digits did not lie there."""


@pytest.fixture
def segments(data_dir: Path) -> Path:
    """The directory of a store with ten segments."""
    list(populate.segments(list(range(10)), 2))
    return data_dir / "segments"


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def raw(statement: str) -> None:
    """What a flipped bit in the index may do, and its own constraints would not let."""
    if connection.vendor != "sqlite":
        pytest.skip("nothing else lets that happen")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute(statement)
        cursor.execute("PRAGMA foreign_keys = ON")


Damage = Callable[[Path], object]

DAMAGES: dict[str, tuple[Damage, str, str]] = {
    "a flipped bit": (lambda d: flip(d / NAME, 8002), NAME, "Byte 1,000, of term "),
    "a cut file": (
        lambda d: (d / NAME).write_bytes((d / NAME).read_bytes()[:1000]),
        NAME,
        "Byte 1,000, of term ",
    ),
    "a file that is gone": (lambda d: (d / NAME).unlink(), NAME, "Byte 0, of term "),
    "a longer file": (
        lambda d: (d / NAME).write_bytes((d / NAME).read_bytes() + b"7"),
        NAME,
        "The file has 1 bytes too many.",
    ),
    "no row": (
        lambda _: Segment.objects.filter(number=3).delete(),
        NAME,
        "The index has no row for it.",
    ),
    "another offset": (
        lambda _: Segment.objects.filter(number=3).update(start_offset=1),
        NAME,
        "The index has start_offset 1; it must be ",
    ),
    "another number": (
        lambda _: raw("UPDATE sequence_segment SET number = 103 WHERE number = 3"),
        "00000103.txt",
        "The index has name '00000003.txt'; it must be 00000103.txt.",
    ),
    "another name": (
        lambda _: Segment.objects.filter(number=3).update(name="0000000Q.txt"),
        NAME,
        "The index has name '0000000Q.txt'; it must be 00000003.txt.",
    ),
    "other checksums": (
        lambda _: Segment.objects.filter(number=3).update(block_checksums=b"1234"),
        NAME,
        "The index has other checksums than its bytes must have.",
    ),
    "a term elsewhere": (
        lambda _: Term.objects.filter(segment=3, position=0).update(position=7),
        NAME,
        "The index has term ",
    ),
    "a term that is gone": (
        lambda _: Term.objects.filter(segment=3, position=0).delete(),
        NAME,
        "The index has term ",
    ),
    "a term too many": (
        lambda _: Term.objects.create(n=99_999, segment_id=3, position=0, digits=1),
        NAME,
        "The index has 1 terms in it that are not its own.",
    ),
    "a FIFO": (lambda d: replace(d / NAME, os.mkfifo), NAME, "Byte 0, of term "),
    "an empty directory": (lambda d: replace(d / NAME, Path.mkdir), NAME, "Byte 0, of term "),
    "a link": (
        lambda d: replace(d / NAME, lambda path: path.symlink_to("00000002.txt")),
        NAME,
        "Byte 0, of term ",
    ),
    "a FIFO without a row": (
        lambda d: os.mkfifo(d / "00000011.txt"),
        "00000011.txt",
        "The index has no row for it.",
    ),
    "a file of a number that no segment has": (
        lambda d: (d / BETWEEN).touch(),
        BETWEEN,
        "There is no segment of that number",
    ),
    "a row of a number that no segment has": (
        lambda _: raw("UPDATE sequence_segment SET number = 9999999 WHERE number = 3"),
        BETWEEN,
        "There is no segment of that number",
    ),
    "an empty label": (
        lambda d: (d / "layout.json").write_bytes(b""),
        "layout.json",
        "It says nothing readable; it must say {",
    ),
}


def test_a_whole_store_gives_no_findings(segments: Path) -> None:
    assert findings() == []
    assert len(verify.names()) == 10


@pytest.mark.parametrize(("damage", "name", "sentence"), DAMAGES.values(), ids=DAMAGES)
def test_each_damage_is_found_and_repaired(
    segments: Path, damage: Damage, name: str, sentence: str
) -> None:
    damage(segments)
    found = findings()
    assert found == findings()  # nothing was changed
    assert any(f.name == name and f.sentence.startswith(sentence) for f in found), found
    verify.repair_faults()
    for wrong in {finding.name for finding in found} - {engine.current().name, "layout.json"}:
        verify.repair_file(wrong)
    assert findings() == []
    assert {f"{n:08}.txt" for n in range(10)} <= set(storage.store().names())


FOREIGN = ["notes.txt", "9" * 18 + ".txt", "00000003.txt~", "00000003.TXT", "n" * 255, "a\nb", "é"]


def test_what_is_not_the_stores_own_is_left_alone(segments: Path) -> None:
    for name in FOREIGN:
        (segments / name).write_text("hello")
    (segments / "lost+found" / "x").mkdir(parents=True)
    not_utf8 = os.fsencode(segments) + b"/\xff\xfe"
    Path(os.fsdecode(not_utf8)).touch()
    before = sorted(path.name for path in segments.iterdir())
    assert findings() == []
    verify.repair_faults()
    assert sorted(path.name for path in segments.iterdir()) == before
    assert len(storage.store().foreign()) == len(FOREIGN) + 2


def test_a_store_with_more_names_than_sqlite_takes_values(
    segments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [f"{number:08}.txt" for number in range(300_000)]
    monkeypatch.setattr(SegmentDirectory, "all_names", lambda _: many)
    assert verify.faults() == []
    assert len(verify.names()) == 300_000


def test_the_command_repairs_each_file_that_it_can(tmp_path: Path) -> None:
    small = {"FIBO_SEGMENT_BYTES": "4096"}
    assert manage(tmp_path, "prepopulate", "--upto=1000", **small).returncode == 0
    segments = tmp_path / "segments"
    names = sorted(path.name for path in segments.glob("*.txt"))
    stuck = [names[0], names[5]]
    for name in names:
        (segments / name).unlink()
    for name in stuck:
        (segments / name / "precious").mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(segments) + b"/\xff.txt")).touch()
    repaired = manage(tmp_path, "verify", "--repair", **small)
    assert repaired.returncode == 1
    assert "Traceback" not in repaired.stderr
    for name in stuck:
        told = f"{name} cannot be repaired: {segments / name} is a directory that is not empty"
        assert told in repaired.stdout
        assert told in repaired.stderr
    *_, foreign, closing = repaired.stdout.splitlines()
    assert foreign.startswith("1 other names in ")
    assert closing.endswith(f": {len(names)} findings, 2 not repaired.")
    assert sorted(path.name for path in segments.glob("*.txt") if path.is_file()) == sorted(
        {*names, "\udcff.txt"} - {*stuck}
    )
    assert manage(tmp_path, "verify", **small).stdout.endswith(": 2 findings.\n")


def test_the_command_ends_with_1_if_something_is_wrong(tmp_path: Path) -> None:
    small = {"FIBO_SEGMENT_BYTES": "4096"}
    assert manage(tmp_path, "migrate", "--verbosity=0", **small).returncode == 0
    assert manage(tmp_path, "prepopulate", "--upto=1000", **small).returncode == 0
    whole = manage(tmp_path, "verify", **small)
    assert (whole.returncode, whole.stdout.endswith(": 0 findings.\n")) == (0, True)
    flip(tmp_path / "segments" / NAME, 8002)
    found = manage(tmp_path, "verify", **small)
    assert found.returncode == 1
    assert f"{NAME}: Byte 1,000, of term " in found.stdout
    assert found.stdout.endswith(": 1 finding.\n")
    repaired = manage(tmp_path, "verify", "--repair", **small)
    assert repaired.returncode == 0
    assert repaired.stdout.endswith(": 1 finding, all repaired.\n")
    assert manage(tmp_path, "verify", **small).returncode == 0
