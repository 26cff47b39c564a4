"""A store that may not grow: it keeps to its room, and serves what is fifty times as large."""

import os
import random
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from time import monotonic

import gmpy2
import psutil
import pytest
from isal import isal_zlib

from sequence.coding.coding import CODINGS
from sequence.text.compute import compute_terms
from sequence.text.format import FORMATS
from sequence.text.layout import offset
from sequence.text.span import Span
from tests.support import oracle
from tests.support.decoding import decoded
from tests.support.faults import Injected
from tests.support.processes import manage
from tests.support.servers import Serve, Server, served
from tests.support.waiting import again_and_again

pytestmark = pytest.mark.drill


MILLION = 10**6
MILLION_BYTES = 104_494_866_149


def used_bytes(data_dir: Path) -> int:
    """What the data directory takes of the disk, the index and its log of changes among it."""
    used = 0
    for path in data_dir.rglob("*"):
        try:
            used += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue  # removed meanwhile
    return used


def test_a_store_keeps_to_its_budget_while_everybody_fills_it(
    serve: Serve, injected: Injected
) -> None:
    limit = 32 << 20
    server = serve(FIBO_STORE_BYTES=str(limit), FIBO_SEGMENT_BYTES="500000", WEB_CONCURRENCY="3")
    samples: list[int] = []
    windows = ((0, 20_000), (5000, 9000), (16_000, 19_000))
    expected = {
        (window, name): oracle.written(name, *window) for window in windows for name in FORMATS
    }
    asked = [(each, coding) for each in expected for coding in ("identity", *CODINGS)] * 2
    random.Random(5).shuffle(asked)

    def answered(asking: tuple[tuple[tuple[int, int], str], str]) -> bool:
        ((start, stop), name), coding = asking
        target = f"/?sn={stop - start}&start={start}&format={name}"
        status, headers, body = server.get(target, Accept_Encoding=coding)
        assert (status, headers.get("Content-Encoding", "identity")) == (200, coding)
        return decoded(body, coding) == expected[asking[0]]

    with again_and_again(lambda: samples.append(used_bytes(server.data_dir)), every_s=0.02):
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(answered, asked))
        assert manage(server.data_dir, "prepopulate", **server_variables(limit)).returncode == 0
    assert len(samples) > 50
    assert limit * 0.6 < max(samples) <= limit
    stored = sorted(path.name for path in (server.data_dir / "segments").glob("*.txt"))
    assert stored == [f"{number:08}.txt" for number in range(len(stored))]
    assert server.get("/?sn=20000")[2] == expected[windows[0], "text"]
    assert server.stop() == 0
    verified = manage(server.data_dir, "verify", **server_variables(limit))
    assert verified.returncode == 0, verified.stdout
    outcome = f"{max(samples) / 2**20:.1f} of {limit >> 20} MiB used at most"
    injected("a request for more than the store may keep", len(asked), outcome)


