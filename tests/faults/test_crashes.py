"""A populate that is killed, at any moment and at every call that changes the store.

The rows are those of docs/hostile-inputs.md: 26, 27, 28.
"""

import re
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, groupby
from pathlib import Path
from random import Random
from time import monotonic, sleep

import pytest

from sequence import conf
from tests.support import oracle
from tests.support.faults import AT_ONCE, CHANGES, Call, Injected, Store, empty, filled, migrated
from tests.support.processes import ROOT, environment, run
from tests.support.servers import built_in, served

pytestmark = pytest.mark.drill


HALF_MADE = r"(?s)(.* The index is damaged \(.*\); it is set aside and recreated\..*)?"
"""What may be said of an index whose making was cut off: Django writes a table, and that it did so,
in two transactions."""


def begin(store: Store) -> subprocess.Popen[bytes]:
    """A populate that is about to write: its start-up is over."""
    process = subprocess.Popen(
        store.populate(workers=4),
        cwd=ROOT,
        env=environment(store.data_dir, **store.variables),
        stdout=subprocess.DEVNULL,
    )
    while not store.segments.exists():
        assert process.poll() is None
        sleep(0.001)
    return process


def length_s(store: Store) -> float:
    """How long an undisturbed populate writes."""
    process = begin(store)
    began = monotonic()
    assert process.wait(120) == 0
    return monotonic() - began


@pytest.mark.parametrize(
    ("kills", "upto", "segment_bytes"), [(100, 20_000, 1_000_000), (10, 100_000, 64 << 20)]
)
def test_a_populate_that_is_killed_at_any_moment_is_completed_by_the_next(
    tmp_path: Path, injected: Injected, kills: int, upto: int, segment_bytes: int
) -> None:
    made = migrated(tmp_path / "made", upto, segment_bytes)
    with made.copied(tmp_path / "undisturbed") as undisturbed:
        longest_s = length_s(undisturbed)

    def kill(number: int) -> bool:
        """Whether the populate was killed in the midst of a segment."""
        random = Random(number)
        while True:
            with made.copied(tmp_path / f"killed-{number}") as store:
                process = begin(store)
                sleep(random.uniform(0, longest_s))
                process.kill()
                # Else it has ended before, as no two take the same time.
                if process.wait(10) == -signal.SIGKILL:
                    unfinished = bool(store.left())
                    store.assert_clean()
                    store.assert_completes()
                    return unfinished

    with ThreadPoolExecutor(AT_ONCE) as pool:
        unfinished = sum(pool.map(kill, range(kills)))
    assert unfinished > kills / 2
    injected(
        f"kill -9 of a populate of {upto:,} terms",
        kills,
        f"{unfinished} in the midst of a segment; all complete and clean",
    )


def changes(store: Store) -> list[tuple[Call, int]]:
    """At which calls, by their numbers, a populate that fills the store can be killed."""
    # The secret's file has the number of the process in its name at first.
    return [
        (call, number)
        for call, number in filled(store).points()
        if call.name in CHANGES and not call.file.startswith("secret_key.")
    ]


def kill_at_each(points: list[tuple[Call, int]], made: Store) -> None:
    """Kills a populate of a copy on its entry to each call; one that has an index is clean then."""
    indexed = (made.data_dir / "index.sqlite3").exists()

    def kill(point: tuple[Call, int]) -> None:
        call, number = point
        path = made.data_dir.with_name(f"{call.name}-{Path(call.file).name}-{number}")
        with made.copied(path) as store:
            fault = call.injected(store.data_dir, "signal=KILL", str(number))
            killed = store.run([*store.strace([call.name], *fault), *store.populate()])
            assert killed.returncode == -signal.SIGKILL, point
            if indexed:
                store.assert_clean()
            store.assert_completes("" if indexed else HALF_MADE)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(kill, points))


def test_a_populate_that_is_killed_at_any_call_is_completed_by_the_next(
    tmp_path: Path, injected: Injected
) -> None:
    points = changes(migrated(tmp_path / "undisturbed"))
    kills = Counter(call.name for call, _ in points)
    assert {"write", "pwrite64", "fsync", "fdatasync", "rename", "unlink"} <= set(kills)
    # Each COMMIT is one of them.
    assert (Call("pwrite64", "index.sqlite3-wal"), 20) in points
    kill_at_each(points, migrated(tmp_path / "made"))
    for name, times in kills.items():
        injected(f"kill -9 of a populate at each {name}", times, "all complete and clean")


