import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from sequence import build, coded, conf, models, populate, upkeep, verify
from sequence.background import in_thread
from sequence.build import soon, store
from sequence.coding import ZSTD
from sequence.errors import LayoutMismatch, SumMismatch
from sequence.models import CodedSegment, Segment, Term
from sequence.text import compute
from sequence.text.format import FORMATS
from sequence.text.layout import offset
from sequence.text.span import Span
from tests import oracle

pytestmark = pytest.mark.django_db(transaction=True)


def files(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "segments").iterdir())


@pytest.mark.parametrize("number", [0, 1, 5])
def test_a_segment_is_made_from_its_number_alone(data_dir: Path, number: int) -> None:
    segment = build.build(number)
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
        segment = build.build(0)
        assert segment.last_term == stop - 1
        assert (Segment.objects.get().created_at != before) == built
        assert (data_dir / "segments" / "00000000.txt").read_bytes() == oracle.text(0, stop)
        assert Term.objects.count() == stop
        assert not [
            finding for each in verify.verify(verify.names(), 1) for finding in each.findings
        ]
        # After the loss of its row, too, a file that is longer than needed is right.
        models.remove(Segment.objects.all())
        assert build.build(0).last_term == stop - 1
        assert populate.missing(max_sn) == [n for n in conf.layout().numbers(Span(0, max_sn)) if n]


def test_a_stored_segment_is_not_made_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.build(2)
    made_at = Segment.objects.get().created_at
    monkeypatch.setattr(build, "compute", None)
    assert build.build(2).length_bytes
    assert Segment.objects.get().created_at == made_at


def test_many_who_ask_at_once_get_the_one_that_was_made(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def noted(terms: Span) -> Iterator[memoryview]:
        runs.append(terms)
        return compute.compute(terms)

    monkeypatch.setattr(build, "compute", noted)
    with ThreadPoolExecutor(16) as pool:
        built = list(pool.map(lambda n: in_thread(lambda: build.build(n)), [0, 1, 2, 3] * 8))
    assert len(runs) == 4
    assert [segment.number for segment in built] == [0, 1, 2, 3] * 8


def test_asking_soon_builds_once(data_dir: Path) -> None:
    first, second = soon(1), soon(1)
    assert first.result(30) == second.result(30)
    assert Segment.objects.count() == 1


def test_a_failing_build_leaves_neither_file_nor_row(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: object) -> object:
        yield memoryview(b"0 1 ")
        raise SumMismatch(7)

    monkeypatch.setattr(build, "compute", failing)
    with pytest.raises(SumMismatch):
        build.build(0)
    assert files(data_dir) == ["layout.json"]
    assert not Segment.objects.exists()
    monkeypatch.undo()


def test_bytes_whose_rows_cannot_be_written_are_removed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(models, "insert", locked)
    with pytest.raises(OperationalError):
        build.build(0)
    assert files(data_dir) == ["layout.json"]
    assert soon(0).result(30) is None


@pytest.mark.parametrize("damage", [b"", b"0", b"8"])
def test_bytes_without_rows_are_taken_in_where_they_are_right(
    data_dir: Path, damage: bytes
) -> None:
    """As after a power cut between the rename and the commit, or the loss of the index."""
    path = data_dir / "segments" / build.build(0).name
    models.remove(Segment.objects.all())
    right = path.read_bytes()
    if damage:
        path.write_bytes(right[:-1] + damage)
    made_at = path.stat().st_mtime_ns
    build.build(0)
    assert path.read_bytes() == right
    assert (path.stat().st_mtime_ns == made_at) == (not damage)
    assert Term.objects.count() == conf.layout().terms(0).length


def test_all_segments_without_rows_are_taken_in(data_dir: Path) -> None:
    for number in (0, 1, 2, 30):
        build.build(number)
    models.remove(Segment.objects.exclude(number=1))
    upkeep.take_in()
    assert [segment.number for segment in Segment.objects.all()] == [0, 1, 2, 30]
    assert upkeep.unindexed() == []


def test_coded_segments_without_rows_are_removed(data_dir: Path) -> None:
    kept, lost = (coded.make(number, FORMATS["text"], ZSTD) for number in (0, 1))
    assert kept
    assert lost
    CodedSegment.objects.filter(name=lost.name).delete()
    upkeep.take_in()
    assert kept.name in build.store().names()
    assert lost.name not in build.store().names()


def test_a_store_of_another_layout_is_refused_and_not_touched(
    data_dir: Path, settings: Settings
) -> None:
    build.build(0)
    before = {name: (data_dir / "segments" / name).stat().st_mtime_ns for name in files(data_dir)}
    settings.FIBO_SEGMENT_BYTES = 8192
    with pytest.raises(LayoutMismatch, match=r'"segment_bytes": 4096.*"segment_bytes": 8192'):
        store()
    with pytest.raises(LayoutMismatch):
        build.build(1)
    after = {name: (data_dir / "segments" / name).stat().st_mtime_ns for name in files(data_dir)}
    assert before == after
    settings.FIBO_SEGMENT_BYTES = 4096
    assert store().label() == conf.layout().label


def test_a_store_that_another_process_labelled_meanwhile_is_refused(
    data_dir: Path, settings: Settings
) -> None:
    store()
    (data_dir / "segments").mkdir()
    (data_dir / "segments" / "layout.json").write_text('{"layout_version": 0}')
    with pytest.raises(LayoutMismatch, match="layout_version"):
        build.build(0)