def server_variables(limit: int) -> dict[str, str]:
    """The settings of the store that is filled."""
    return {"FIBO_STORE_BYTES": str(limit), "FIBO_SEGMENT_BYTES": "500000"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 GiB."""
    if os.geteuid():
        pytest.skip("only root may mount a disk of 2 GiB")
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", path], check=True)  # noqa: S607
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)  # noqa: S607


def disk_used(path: Path) -> int:
    """How many bytes of the disk are taken."""
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


class Watched:
    """The most memory and disk that a server took while it was looked at."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.memory_bytes = self.disk_bytes = self.samples = 0

    def look(self) -> None:
        """Looks once; memory that processes share counts once."""
        master = psutil.Process(self.server.process.pid)
        processes = [master, *master.children(recursive=True)]
        pss = sum(process.memory_full_info().pss for process in processes)
        self.memory_bytes = max(self.memory_bytes, pss)
        self.disk_bytes = max(self.disk_bytes, disk_used(self.server.data_dir))
        self.samples += 1


class Checked:
    """What is received: its length, its CRC-32, and the terms at some places."""

    def __init__(self, places: list[int]) -> None:
        self.length = self.crc = self.right = 0
        self._places = [(offset(n), offset(n + 1), n) for n in sorted(places, reverse=True)]
        self._held = b""

    def take(self, chunk: memoryview) -> None:
        """Takes the next bytes."""
        start, self.length = self.length, self.length + len(chunk)
        self.crc = isal_zlib.crc32(chunk, self.crc)
        while self._places and self._places[-1][0] < self.length:
            begin, end, n = self._places[-1]
            self._held += chunk[max(begin - start, 0) : end - start]
            if self.length < end:
                return
            assert self._held == gmpy2.fib(n).digits().encode() + b" ", n
            self._places.pop()
            self._held = b""
            self.right += 1


def streamed(server: Server, target: str, checked: Checked) -> float:
    """Reads an answer into what checks it; returns how many seconds that took."""
    started = monotonic()
    buffer = memoryview(bytearray(1 << 20))
    with server.asked(target) as response:
        assert response.status == 200
        assert response.headers["Content-Length"] == str(MILLION_BYTES)
        while count := response.readinto(buffer):
            checked.take(buffer[:count])
    return monotonic() - started


def crc_of_added(terms: Span) -> tuple[int, int]:
    """CRC-32 and length of the text by the additions alone, in pieces of another length."""
    crc = length = 0
    for piece in compute_terms(terms, 5_000_000):
        crc = isal_zlib.crc32(piece, crc)
        length += len(piece)
    return crc, length


def added_in_parts(parts: int) -> int:
    """CRC-32 of the first million terms, each part begun by fast doubling."""
    bounds = [round(MILLION * (part / parts) ** 0.5) for part in range(parts + 1)]
    spans = [Span(*pair) for pair in pairwise(bounds)]
    with ThreadPoolExecutor(2) as pool:
        crc = 0
        for part_crc, length in pool.map(crc_of_added, spans):
            crc = isal_zlib.crc32_combine(crc, part_crc, length)
    return crc


def test_a_million_terms_are_served_whole_from_two_gigabytes_of_disk(
    small_disk: Path, injected: Injected
) -> None:
    limit = (2 << 30) - (48 << 20)
    assert offset(MILLION) == MILLION_BYTES
    rng = random.Random(6)
    checked = Checked([0, 1, MILLION - 1, *rng.sample(range(2, MILLION - 1), 300)])
    settings = {"FIBO_STORE_BYTES": str(limit), "FIBO_MAX_SN": str(MILLION)}
    with served(small_disk, **settings) as server:
        watched = Watched(server)
        with again_and_again(watched.look, every_s=0.2):
            seconds = streamed(server, f"/?sn={MILLION}", checked)
            assert (checked.length, checked.right) == (MILLION_BYTES, 303)
            far = b"".join(gmpy2.fib(n).digits().encode() + b" " for n in range(999_000, MILLION))
            for coding in ("identity", *CODINGS):
                target = "/?start=999000&sn=1000"
                status, headers, body = server.get(target, Accept_Encoding=coding)
                assert (status, headers.get("Content-Encoding", "identity")) == (200, coding)
                assert decoded(body, coding) == far
        assert watched.samples > 50
        assert watched.memory_bytes < 512 << 20
        assert limit // 2 < watched.disk_bytes <= limit
        assert server.stop() == 0
        assert "ERROR" not in server.log.read_text()
    assert added_in_parts(8) == checked.crc
    outcome = (
        f"{MILLION_BYTES:,} bytes right in {seconds:.0f} s, "
        f"{MILLION_BYTES / seconds / 1e9:.2f} GB/s, "
        f"{watched.memory_bytes >> 20} MiB of memory, {watched.disk_bytes >> 20} MiB of disk"
    )
    injected("sn=1000000 on a disk of 2 GiB", 1, outcome)
