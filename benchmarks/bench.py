"""What the benchmarks share: sides measured in turn, medians, ratios, and where they ran."""

import hashlib
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

TERMS = 100_000
TEXT_BYTES = 1_045_042_806
TEXT_SHA256 = "5942de99973c024e6d435cb587078b2cfbc673d387644bdc7f6cd47383852c8f"
WHOLE = f"/?sn={TERMS}"

GUNICORN = (sys.executable, "-m", "gunicorn", "--config=fibosite/gunicorn.conf.py")

WRITE_AND_SYNC = """
import os, sys
block = bytes(range(256)) * 4096
left = int(sys.argv[2])
with open(sys.argv[1], "wb", buffering=0) as file:
    while left:
        left -= file.write(block[:left])
    os.fsync(file.fileno())
"""


def parser(description: str | None, rounds: int) -> ArgumentParser:
    """A parser of what every benchmark takes."""
    result = ArgumentParser(description=description)
    result.add_argument("--rounds", type=int, default=rounds)
    result.add_argument(
        "--directory", type=Path, help="where to make the scratch directory, on the disk to measure"
    )
    return result


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
    """Prints a table in markdown."""
    print(f"\n## {title}\n")
    for cells in (columns, ["---"] * len(columns), *rows):
        print(f"| {' | '.join(cells)} |")
    sys.stdout.flush()


def report(title: str, taken: Mapping[str, list[float]], against: str, nbytes: int) -> None:
    """Prints a table: median, spread, rate, and the median as a ratio to that of one side."""
    base = statistics.median(taken[against])
    rows = []
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        spread = f"{min(seconds):.3f} – {max(seconds):.3f}"
        rate = f"{nbytes / median / 1e9:.2f}"
        rows.append([name, f"{median:.3f}", spread, rate, f"{median / base:.3f}"])
    table(title, ["side", "median s", "from – to s", "GB/s", f"× {against}"], rows)


def report_first_bytes(title: str, taken: Mapping[str, list[float]]) -> None:
    """Prints a table: the time to the first byte in ms, median and spread."""
    rows = [
        [
            name,
            f"{1e3 * statistics.median(seconds):.1f}",
            f"{1e3 * min(seconds):.1f} – {1e3 * max(seconds):.1f}",
        ]
        for name, seconds in taken.items()
    ]
    table(title, ["side", "first byte: median ms", "from – to ms"], rows)


def heading() -> None:
    """Prints when, where and by which command."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    revision = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    print(f"# {Path(sys.argv[0]).name}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n")
    print(
        f"`python benchmarks/{' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}` at {revision}; "
    )
    print(f"{os.cpu_count()} × {cpu}, {platform.system()} {platform.release()}, ")
    print(f"Python {platform.python_version()}", flush=True)


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """The environment of a process that uses this data directory and defaults for the rest."""
    ours = ("FIBO_", "DJANGO_", "PORT", "WEB_CONCURRENCY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"FIBO_DATA_DIR": str(data_dir)} | variables


def manage(data_dir: Path, *arguments: str) -> None:
    """Runs `manage.py` as a process of its own."""
    subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data_dir),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def new_store(data_dir: Path, upto: int = 0) -> Path:
    """Makes a data directory that holds the first `upto` terms, or nothing; returns it."""
    data_dir.mkdir()
    manage(data_dir, "migrate", "--verbosity=0")
    if upto:
        manage(data_dir, "prepopulate", f"--upto={upto}")
    return data_dir


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
    """A running gunicorn."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port, self.process = port, process

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return psutil.Process(self.process.pid).children()


@contextmanager
def served(
    data_dir: Path, *arguments: str, root: Path = ROOT, **variables: str
) -> Iterator[Server]:
    """Our gunicorn on a free loopback port; the arguments override its configuration.

    `root` is where its code lies.
    """
    log = data_dir.with_suffix(".log")
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener, log.open("ab") as errors:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [*GUNICORN, f"--bind=fd://{listener.fileno()}", *arguments],
            cwd=root,
            env=environment(data_dir, **variables),
            pass_fds=[listener.fileno()],
            stderr=errors,
        )
    try:
        # The listener was there before the server: the first request waits until it is up.
        assert get(port, "/livez")[0] == 200, log.read_text()
        yield Server(port, process)
    finally:
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
