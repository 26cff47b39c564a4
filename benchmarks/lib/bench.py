"""What the benchmarks share: sides measured in turn, ratios, targets, and where they ran."""

import hashlib
import io
import math
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
MIB = 1024 * 1024

MAX_SN = 1_000_000
STORE_BYTES = 2 * 1024 * MIB
NOT_GROWN = 1.1
"""How many times its memory a worker may have for ten times as many terms."""

TERMS = 100_000
TEXT_BYTES = 1_045_042_806
TEXT_SHA256 = "5942de99973c024e6d435cb587078b2cfbc673d387644bdc7f6cd47383852c8f"
WHOLE = f"/?sn={TERMS}"

CONFIG = "fibosite/gunicorn.conf.py"

WRITE_AND_SYNC = """
import os, sys
block = bytes(range(256)) * 4096
left = int(sys.argv[2])
with open(sys.argv[1], "wb", buffering=0) as file:
    while left:
        left -= file.write(block[:left])
    os.fsync(file.fileno())
"""

WITH_COMPILER = "benchmarks.lib.with_compiler"
"""The application, for `served`, whose workers have compiled the adder before they answer."""

ORIGINAL_CONF = """
wsgi_app = "benchmarks.lib.original:app"
worker_class = "fibosite.worker.ThreadWorker"
workers = 2
threads = 16
worker_connections = 1000
preload_app = True
keepalive = 5
control_socket_disable = True
"""
"""gunicorn's configuration for the original, as ours is."""


class Options(Namespace):
    """What a topic is told by the command line."""

    topics: list[str]
    rounds: int
    only: str
    before: str | None
    directory: Path | None
    patience: float
    print_only: bool
    plots: bool


def program(name: str, package: str) -> str:
    """The path of a peer's program; Debian's package is installed if it is missing."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    if not shutil.which(name, path=path):
        assert os.geteuid() == 0, f"{name} is missing: install Debian's package {package}."
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", package]):
            subprocess.run(["apt-get", *arguments], stdout=subprocess.DEVNULL, check=True)  # noqa: S607
    found = shutil.which(name, path=path)
    assert found, name
    return found


@contextmanager
def scratch_directory(inside: Path | None) -> Iterator[Path]:
    """A directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=inside, prefix="fibo-bench-") as name:
        yield Path(name)


