"""Hosts that share an object store give the right bytes, whatever becomes of it or of copies."""

import os
import socket
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from sequence import conf
from sequence.index import rows
from sequence.models import Segment
from sequence.operations import prune, reconcile, verify
from sequence.segments import budget, storage
from sequence.store import bucket
from sequence.store.checksum import BLOCK_BYTES
from sequence.text.layout import offset, segment_name
from sequence.text.span import Span
from tests.support import oracle
from tests.support.stored import flip, flipped
from tests.support.waiting import idle

pytestmark = pytest.mark.django_db(transaction=True)

TERMS = 4000
"""1.7 MB of text, in 3 segments of some blocks each."""
NAMES = [segment_name(number) for number in range(3)]


@pytest.fixture(autouse=True)
def bucket_of_hosts(
    data_dir: Path,
    settings: Settings,
    s3: Any,
    bucket_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An object store that the settings name."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, os.environ.get(variable, "testing"))
    settings.FIBO_SEGMENT_BYTES = 700_000
    settings.FIBO_OBJECT_STORE = conf.ObjectStore(bucket_name, "segments", s3.meta.endpoint_url)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The object store of these tests shares a processor with them."""
    monkeypatch.setattr(bucket, "READ_TIMEOUT_S", 20)


def remote() -> bucket.SegmentBucket:
    """The bucket of the store."""
    found = storage.store().replicas("none")[0]
    assert isinstance(found, bucket.SegmentBucket)
    return found


def ask(client: Client, sn: int = TERMS, **headers: Any) -> bytes:
    answer = client.get(f"/?sn={sn}", **headers)
    assert answer.status_code == 200
    content = answer.getvalue()
    idle()
    return content


def other_host(settings: Settings, path: Path) -> None:
    """From here on the settings are those of a host whose directory is still empty."""
    path.mkdir()
    settings.FIBO_DATA_DIR = path


def cached() -> list[str]:
    return sorted(storage.store().on_disk())


def fetching_wins(monkeypatch: pytest.MonkeyPatch, wins: bool) -> None:
    monkeypatch.setattr(budget, "is_fetched", lambda _: wins)


def test_what_is_missing_is_computed_and_then_in_the_bucket_and_cached(client: Client) -> None:
    assert ask(client) == oracle.text(0, TERMS)
    assert (sorted(remote().names()), cached()) == (NAMES, NAMES)
    assert [segment.name for segment in Segment.objects.all()] == NAMES
    assert verified() == []


@pytest.mark.parametrize("wins", [True, False], ids=["fetched", "computed"])
def test_another_host_answers_the_same_and_copies_what_it_lacks(
    client: Client,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wins: bool,
) -> None:
    first = client.get(f"/?sn={TERMS}")
    assert first.getvalue() == oracle.text(0, TERMS)
    idle()
    objects = [remote().length(name) for name in NAMES]
    other_host(settings, tmp_path / "other")
    fetching_wins(monkeypatch, wins)
    second = client.get(f"/?sn={TERMS}")
    assert second.getvalue() == oracle.text(0, TERMS)
    assert second.headers["ETag"] == first.headers["ETag"]
    idle()
    assert cached() == NAMES
    assert [remote().length(name) for name in NAMES] == objects
    assert verified() == []


def test_of_what_lies_elsewhere_only_the_blocks_of_the_span_are_fetched(
    client: Client, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(client)
    fetching_wins(monkeypatch, True)
    monkeypatch.setattr(budget, "is_on_disk", lambda _: False)
    other_host(settings, tmp_path / "other")
    fetched = []
    remote()._clients.reading.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: fetched.append(params["headers"]["Range"])
    )
    assert client.get("/?start=1800&sn=1").getvalue() == oracle.text(1800, 1801)
    block = offset(1800) // BLOCK_BYTES * BLOCK_BYTES
    assert fetched == [f"bytes={block}-{block + BLOCK_BYTES - 1}"]


def test_what_finds_no_room_on_the_host_is_in_the_bucket_all_the_same(
    client: Client, settings: Settings
) -> None:
    settings.FIBO_STORE_BYTES = budget.INDEX_BYTES + 48 * TERMS + 800_000
    assert ask(client) == oracle.text(0, TERMS)
    assert (sorted(remote().names()), cached()) == (NAMES, NAMES[:1])
    assert ask(client) == oracle.text(0, TERMS)
    assert cached() == NAMES[:1]


def test_a_lowered_budget_costs_only_copies(client: Client, settings: Settings) -> None:
    ask(client)
    settings.FIBO_STORE_BYTES = budget.INDEX_BYTES + 48 * TERMS + 800_000
    found = prune.surplus()
    assert [each.name for each in found] == NAMES[1:]
    assert list(prune.delete(found)) == found
    assert (sorted(remote().names()), cached()) == (NAMES, NAMES[:1])
    assert Segment.objects.count() == 3
    assert prune.surplus() == []


@pytest.mark.parametrize("wins", [True, False], ids=["fetching", "computing"])
def test_answers_go_on_without_the_object_store(
    client: Client, monkeypatch: pytest.MonkeyPatch, wins: bool, s3: Any, events: list[object]
) -> None:
    ask(client, 2000)
    storage.store().evict(NAMES[0])
    fetching_wins(monkeypatch, wins)
    with monkeypatch.context() as outage:
        outage.setattr(remote(), "_clients", bucket.Clients(Broken(), Broken()))
        assert ask(client) == oracle.text(0, TERMS)
        # To compute a copy takes nobody else.
        assert cached() == ([] if wins else NAMES[:1])
        assert Segment.objects.count() < 3
    remote()._breaker.close()
    assert ask(client) == oracle.text(0, TERMS)
    assert ask(client) == oracle.text(0, TERMS)
    assert (sorted(remote().names()), cached()) == (NAMES, NAMES)
    assert events == []
    assert verified() == []


def test_a_silent_object_store_costs_a_process_no_more_than_a_first_wait(
    client: Client, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts connections and never answers; each request would fetch, as slices of nginx do."""
    ask(client)
    other_host(settings, tmp_path / "other")
    monkeypatch.setattr(bucket, "READ_TIMEOUT_S", 1)
    settings.FIBO_FETCH = conf.ALWAYS
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        endpoint_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings.FIBO_OBJECT_STORE = settings.FIBO_OBJECT_STORE._replace(endpoint_url=endpoint_url)
        began = monotonic()
        for start in range(100):
            body = client.get(f"/?start={start}&sn=1").getvalue()
            assert body == oracle.text(start, start + 1)
        assert monotonic() - began < 8
    idle()


class Broken:
    """A client that reaches nobody."""

    def __getattr__(self, name: str) -> Any:
        raise ConnectionRefusedError(name)


def test_an_object_that_changed_is_found_when_it_is_read_and_repaired(
    client: Client, monkeypatch: pytest.MonkeyPatch, events: list[object]
) -> None:
    ask(client)
    fetching_wins(monkeypatch, True)
    damage(NAMES[1])
    storage.store().evict(NAMES[1])
    with monkeypatch.context() as context:
        context.setattr(budget, "is_on_disk", lambda _: False)
        assert ask(client) == oracle.text(0, TERMS)
    assert len(events) >= 1
    assert ask(client) == oracle.text(0, TERMS)
    assert verified() == []


def damage(name: str) -> None:
    """Changes a bit of the object."""
    length = remote().length(name)
    assert length
    changed = flipped(remote().part(name, Span(0, length)), 8 * 300_000)
    remote().remove(name)
    remote().publish(name, [changed])


def test_a_copy_that_changed_is_rebuilt_and_the_object_stays(
    client: Client, data_dir: Path, events: list[object]
) -> None:
    ask(client)
    path = data_dir / "segments" / NAMES[1]
    flip(path, 8 * 300_000)
    changed_at = head(NAMES[1])["LastModified"]
    assert ask(client) == oracle.text(0, TERMS)
    assert len(events) == 1
    assert head(NAMES[1])["LastModified"] == changed_at
    assert ask(client) == oracle.text(0, TERMS)
    assert cached() == NAMES
    assert verified() == []


def head(name: str) -> Any:
    place = conf.object_store()
    assert place
    return remote()._clients.patient.head_object(Bucket=place.bucket, Key=f"segments/{name}")


def verified() -> list[str]:
    """What is wrong with all that is stored."""
    found = [each.sentence for each in verify.faults()]
    for each in verify.files(verify.names(), 2):
        found += [f"{each.name}: {finding.sentence}" for finding in each.findings]
    return found


def test_verify_looks_at_all_replicas_and_repairs_them(client: Client, data_dir: Path) -> None:
    ask(client)
    damage(NAMES[0])
    path = data_dir / "segments" / NAMES[1]
    flip(path, 8 * 300_000)
    remote().remove(NAMES[2])
    found = verified()
    assert [sentence.partition(":")[0] for sentence in found] == NAMES
    assert f"is wrong in {remote()}." in found[0]
    assert f"is wrong in {data_dir / 'segments'}." in found[1]
    assert "Byte 0, of term" in found[2]
    assert f"is not there in {remote()}." in found[2]
    for name in NAMES:
        verify.repair_file(name)
    assert verified() == []
    assert (sorted(remote().names()), cached()) == (NAMES, NAMES)


def test_rows_that_are_lost_are_rebuilt_from_the_objects(client: Client) -> None:
    ask(client)
    rows.forget(Segment.objects.all())
    changed_at = [head(name)["LastModified"] for name in NAMES]
    reconcile.files_and_rows()
    assert Segment.objects.count() == 3
    assert [head(name)["LastModified"] for name in NAMES] == changed_at
    assert verified() == []
