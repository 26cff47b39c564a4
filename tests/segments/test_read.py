"""Whatever becomes of what is stored, the right bytes come, and the store is repaired."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from socket import socketpair
from time import sleep

import pytest
from django.db import DatabaseError
from django.db.models import F
from pytest_django.fixtures import Settings

from fibosite.sending import Outbox
from sequence.index import ratelimit, rows
from sequence.models import Segment, Term
from sequence.segments import build, read
from sequence.segments.read import StoredSpan
from sequence.segments.stream import chunks
from sequence.store import opened
from sequence.store.directory import SegmentDirectory
from sequence.store.pieces import in_bytes, piece_bytes
from sequence.text.format import FORMATS
from sequence.text.layout import offset
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import oracle
from tests.support.stored import flip
from tests.support.waiting import idle

pytestmark = pytest.mark.django_db(transaction=True)

TERMS = 4000
TEXT = oracle.text(0, TERMS)


@pytest.fixture(autouse=True)
def segments_of_many_blocks(data_dir: Path, settings: Settings) -> None:
    """One MiB and a half in segments of some 700 KB, of three blocks each."""
    settings.FIBO_SEGMENT_BYTES = 700_000


WHOLE = Span(0, len(TEXT))


def text_of(span: Span = WHOLE) -> bytes:
    return b"".join(chunks(Representation(FORMATS["text"], Span(0, TERMS)), [span]))


def stored_file(data_dir: Path, number: int) -> Path:
    return data_dir / "segments" / build.segment(number).name


def test_any_flipped_bit_is_repaired_and_never_sent(data_dir: Path, events: list[object]) -> None:
    rng = random.Random(4)
    for _ in range(40):
        path = stored_file(data_dir, rng.choice([0, 1]))
        right = path.read_bytes()
        flip(path, rng.randrange(8 * len(right)))
        assert text_of() == TEXT
        idle()
        assert path.read_bytes() == right
    assert len(events) >= 40


def test_a_flipped_bit_in_mid_stream_is_repaired_too(data_dir: Path) -> None:
    path = stored_file(data_dir, 1)
    left = chunks(Representation(FORMATS["text"], Span(0, TERMS)), [Span(0, len(TEXT))])
    found = next(left)
    flip(path, 8 * 300_000)
    assert found + b"".join(left) == TEXT


def write(path: Path, at: int) -> None:
    """Change a byte in place."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"-")


def copied(path: Path) -> None:
    """Put as good a file in its place."""
    path.with_suffix(".part").write_bytes(path.read_bytes())
    path.with_suffix(".part").rename(path)


