import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from sequence import conf
from sequence.background import in_thread
from sequence.errors import LayoutMismatch, SumMismatch
from sequence.index import rows
from sequence.models import Segment, Term
from sequence.operations import populate, reconcile, verify
from sequence.segments import build, storage
from sequence.text import compute
from sequence.text.layout import Layout, offset
from sequence.text.span import Span
from tests.support import oracle

pytestmark = pytest.mark.django_db(transaction=True)


OTHER_LABEL = '{"layout_version": 0, "segment_bytes": 4096}'


def files(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "segments").iterdir())


@pytest.mark.parametrize("number", [0, 1, 5])
def test_a_segment_is_made_from_its_number_alone(data_dir: Path, number: int) -> None:
    segment = build.segment(number)
    terms = conf.layout().terms(number)
    content = (data_dir / "segments" / segment.name).read_bytes()
    assert content == oracle.text(*terms)
    assert (segment.first_term, segment.last_term) == (terms.start, terms.stop - 1)
    assert segment.span == (offset(terms.start), offset(terms.stop))
    assert segment.digits == len(content.replace(b" ", b""))
    assert bytes(segment.block_checksums) == zlib.crc32(content).to_bytes(4, "big")
    assert Term.objects.count() == terms.length
    assert Segment.objects.get() == segment


def test_a_maximum_that_changes_rebuilds_only_what_became_too_short(
    data_dir: Path, settings: Settings
) -> None:
    settings.FIBO_SEGMENT_BYTES = 10**6
    for max_sn, built, stop in [
        (10, True, 10),  # no longer than what can be asked for
        (10, False, 10),
        (1000, True, 1000),
        (500, False, 1000),
        (100_000, True, 3089),  # the whole segment
        (10, False, 3089),
    ]:
        settings.FIBO_MAX_SN = max_sn
        before = Segment.objects.filter(number=0).values_list("created_at", flat=True).first()
        segment = build.segment(0)
        assert segment.last_term == stop - 1
        assert (Segment.objects.get().created_at != before) == built
        assert (data_dir / "segments" / "00000000.txt").read_bytes() == oracle.text(0, stop)
        assert Term.objects.count() == stop
        assert not [
            finding for each in verify.files(verify.names(), 1) for finding in each.findings
        ]
        # After the loss of its row, too, a file that is longer than needed is right.
        rows.forget(Segment.objects.all())
        assert build.segment(0).last_term == stop - 1
        assert populate.missing(max_sn) == [n for n in conf.layout().numbers(Span(0, max_sn)) if n]


def test_a_stored_segment_is_not_rebuilt(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build.segment(2)
    made_at = Segment.objects.get().created_at
    monkeypatch.setattr(build, "compute_terms", None)
    assert build.segment(2).length_bytes
    assert Segment.objects.get().created_at == made_at


def test_many_who_ask_at_once_get_the_one_that_was_made(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def noted(terms: Span) -> Iterator[memoryview]:
        runs.append(terms)
        return compute.compute_terms(terms)

    monkeypatch.setattr(build, "compute_terms", noted)
    with ThreadPoolExecutor(16) as pool:
        built = list(pool.map(lambda n: in_thread(lambda: build.segment(n)), [0, 1, 2, 3] * 8))
    assert len(runs) == 4
    assert [segment.number for segment in built] == [0, 1, 2, 3] * 8


def test_asking_soon_builds_once(data_dir: Path) -> None:
    first, second = build.submit(1), build.submit(1)
    assert first.result(30) == second.result(30)
    assert Segment.objects.count() == 1


def test_a_failing_build_leaves_neither_file_nor_row(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: object) -> object:
        yield memoryview(b"0 1 ")
        raise SumMismatch(7)

    monkeypatch.setattr(build, "compute_terms", failing)
    with pytest.raises(SumMismatch):
        build.segment(0)
    assert files(data_dir) == ["layout.json"]
    assert not Segment.objects.exists()
    monkeypatch.undo()


def test_bytes_whose_rows_cannot_be_written_are_removed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(rows, "record", locked)
    with pytest.raises(OperationalError):
        build.segment(0)
    assert files(data_dir) == ["layout.json"]
    assert build.submit(0).result(30) is None


@pytest.mark.parametrize("damage", [b"", b"0", b"8"])
def test_bytes_without_rows_are_reconciled_if_they_are_right(data_dir: Path, damage: bytes) -> None:
    """As after a power cut between the rename and the commit, or the loss of the index."""
    path = data_dir / "segments" / build.segment(0).name
    rows.forget(Segment.objects.all())
    right = path.read_bytes()
    if damage:
        path.write_bytes(right[:-1] + damage)
    made_at = path.stat().st_mtime_ns
    build.segment(0)
    assert path.read_bytes() == right
    assert (path.stat().st_mtime_ns == made_at) == (not damage)
    assert Term.objects.count() == conf.layout().terms(0).length


def test_all_segments_without_rows_are_reconciled(data_dir: Path) -> None:
    for number in (0, 1, 2, 30):
        build.segment(number)
    rows.forget(Segment.objects.exclude(number=1))
    reconcile.files_and_rows()
    assert [segment.number for segment in Segment.objects.all()] == [0, 1, 2, 30]
    assert reconcile.without_rows() == []


def test_a_store_of_another_layout_is_refused_and_not_touched(
    data_dir: Path, settings: Settings
) -> None:
    build.segment(0)
    before = {name: (data_dir / "segments" / name).stat().st_mtime_ns for name in files(data_dir)}
    settings.FIBO_SEGMENT_BYTES = 8192
    with pytest.raises(LayoutMismatch, match=r'"segment_bytes": 4096.*"segment_bytes": 8192'):
        storage.store()
    with pytest.raises(LayoutMismatch):
        build.segment(1)
    after = {name: (data_dir / "segments" / name).stat().st_mtime_ns for name in files(data_dir)}
    assert before == after
    settings.FIBO_SEGMENT_BYTES = 4096
    assert storage.store().label() == conf.layout().label


def test_a_store_that_another_process_labelled_is_refused(
    data_dir: Path, settings: Settings
) -> None:
    storage.store()
    (data_dir / "segments").mkdir()
    (data_dir / "segments" / "layout.json").write_text(OTHER_LABEL)
    with pytest.raises(LayoutMismatch, match="layout_version"):
        build.segment(0)


def reopened() -> None:
    """What a start does."""
    storage._opened.cache_clear()
    storage.store()
    reconcile.repair_and_sweep()


def test_a_flipped_bit_in_the_label_is_put_right_by_the_segments(data_dir: Path) -> None:
    build.segment(0)
    build.segment(3)
    path = data_dir / "segments" / "layout.json"
    right = path.read_bytes()
    for bit in range(8 * len(right)):
        content = bytearray(right)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        reopened()
        assert path.read_bytes() == right


DAMAGED_LABELS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 1000),
    "another layout's": lambda path: path.write_text(Layout(20_000).label),
    "another version's": lambda path: path.write_text(OTHER_LABEL),
    "gone": lambda _: None,
    "an empty directory": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a link": lambda path: path.symlink_to("/etc/passwd"),
}