def in_turn(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """The seconds that each side took in each round; a round before the first is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, run in sides.items():
            seconds = run()
            if number:
                taken[name].append(seconds)
    return taken


def streams_in_turn(
    sides: Mapping[str, Callable[[], tuple[float, float]]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """`in_turn` for sides that return the seconds to their first and to their last byte."""
    firsts: dict[str, list[float]] = {name: [] for name in sides}

    def last(name: str, run: Callable[[], tuple[float, float]]) -> Callable[[], float]:
        def noted() -> float:
            first_byte, last_byte = run()
            firsts[name].append(first_byte)
            return last_byte

        return noted

    lasts = in_turn({name: last(name, run) for name, run in sides.items()}, rounds)
    return {name: seconds[1:] for name, seconds in firsts.items()}, lasts


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in markdown."""
    print(f"\n## {title}\n")
    for cells in (columns, ["---"] * len(columns), *rows):
        print(f"| {' | '.join(cells)} |")
    sys.stdout.flush()


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """How many times one side's figures are the other's, round by round."""
    return [a / b for a, b in zip(over, under, strict=True)]


class Target(NamedTuple):
    """What is asked of a figure, and what each round found: a ratio unless a unit is named."""

    what: str
    found: Sequence[float]
    at_least: float = -math.inf
    at_most: float = math.inf
    unit: str = "times"

    def meets(self, figure: float) -> bool:
        """Whether the figure is within the target."""
        return self.at_least <= figure <= self.at_most

    def row(self) -> list[str]:
        """The cells of its row in `judge`'s table."""
        middle = statistics.median(self.found)
        if self.meets(middle):
            reached = "yes"
        else:
            reached = "in some rounds" if any(map(self.meets, self.found)) else "no"
        asked = (
            f"at most {self.at_most:g}"
            if math.isfinite(self.at_most)
            else f"at least {self.at_least:g}"
        )
        spread = f"{min(self.found):.3g} – {max(self.found):.3g}"
        return [self.what, f"{asked} {self.unit}", f"{middle:.3g}", spread, reached]


JUDGED = "Against the targets"


def judge(*targets: Target) -> None:
    """Print a table: each target, the median of what was measured, the spread, and the verdict."""
    columns = ["figure", "target", "measured", "from – to", "reached"]
    table(JUDGED, columns, [target.row() for target in targets])


def report(title: str, taken: Mapping[str, list[float]], against: str, nbytes: int) -> None:
    """Print a table: median, spread, rate, and the median as a ratio to that of one side."""
    base = statistics.median(taken[against])
    rows = []
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        spread = f"{min(seconds):.3f} – {max(seconds):.3f}"
        rate = f"{nbytes / median / 1e9:.2f}"
        rows.append([name, f"{median:.3f}", spread, rate, f"{median / base:.3f}"])
    table(title, ["side", "median s", "from – to s", "GB/s", f"× {against}"], rows)


def report_first_bytes(title: str, taken: Mapping[str, list[float]]) -> None:
    """Print a table: the time to the first byte in ms, median and spread."""
    rows = [
        [
            name,
            f"{1e3 * statistics.median(seconds):.1f}",
            f"{1e3 * min(seconds):.1f} – {1e3 * max(seconds):.1f}",
        ]
        for name, seconds in taken.items()
    ]
    table(title, ["side", "first byte: median ms", "from – to ms"], rows)


def print_heading(topic: str) -> None:
    """Print the topic, when and where it runs, and by which command."""
    cpu = re.search(r"(?m)^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text())
    revision = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    print(f"# {topic}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n")
    print(f"`python -m benchmarks {' '.join(sys.argv[1:])}` at {revision}; ")
    processor = cpu[1] if cpu else platform.machine()
    print(f"{os.cpu_count()} × {processor}, {platform.system()} {platform.release()}, ")
    load = f"{os.getloadavg()[0]:.2f}"
    print(f"Python {platform.python_version()}; load before {load}", flush=True)


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """The environment of a process that uses this data directory and defaults for the rest."""
    ours = ("FIBO_", "DJANGO_", "PORT", "WEB_CONCURRENCY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"FIBO_DATA_DIR": str(data_dir)} | variables


def manage(data_dir: Path, *arguments: str, **variables: str) -> None:
    """Run `manage.py` as a process of its own."""
    subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data_dir, **variables),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def new_store(data_dir: Path, upto: int = 0, **variables: str) -> Path:
    """Make a data directory that holds the first `upto` terms, or nothing; return it."""
    data_dir.mkdir()
    manage(data_dir, "migrate", "--verbosity=0", **variables)
    if upto:
        manage(data_dir, "prepopulate", f"--upto={upto}", **variables)
    return data_dir


@contextmanager
def copied(store: Path) -> Iterator[Path]:
    """Yield a copy of the data directory, which is removed afterwards."""
    copy = store.with_name("copy")
    shutil.copytree(store, copy)
    try:
        # What the side before has left for the disk to do is not this one's.
        os.sync()
        yield copy
    finally:
        shutil.rmtree(copy)


def checkout(revision: str, directory: Path) -> Path:
    """The files of a revision, unpacked into the directory, which is made; return it."""
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision],  # noqa: S607
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(directory, filter="data")
    return directory


def seconds_of(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """How long the process ran."""
    started = perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - started


def write_and_sync(path: Path) -> float:
    """The seconds that a process takes to write and sync as many bytes as the text has."""
    path.unlink(missing_ok=True)
    command = [sys.executable, "-c", WRITE_AND_SYNC, str(path), str(TEXT_BYTES)]
    return seconds_of(command, os.environ)


class Server:
    """A running server."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port, self.process = port, process

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return psutil.Process(self.process.pid).children()

    def cpu_seconds(self) -> float:
        """The CPU time of all of its processes so far."""
        processes = [psutil.Process(self.process.pid), *self.workers()]
        return sum(sum(process.cpu_times()[:2]) for process in processes)


@contextmanager
def served(
    data_dir: Path,
    *arguments: str,
    root: Path = ROOT,
    config: str = CONFIG,
    listener: socket.socket | None = None,
    **variables: str,
) -> Iterator[Server]:
    """gunicorn on a free loopback port or the listener; the arguments override its configuration.

    `root` is where its code lies. It is ours, and asked whether it is up, unless `config` is
    another one or the listener is out of our reach.
    """
    ours = config == CONFIG and listener is None
    log = data_dir.with_suffix(".log")
    with listener or listening() as socket_, log.open("ab") as errors:
        port = socket_.getsockname()[1]
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", f"--config={config}"),
                *(f"--bind=fd://{socket_.fileno()}", *arguments),
            ],
            cwd=root,
            env=environment(data_dir, **variables),
            pass_fds=[socket_.fileno()],
            stderr=errors,
        )
    try:
        # The listener was there before the server: the first request waits until it is up.
        assert not ours or get(port, "/livez")[0] == 200, log.read_text()
        yield Server(port, process)
    finally:
        stop(process)


def memory_bytes(worker: psutil.Process, name: str) -> int:
    """Return one of the process's memory counts in bytes (proc_pid_status(5)).

    VmRSS: resident; VmHWM: its peak since `forget_peak`; RssFile: what of it is mapped files,
    such as a library's code, that the kernel may drop.
    """
    lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def forget_peak(worker: psutil.Process) -> None:
    """Make what the process has now its peak."""
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")


def served_limited(data_dir: Path) -> AbstractContextManager[Server]:
    """Serve up to MAX_SN terms by one worker whose store may grow to STORE_BYTES."""
    return served(
        data_dir, WEB_CONCURRENCY="1", FIBO_MAX_SN=str(MAX_SN), FIBO_STORE_BYTES=str(STORE_BYTES)
    )


def listening(address: str = "127.0.0.1") -> socket.socket:
    """A socket that listens at a free port."""
    return socket.create_server((address, 0), backlog=1024)


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def get(port: int, target: str) -> tuple[int, str]:
    """The status of the answer, and the SHA-256 of its body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        digest = hashlib.sha256()
        while chunk := response.read(1024 * 1024):
            digest.update(chunk)
        return response.status, digest.hexdigest()
    finally:
        connection.close()


def curl(port: int, target: str, expected_bytes: int, *options: str) -> tuple[float, float]:
    """The seconds to the first and to the last byte of the answer, as curl counts them."""
    shown = "%{time_starttransfer} %{time_total} %{http_code} %{size_download}"
    url = f"http://127.0.0.1:{port}{target}"
    printed = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", shown, *options, url],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert printed[2:] == ["200", str(expected_bytes)], printed
    return float(printed[0]), float(printed[1])