def become_directory(path: Path) -> None:
    """Have a directory in its place."""
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "none": lambda _: None,
    "a bit flips in its last block": lambda path: flip(path, 8 * 600_000),
    "a byte is written to its last block": lambda path: write(path, 600_000),
    "it is cut": lambda path: os.truncate(path, 600_000),
    "it is emptied": lambda path: os.truncate(path, 0),
    "it is deleted": Path.unlink,
    "it is replaced": copied,
    "a directory is in its place": become_directory,
}
"""What may become of a file of which a part was sent."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_waits_to_be_sent_from_a_file_is_right_whatever_becomes_of_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, events: list[object], damage: str
) -> None:
    monkeypatch.setattr(opened, "SETTLED_NS", 0)
    path = stored_file(data_dir, 0)
    right = path.read_bytes()
    sleep(0.02)
    (span,) = read.pieces(build.segment(0), Span(5, len(right) - 5))
    assert isinstance(span, StoredSpan)
    outbox, received = Outbox(), b""
    outbox.sendall(span)
    client, server = socketpair()
    with client, server:
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            outbox.send_to(server)
        assert outbox.length_bytes > 200_000
        DAMAGES[damage](path)
        while outbox.length_bytes:
            try:
                outbox.send_to(server)
            except BlockingIOError:
                received += client.recv(1 << 20)
        server.close()
        while chunk := client.recv(1 << 20):
            received += chunk
    assert received == right[5:-5]
    idle()
    assert path.read_bytes() == right
    assert bool(events) == (damage not in ("none", "it is replaced"))


def test_for_another_server_a_span_of_a_file_is_as_right_in_bytes(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "SETTLED_NS", 0)
    path = stored_file(data_dir, 0)
    right = path.read_bytes()
    sleep(0.02)
    (span,) = read.pieces(build.segment(0), Span(0, len(right)))
    chunks = in_bytes([span])
    found = next(chunks)
    flip(path, 8 * 600_000)
    assert found + b"".join(chunks) == right


@pytest.mark.parametrize(("length", "is_span"), [(10, False), (65_535, False), (65_536, True)])
def test_what_is_short_or_was_just_written_comes_in_bytes(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, length: int, is_span: bool
) -> None:
    segment = build.segment(0)
    assert isinstance(next(read.pieces(segment, Span(7, 7 + length))), bytes)
    monkeypatch.setattr(opened, "SETTLED_NS", 0)
    sleep(0.02)
    pieces = list(read.pieces(segment, Span(7, 7 + length)))
    assert isinstance(pieces[0], StoredSpan) == is_span
    assert b"".join(in_bytes(pieces)) == TEXT[7 : 7 + length]


def test_pieces_grow_for_clients_that_take_them() -> None:
    assert [piece_bytes(mib << 20) >> 10 for mib in (0, 7, 8, 16, 31, 32, 10**6)] == [
        *(64, 64, 128, 256, 256, 512, 512),
    ]


@pytest.mark.parametrize("left", [None, 0, 1, 262_143, 262_144, 300_000, -1])
def test_a_file_that_is_gone_or_cut_is_repaired(
    data_dir: Path, left: int | None, events: list[object]
) -> None:
    build.segment(0)
    path = stored_file(data_dir, 1)
    right = path.read_bytes()
    if left is None:
        path.unlink()
    else:
        path.write_bytes(right[:left])
    assert text_of() == TEXT
    idle()
    assert path.read_bytes() == right
    assert events


def test_a_file_that_is_cut_while_it_streams_is_repaired(data_dir: Path) -> None:
    path = stored_file(data_dir, 0)
    right = path.read_bytes()
    chunks = read.chunks(build.segment(0), Span(0, len(right)))
    found = next(chunks)
    with path.open("r+b") as file:
        file.truncate(1000)
    assert found + b"".join(chunks) == right


def test_any_part_of_a_damaged_segment_is_right(data_dir: Path) -> None:
    build.segment(0)
    path = stored_file(data_dir, 1)
    rng = random.Random(5)
    for _ in range(30):
        idle()
        flip(path, rng.randrange(8 * len(path.read_bytes())))
        start = rng.randrange(len(TEXT))
        stop = rng.randint(start + 1, min(len(TEXT), start + 5000))
        assert text_of(Span(start, stop)) == TEXT[start:stop]


def test_a_disk_that_cannot_be_read_does_not_matter(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        build.segment(number)

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.pread", broken)
    assert text_of() == TEXT


@pytest.mark.parametrize("column", ["length_bytes", "start_offset", "first_term", "term_count"])
@pytest.mark.parametrize("shift", [-1, 1, 1024])
def test_a_row_that_says_something_else_is_rebuilt(data_dir: Path, column: str, shift: int) -> None:
    for number in range(3):
        build.segment(number)
    Segment.objects.filter(number=1).update(**{column: F(column) + shift})
    assert text_of() == TEXT
    idle()
    assert rows.find(1)
    assert Segment.objects.count() == 3


def test_a_checksum_that_is_wrong_is_rebuilt(data_dir: Path) -> None:
    build.segment(1)
    right = bytes(Segment.objects.get(number=1).block_checksums)
    Segment.objects.filter(number=1).update(block_checksums=b"\0" + right[1:])
    assert text_of() == TEXT
    idle()
    assert bytes(Segment.objects.get(number=1).block_checksums) == right
    Segment.objects.filter(number=1).update(block_checksums=right[:-1])
    assert text_of() == TEXT
    idle()
    assert bytes(Segment.objects.get(number=1).block_checksums) == right


def test_a_term_that_ends_elsewhere_is_rebuilt(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build.segment(0)
    Term.objects.filter(n=99).update(digits=99)
    read.repair_if_ends_elsewhere(99)
    idle()
    assert "The index has the end of term 99 at offset" in caplog.text
    assert rows.find_stop_offset(99) == offset(100)


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (None, "Segment {} is repaired."),
        (
            OSError(28, "No space left on device"),
            "Repairing segment {} failed: [Errno 28] No space",
        ),
        (OSError(30, "Read-only file system"), "Repairing segment {} failed: [Errno 30] Read-only"),
        (DatabaseError("is locked"), "Repairing segment {} failed: the index says: is locked"),
    ],
)
def test_the_log_has_one_true_line_a_segment_and_minute(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception | None,
    outcome: str,
) -> None:
    paths = [stored_file(data_dir, number) for number in (0, 1)]

    def fail(*_: object) -> int:
        assert failure
        raise failure

    if failure:
        monkeypatch.setattr(SegmentDirectory, "publish", fail)
        monkeypatch.setattr(rows, "record", fail)
    for minute in (1, 2):
        for _ in range(5):
            for path in paths:
                path.write_bytes(b"0" * 700_000)
            assert text_of() == TEXT
            idle()
        logged = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
        for number in range(len(paths)):
            lines = [line for line in logged if line.startswith(f"Segment {number:08}.txt is")]
            assert len(lines) == minute
            assert all(outcome.format(number) in line for line in lines)
        assert len(logged) <= minute * 3
        for key in ratelimit._logged_at:
            ratelimit._logged_at[key] -= ratelimit.EVERY_S
