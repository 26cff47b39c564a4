"""prune brings the store back under a budget, and no answer is wrong before, during or after."""

from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from sequence import conf
from sequence.coding.coding import CODINGS
from sequence.errors import SomeFailed
from sequence.models import Segment, Term
from sequence.operations import populate, prune
from sequence.segments import budget
from sequence.segments.stream import chunks
from sequence.text.format import FORMATS
from sequence.text.layout import offset
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import oracle
from tests.support.processes import manage
from tests.support.stored import findings
from tests.support.waiting import idle

pytestmark = pytest.mark.django_db(transaction=True)

TERMS = 12_000
"""15 MB of text, in 31 segments."""


@pytest.fixture
def full(data_dir: Path, settings: Settings) -> Path:
    """The directory of segments of a store without a budget."""
    settings.FIBO_SEGMENT_BYTES = 500_000
    numbers = list(conf.layout().numbers(Span(0, TERMS)))
    list(populate.segments(numbers, 2))
    return data_dir / "segments"


def state(segments: Path) -> tuple[dict[str, int], int, int]:
    """What files there are, since when, and how many rows."""
    files = {path.name: path.stat().st_mtime_ns for path in segments.iterdir()}
    counts = (model.objects.count() for model in (Segment, Term))
    return (files, *counts)  # type: ignore[return-value]


def text(start: int, stop: int) -> bytes:
    whole = Representation(FORMATS["text"], Span(start, stop))
    return b"".join(chunks(whole, [Span(0, whole.length)]))


def test_without_a_budget_nothing_is_surplus(full: Path) -> None:
    assert prune.surplus() == []


def test_a_lowered_budget_is_kept_by_deleting_the_highest(full: Path, settings: Settings) -> None:
    settings.FIBO_STORE_BYTES = conf.MIN_STORE_BYTES
    before = state(full)
    found = prune.surplus()
    assert state(full) == before
    gone = list(prune.delete(found))
    assert gone == found
    assert prune.surplus() == []
    kept = conf.layout().segment_of(budget.max_terms(TERMS))
    assert 2 < kept < 20
    assert [segment.number for segment in Segment.objects.all()] == list(range(kept))
    assert Term.objects.count() == budget.max_terms(TERMS)
    assert {each.name for each in gone} == before[0].keys() - state(full)[0].keys()
    assert all(before[0][name] == since for name, since in state(full)[0].items())
    assert findings() == []
    assert text(0, TERMS) == oracle.text(0, TERMS)
    idle()
    assert Segment.objects.count() == kept  # what is computed is not stored again


def test_what_cannot_be_deleted_keeps_no_other_from_it(full: Path, settings: Settings) -> None:
    settings.FIBO_STORE_BYTES = conf.MIN_STORE_BYTES
    found = prune.surplus()
    stuck = [found[0].name, found[3].name]
    for name in stuck:
        (full / name).unlink()
        (full / name / "precious").mkdir(parents=True)
    gone: list[prune.Surplus] = []
    with pytest.raises(SomeFailed) as failed:
        gone += prune.delete(found)  # extended up to where it raises
    assert [sentence.partition(" ")[0] for sentence in failed.value.sentences] == stuck
    assert [each.name for each in prune.surplus()] == stuck


def test_what_is_not_the_stores_own_stays(full: Path, settings: Settings) -> None:
    settings.FIBO_STORE_BYTES = conf.MIN_STORE_BYTES
    foreign = ["999999999999999999.txt", "notes.txt", "000000099.txt"]
    for name in foreign:
        (full / name).touch()
    list(prune.delete(prune.surplus()))
    assert set(foreign) <= {path.name for path in full.iterdir()}


def test_a_row_is_deleted_by_its_number_whatever_its_name(full: Path, settings: Settings) -> None:
    settings.FIBO_STORE_BYTES = conf.MIN_STORE_BYTES
    (*_, last) = Segment.objects.all()
    Segment.objects.filter(number=last.number).update(name="of another")
    list(prune.delete(prune.surplus()))
    assert not Segment.objects.filter(number=last.number).exists()
    assert prune.surplus() == []


def test_a_stream_reads_on_through_what_is_pruned(full: Path, settings: Settings) -> None:
    whole = Representation(FORMATS["text"], Span(0, TERMS))
    left = chunks(whole, [Span(offset(9000), whole.length)])
    found = next(left)
    settings.FIBO_STORE_BYTES = conf.MIN_STORE_BYTES
    assert list(prune.delete(prune.surplus()))
    assert found + b"".join(left) == oracle.text(9000, TERMS)
    idle()
    assert prune.surplus() == []


def test_answers_are_the_same_before_and_after(
    full: Path, settings: Settings, client: Client
) -> None:
    asked = [
        (f"/?sn={sn}&start={start}&format={name}", coding)
        for start, sn in ((0, 3000), (11_000, 1000))
        for name in FORMATS
        for coding in ("identity", *CODINGS)
    ]

    def answers() -> list[tuple[str, bytes]]:
        responses = (
            client.get(target, headers={"Accept-Encoding": coding}) for target, coding in asked
        )
        return [(response.headers["ETag"], response.getvalue()) for response in responses]

    before = answers()
    settings.FIBO_STORE_BYTES = conf.MIN_STORE_BYTES
    list(prune.delete(prune.surplus()))
    assert answers() == before


def test_the_command_says_what_is_to_go_and_only_then_deletes(tmp_path: Path) -> None:
    small = {"FIBO_SEGMENT_BYTES": "500000"}
    bounded = small | {"FIBO_STORE_BYTES": str(conf.MIN_STORE_BYTES)}
    assert manage(tmp_path, "migrate", "--verbosity=0", **small).returncode == 0
    assert manage(tmp_path, "prepopulate", f"--upto={TERMS}", **small).returncode == 0
    files = sorted(path.name for path in (tmp_path / "segments").iterdir())
    told = manage(tmp_path, "prune", "--dry-run", **bounded)
    assert sorted(path.name for path in (tmp_path / "segments").iterdir()) == files
    done = manage(tmp_path, "prune", **bounded)
    *names, closing = done.stdout.splitlines()
    assert told.stdout.splitlines() == [*names, closing.replace("Deleted", "To be deleted")]
    left = {path.name for path in (tmp_path / "segments").iterdir()}
    assert left == set(files) - {line.partition(",")[0] for line in names}
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < conf.MIN_STORE_BYTES
    assert manage(tmp_path, "verify", **bounded).returncode == 0
    again = manage(tmp_path, "prune", **bounded)
    assert again.stdout == "Deleted: 0 files, 0 bytes.\n"
