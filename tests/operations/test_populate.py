from pathlib import Path

import pytest

from sequence import conf
from sequence.errors import SomeFailed
from sequence.models import Segment, Term
from sequence.operations import populate, reconcile
from sequence.segments import build
from sequence.text.span import Span
from tests.support import oracle

pytestmark = pytest.mark.django_db(transaction=True)


def stored_text(data_dir: Path) -> bytes:
    names = Segment.objects.order_by("number").values_list("name", flat=True)
    return b"".join((data_dir / "segments" / name).read_bytes() for name in names)


@pytest.mark.parametrize("upto", [0, 1, 2, 300, 1500])
def test_the_segments_of_the_first_terms_are_stored(data_dir: Path, upto: int) -> None:
    built = list(populate.segments(populate.missing(upto), 3))
    assert sorted(segment.number for segment in built) == list(conf.layout().numbers(Span(0, upto)))
    text = stored_text(data_dir)
    assert text == oracle.text(0, Term.objects.count())
    assert Term.objects.count() >= upto
    assert populate.missing(upto) == []


def test_only_what_is_missing_is_built(data_dir: Path) -> None:
    list(populate.segments([1, 3], 2))
    assert populate.missing(1500) == [
        number for number in conf.layout().numbers(Span(0, 1500)) if number not in (1, 3)
    ]


def test_what_cannot_be_stored_keeps_no_other_from_it(data_dir: Path) -> None:
    for number in (1, 4):
        (data_dir / "segments" / f"{number:08}.txt" / "precious").mkdir(parents=True)
    with pytest.raises(SomeFailed) as failed:
        list(populate.segments(list(range(40)), 2))
    assert [sentence.partition(": ")[0] for sentence in failed.value.sentences] == [
        "Segment 1 cannot be stored",
        "Segment 4 cannot be stored",
    ]
    stored = set(Segment.objects.values_list("number", flat=True))
    assert stored == set(range(40)) - {1, 4}


def test_what_is_stored_when_it_is_stopped_stays(data_dir: Path) -> None:
    numbers = populate.missing(3000)
    run = populate.segments(numbers, 1)
    next(run)
    run.close()
    stored = Segment.objects.count()
    assert 1 <= stored < len(numbers)
    list(populate.segments(populate.missing(3000), 4))
    assert stored_text(data_dir)[: len(oracle.text(0, 3000))] == oracle.text(0, 3000)


def test_leftovers_of_the_dead_are_swept(data_dir: Path) -> None:
    segments = data_dir / "segments"
    segments.mkdir()
    for name in ("00000099.txt.lock", "00000099.txt.part"):
        (segments / name).touch()
    build.segment(0)
    # Published, and then the builder died before the rows were written.
    (segments / "00000001.txt").write_bytes(oracle.text(*conf.layout().terms(1)))
    (segments / "00000001.txt.lock").touch()
    reconcile.repair_and_sweep()
    assert sorted(path.name for path in segments.iterdir()) == ["00000000.txt", "layout.json"]
