"""Ten minutes, or two, in which everything fails at random, and no answer is wrong.

STORM_S is how many seconds (120), STORM_SEED decides what fails when and what is asked.
"""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random
from time import monotonic

import psutil
import pytest

from sequence.store.store import published_name
from sequence.text.layout import Layout
from tests.support.comparing import Tally, ask_by_threads, met, some_windows
from tests.support.faults import Injected, disk
from tests.support.processes import manage
from tests.support.storm import BREAKING, SmallServer, Storm
from tests.support.waiting import soon

pytestmark = pytest.mark.drill

STORM_S = int(os.environ.get("STORM_S", "120"))
SEED = int(os.environ.get("STORM_SEED", "12"))

PRECIOUS = "not the service's"

PROCESSES, THREADS = 2, 8
BREAKS_AFTER_S = 5
"""How long after the end of a fault a connection may break by it, or be refused."""

SETTINGS = {"FIBO_SEGMENT_BYTES": "65536"}
OPERATOR = {
    "DJANGO_SUPERUSER_USERNAME": "operator",
    "DJANGO_SUPERUSER_EMAIL": "operator@example.org",
    "DJANGO_SUPERUSER_PASSWORD": "a password for storms",
}


def asked_during(storm: Storm, server: SmallServer) -> list[Tally]:
    """What clients in several processes met, which a storm ends with."""
    windows = some_windows(Random(SEED), 150)
    tags = met(server, windows)
    end = monotonic() + STORM_S
    seeds = [[SEED * 100 + p * THREADS + t for t in range(THREADS)] for p in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool, storm.raging():
        asking = [
            pool.submit(ask_by_threads, server.port, each, end, windows, tags) for each in seeds
        ]
        return [tally for each in asking for tally in each.result(STORM_S + 120)]


def unexplained(storm: Storm, tallies: list[Tally]) -> list[str]:
    """The connections that broke while nothing had happened that connections break by."""
    spans = [
        (each.began, each.ended + BREAKS_AFTER_S)
        for each in storm.happened
        if each.name in BREAKING
    ]
    return [
        told
        for tally in tallies
        for at, told in tally.broken
        if not any(began <= at <= ended for began, ended in spans)
    ]


def held(server: SmallServer) -> int:
    """How many sockets the workers hold that are no listeners, and how many segments."""
    count = 0
    # A worker that has ended holds nothing.
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        for worker in server.workers:
            for descriptor in Path(f"/proc/{worker.pid}/fd").iterdir():
                with suppress(OSError):
                    file = str(descriptor.readlink())
                    count += "/segments/" in file
            count += len(worker.net_connections("tcp")) - 1
    return count


@dataclass
class Findings:
    """What is not as it must be: all of it, as a storm is not soon repeated."""

    found: list[str] = field(default_factory=list)

    @contextmanager
    def checking(self, what: str) -> Iterator[None]:
        """Notes how the block fails, and goes on behind it."""
        try:
            yield
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            self.found.append(f"{what}: {error!s:.3000}")


def test_everything_fails_at_random_and_no_answer_is_wrong(
    tmp_path: Path, injected: Injected
) -> None:
    precious = tmp_path / "precious"
    precious.write_text(PRECIOUS)
    findings = Findings()
    with disk(tmp_path / "data", "64m") as data_dir:
        for command in (["prepopulate", "--upto=5000"], ["createsuperuser", "--noinput"]):
            made = manage(data_dir, *command, **SETTINGS, **OPERATOR)
            assert made.returncode == 0, made.stderr
        server = SmallServer(data_dir, **SETTINGS)
        try:
            assert server.get("/livez")[0] == 200, server.log.read_text()
            storm = Storm(server, SEED, precious)
            tallies = asked_during(storm, server)
            tell(storm, tallies, injected)
            look_at_answers(findings, storm, tallies)
            look_at_processes(findings, server)
        finally:
            server.kill()
        with findings.checking("tracebacks in the log"):
            # The last line of each.
            log = server.log.read_text()
            ends = Counter(re.findall(r"^(?:\w+\.)*\w+(?:Error|Exception)\b.*$", log, re.MULTILINE))
            # gunicorn's own, of a worker to which no descriptor was left to wait with.
            ends.pop("OSError: [Errno 24] Too many open files", None)
            assert not ends, f"{dict(ends)}, in {server.log}"
        look_at_data(findings, data_dir)
        with findings.checking("what a link led to"):
            assert precious.read_text() == PRECIOUS
    told = "\n".join(findings.found)
    assert not findings.found, f"seed {SEED}: {len(findings.found)} findings\n{told}"


def look_at_answers(findings: Findings, storm: Storm, tallies: list[Tally]) -> None:
    """No answer was wrong, no connection broke without a reason, and no client was left waiting."""
    findings.found += [each for tally in tallies for each in tally.wrong]
    findings.found += unexplained(storm, tallies)
    with findings.checking("answers"):
        answers = [tally.right for tally in tallies]
        assert min(answers) > STORM_S, answers


def look_at_processes(findings: Findings, server: SmallServer) -> None:
    """Nothing is held when all clients are gone, and nothing is there when the server is."""
    with findings.checking("workers"):
        soon(2, lambda: len(server.workers))
    with findings.checking("sockets and segments that are still open"):
        soon(0, lambda: held(server))
    workers = server.workers
    # Its shared memory can still be looked at when the last process in there is gone.
    shared_memory = os.open(server.shared_memory, os.O_RDONLY)
    try:
        with findings.checking("the server's end"):
            assert server.stop() == 0
        with findings.checking("its end leaves processes"):
            assert not [worker for worker in workers if worker.is_running()]
        with findings.checking("its end leaves shared memory"):
            assert [*Path(f"/proc/self/fd/{shared_memory}").iterdir()] == []
    finally:
        os.close(shared_memory)


def look_at_data(findings: Findings, data_dir: Path) -> None:
    """One repair puts all right that is stored, and the account is there."""
    with findings.checking("verify --repair"):
        repaired = manage(data_dir, "verify", "--repair", **SETTINGS)
        assert repaired.returncode == 0, (repaired.stdout + repaired.stderr)[-2000:]
    with findings.checking("verify"):
        verified = manage(data_dir, "verify", **SETTINGS)
        assert verified.returncode == 0, (verified.stdout + verified.stderr)[-2000:]
    with findings.checking("what builders left behind"):
        names = (path.name for path in (data_dir / "segments").iterdir())
        layout = Layout(int(SETTINGS["FIBO_SEGMENT_BYTES"]))
        # What has a foreign name is somebody else's, and let alone.
        made = ((name, published_name(name)) for name in names)
        assert [name for name, of in made if of and layout.is_name(of)] == []
    with findings.checking("the account"):
        again = manage(data_dir, "createsuperuser", "--noinput", **SETTINGS, **OPERATOR)
        assert "already taken" in again.stderr, again.stdout + again.stderr


def tell(storm: Storm, tallies: list[Tally], injected: Injected) -> None:
    """Tells what was injected, and what came of all requests."""
    times = Counter(each.name for each in storm.happened)
    for name in sorted(times | storm.impossible):
        injected(f"storm {SEED}: {name}", times[name], f"{storm.impossible[name]} not possible")
    outcomes = sum((tally.outcomes for tally in tallies), Counter[str]())
    for outcome, count in sorted(outcomes.items()):
        injected(f"storm {SEED}: requests", count, outcome)
