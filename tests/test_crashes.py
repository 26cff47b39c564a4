"""A populate that is killed, at any moment and at every call that changes the store.

The rows are those of the list of faults: 26, 27, 28.
"""

import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from time import monotonic, sleep

import pytest

from tests.conftest import ROOT, environment, manage
from tests.faults import CHANGES, Call, Store

pytestmark = pytest.mark.drill

Injected = Callable[[str, int, str], None]

AT_ONCE = 2
"""How many stores are killed beside one another."""


@pytest.fixture
def made(tmp_path: Path) -> Store:
    """An empty store with an index, to be copied for each kill."""
    store = Store(tmp_path / "made", upto=500, segment_bytes=20_000)
    store.data_dir.mkdir()
    assert manage(store.data_dir, "migrate", "--verbosity=0").returncode == 0
    return store


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
    made: Store, injected: Injected, kills: int, upto: int, segment_bytes: int
) -> None:
    random, tmp_path = Random(4), made.data_dir.parent
    whole = replace(made, upto=upto, segment_bytes=segment_bytes)
    longest_s = length_s(whole.copy(tmp_path / "undisturbed"))
    shutil.rmtree(tmp_path / "undisturbed")
    killed = unfinished = 0
    while killed < kills:
        store = whole.copy(tmp_path / "killed")
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
    made: Store, injected: Injected
) -> None:
    tmp_path = made.data_dir.parent
    undisturbed = made.copy(tmp_path / "undisturbed")
    assert undisturbed.run_traced(CHANGES, undisturbed.populate()).returncode == 0
    points = undisturbed.points()
    kills = Counter(call.name for call, _ in points)
    assert {"write", "pwrite64", "fsync", "fdatasync", "rename", "unlink"} <= set(kills)
    # Each COMMIT is one of them.
    assert (Call("pwrite64", "index.sqlite3-wal"), 20) in points

    def kill(point: tuple[Call, int]) -> None:
        call, number = point
        store = made.copy(tmp_path / f"{call.name}-{Path(call.file).name}-{number}")
        fault = call.injected(store.data_dir, "signal=KILL", str(number))
        killed = store.run_traced([call.name], store.populate(), *fault)
        assert killed.returncode == -signal.SIGKILL, point
        store.assert_clean()
        store.assert_completes()
        shutil.rmtree(store.data_dir)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(kill, points))
    for name, times in kills.items():
        injected(f"kill -9 of a populate at each {name}", times, "all complete and clean")