@pytest.mark.parametrize("damage", DAMAGED_LABELS.values(), ids=DAMAGED_LABELS)
def test_a_damaged_label_is_put_right_by_the_segments(
    data_dir: Path, damage: Callable[[Path], object]
) -> None:
    list(map(build.segment, range(4)))
    # One of them may be damaged too.
    (data_dir / "segments" / "00000002.txt").write_bytes(b"1 ")
    path = data_dir / "segments" / "layout.json"
    path.unlink()
    damage(path)
    reopened()
    assert path.read_text() == conf.layout().label
    assert not path.is_symlink()


@pytest.mark.parametrize("damage", DAMAGED_LABELS.values(), ids=DAMAGED_LABELS)
def test_segments_of_another_layout_are_refused_whatever_the_label(
    data_dir: Path, settings: Settings, damage: Callable[[Path], object]
) -> None:
    list(map(build.segment, range(4)))
    path = data_dir / "segments" / "layout.json"
    path.unlink()
    damage(path)
    settings.FIBO_SEGMENT_BYTES = 8192
    with pytest.raises(LayoutMismatch, match=r"and the settings ask for .*8192"):
        storage.store()


def test_an_empty_store_with_a_damaged_label_is_labelled(data_dir: Path) -> None:
    segments = data_dir / "segments"
    segments.mkdir()
    (segments / "layout.json").write_bytes(b"\xff")
    build.segment(0)
    assert storage.store().label() == conf.layout().label


def test_a_repair_never_leaves_a_row_without_a_file(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = build.segment(0)
    path = data_dir / "segments" / segment.name
    path.write_bytes(b"9" + path.read_bytes()[1:])

    def failing(*_: object) -> Iterator[bytes]:
        assert path.exists()
        yield b"1 "
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(build, "summed", failing)
        with pytest.raises(OSError, match="No space left"):
            build.repair(0)
    assert path.exists()
    build.repair(0)
    assert path.read_bytes() == oracle.text(*conf.layout().terms(0))


def test_reconciling_goes_on_after_what_cannot_be(data_dir: Path) -> None:
    list(map(build.segment, range(4)))
    rows.forget(Segment.objects.all())
    segments = data_dir / "segments"
    (segments / "00000001.txt").unlink()
    (segments / "00000001.txt" / "precious").mkdir(parents=True)
    for name in ("99999999999.txt", "999999999999999999.txt"):
        (segments / name).touch()
    reconcile.files_and_rows()
    assert [segment.number for segment in Segment.objects.all()] == [0, 2, 3]
    assert (segments / "999999999999999999.txt").exists()


def test_sweeping_goes_on_after_what_it_cannot_sweep(data_dir: Path) -> None:
    build.segment(0)
    segments = data_dir / "segments"
    (segments / "00000001.txt" / "precious").mkdir(parents=True)
    (segments / "00000002.txt").touch()
    for number in range(4):
        (segments / f"{number:08}.txt.lock").touch()
        (segments / f"{number:08}.txt.part").touch()
    (segments / "00000003.txt.lock").unlink()
    (segments / "00000003.txt.lock" / "precious").mkdir(parents=True)
    reconcile.repair_and_sweep()
    assert files(data_dir) == [
        "00000000.txt",
        "00000001.txt",
        "00000003.txt.lock",
        "00000003.txt.part",
        "layout.json",
    ]
