"""A populate that is killed, at any moment and at every call that changes the store.

The rows are those of the list of faults: 26, 27, 28.
"""

import shutil
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

from tests import oracle
from tests.conftest import ROOT, environment, served
from tests.faults import AT_ONCE, CHANGES, Call, Injected, Store, migrated
from tests.test_serving import built_in

pytestmark = pytest.mark.drill


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
    random, made = Random(4), migrated(tmp_path / "made", upto, segment_bytes)
    longest_s = length_s(made.copy(tmp_path / "undisturbed"))
    shutil.rmtree(tmp_path / "undisturbed")
    killed = unfinished = 0
    while killed < kills:
        store = made.copy(tmp_path / "killed")
        process = begin(store)
        sleep(random.uniform(0, longest_s))
        process.kill()
        # Some have ended before, as no two runs take the same time.
        if process.wait(10) == -signal.SIGKILL:
            killed += 1
            unfinished += bool(store.left())
            store.assert_clean()
            store.assert_completes()
        shutil.rmtree(store.data_dir)
    assert unfinished > kills / 2
    injected(
        f"kill -9 of a populate of {upto:,} terms",
        killed,
        f"{unfinished} in the midst of a segment; all complete and clean",
    )


def test_a_populate_that_is_killed_at_any_call_is_completed_by_the_next(
    tmp_path: Path, injected: Injected
) -> None:
    made = migrated(tmp_path / "made")
    undisturbed = made.filled(tmp_path / "undisturbed")
    points = [(call, number) for call, number in undisturbed.points() if call.name in CHANGES]
    kills = Counter(call.name for call, _ in points)
    assert {"write", "pwrite64", "fsync", "fdatasync", "rename", "unlink"} <= set(kills)
    # Each COMMIT is one of them.
    assert (Call("pwrite64", "index.sqlite3-wal"), 20) in points

    def kill(point: tuple[Call, int]) -> None:
        call, number = point
        store = made.copy(tmp_path / f"{call.name}-{Path(call.file).name}-{number}")
        fault = call.injected(store.data_dir, "signal=KILL", str(number))
        killed = store.run([*store.strace([call.name], *fault), *store.populate()])
        assert killed.returncode == -signal.SIGKILL, point
        store.assert_clean()
        store.assert_completes()
        shutil.rmtree(store.data_dir)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(kill, points))
    for name, times in kills.items():
        injected(f"kill -9 of a populate at each {name}", times, "all complete and clean")


def test_rows_are_written_when_the_bytes_and_the_name_are_durable(tmp_path: Path) -> None:
    undisturbed = migrated(tmp_path / "made").filled(tmp_path / "undisturbed")

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


def test_two_populates_and_a_server_under_load_build_each_segment_once(
    tmp_path: Path, injected: Injected
) -> None:
    store = migrated(tmp_path / "data", upto=40_000, segment_bytes=1_000_000)
    # As `prepopulate` does, but that the log tells of each segment that was built.
    fill = "from sequence.populate import missing, populate; list(populate(missing(40_000), 4))"
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