def test_a_populate_that_is_killed_while_it_makes_the_index_is_completed_by_the_next(
    tmp_path: Path, injected: Injected
) -> None:
    points = Random(4).sample(changes(empty(tmp_path / "undisturbed")), 50)
    kill_at_each(points, empty(tmp_path / "made"))
    injected("kill -9 of the first populate of all at a call", 50, "all complete and clean")


def test_rows_are_written_when_the_bytes_and_the_name_are_durable(tmp_path: Path) -> None:
    undisturbed = filled(migrated(tmp_path / "undisturbed"))

    def published(name: str) -> list[Call]:
        part = f"segments/{name}.part"
        return [
            *(Call("write", part), Call("fsync", part), Call("rename", part)),
            Call("fsync", "segments"),
        ]

    commits = Call("pwrite64", "index.sqlite3-wal")
    expected = published("layout.json")
    for path in undisturbed.stored():
        expected += [*published(path.name), commits]
    order = (call for _, call in undisturbed.calls() if call in expected)
    assert [call for call, _ in groupby(order)] == expected


def test_files_are_deleted_when_it_is_durable_that_they_have_no_rows(tmp_path: Path) -> None:
    store = migrated(tmp_path / "data", upto=13_000, segment_bytes=500_000)
    assert store.run(store.populate()).returncode == 0
    names = ("pwrite64", "fdatasync", "fsync", "unlink")
    bounded = {"FIBO_STORE_BYTES": str(conf.MIN_STORE_BYTES)}
    prune = [*store.strace(names), sys.executable, "manage.py", "prune"]
    done = run(prune, store.data_dir, **store.variables, **bounded)
    assert done.returncode == 0, done.stderr
    calls = [call for _, call in store.calls()]
    deleted = [
        at
        for at, call in enumerate(calls)
        if call.name == "unlink" and re.fullmatch(r"segments/\d+\.txt", call.file)
    ]
    assert len(deleted) > 3
    log = "index.sqlite3-wal"
    commits = [at for at, call in enumerate(calls) if call == Call("pwrite64", log)]
    last_commit = max(at for at in commits if at < deleted[0])
    syncs = (Call("fdatasync", log), Call("fsync", log))
    assert any(call in syncs for call in calls[last_commit : deleted[0]])
    # No rows are deleted between the files, and then their names are durable.
    assert not any(deleted[0] < at < deleted[-1] for at in commits)
    assert Call("fsync", "segments") in calls[deleted[-1] :]


def test_two_populates_and_a_server_under_load_build_each_segment_once(
    tmp_path: Path, injected: Injected
) -> None:
    store = migrated(tmp_path / "data", upto=40_000, segment_bytes=1_000_000)
    # As `prepopulate` does, but that the log tells of each segment that was built.
    fill = (
        "from sequence.operations.populate import missing, segments;"
        " list(segments(missing(40_000), 4))"
    )
    command = [sys.executable, "manage.py", "shell", "--verbosity=0", f"--command={fill}"]
    asked = [*range(1000, 20_001, 1000)] * 5
    Random(4).shuffle(asked)
    with served(store.data_dir, **store.variables) as server, ThreadPoolExecutor(8) as pool:
        populates = [pool.submit(store.run, command) for _ in range(2)]
        for sn, body in zip(
            asked, pool.map(lambda sn: server.get(f"/?sn={sn}")[2], asked), strict=True
        ):
            assert body == oracle.text(0, sn)
        ended = [populate.result() for populate in populates]
        built = [built_in(log) for log in (server.log.read_text(), *(p.stderr for p in ended))]
    assert [populate.returncode for populate in ended] == [0, 0]
    assert all(built), "each of them has built some"
    assert sorted(chain(*built)) == list(range(len(store.names)))
    store.assert_clean()
    store.assert_completes()
    shares = ", ".join(str(len(numbers)) for numbers in built)
    injected(
        "a server under load and two populates at once", 3, f"built {shares}, none twice; clean"
    )
