"""Segments are damaged while they stream: the client has the right bytes, and the store too."""

import hashlib
import random
from collections import Counter
from pathlib import Path
from time import sleep

import pytest

from sequence import conf
from sequence.text.layout import Layout
from tests.support.faults import Injected, emptied_on_disk, flip_on_disk
from tests.support.metrics import scraped, value
from tests.support.processes import manage
from tests.support.reference import LENGTH, SHA256
from tests.support.servers import Serve, Server, sha256_of
from tests.support.waiting import again_and_again

pytestmark = pytest.mark.drill


class Vandal:
    """Cuts, deletes and changes stored segments, each time another one."""

    def __init__(self, segments: Path, seed: int) -> None:
        self.segments, self.rng = segments, random.Random(seed)
        self.done = Counter[str]()

    def strike(self) -> None:
        """Damages one segment."""
        paths = sorted(self.segments.glob("*.txt"))
        if not paths:
            return  # all are deleted, behind the reader
        path = self.rng.choice(paths)
        how = self.rng.choice(["cut", "deleted", "changed in a bit"])
        try:
            self._damage(path, how)
        except FileNotFoundError:
            return  # it is gone, or was cut to nothing, and is being repaired
        self.done[how] += 1

    def _damage(self, path: Path, how: str) -> None:
        length = path.stat().st_size
        if not length:
            raise FileNotFoundError(path)
        at = self.rng.randrange(length)
        if how == "deleted":
            path.unlink()
            return
        if how == "cut":
            emptied_on_disk(path)
        else:
            flip_on_disk(path, 8 * at + self.rng.randrange(8))


def read_slowly(server: Server) -> tuple[int, str]:
    """Length and hash of 100,000 terms, read at some 200 MB/s."""
    digest, length, buffer = hashlib.sha256(), 0, memoryview(bytearray(1 << 20))
    with server.asked("/?sn=100000") as response:
        while count := response.readinto(buffer):
            digest.update(buffer[:count])
            length += count
            sleep(0.004)
    return length, digest.hexdigest()


def test_a_hundred_thousand_terms_are_right_while_their_segments_are_damaged(
    serve: Serve, injected: Injected
) -> None:
    end = Layout(conf.SEGMENT_BYTES).terms(15).stop
    server = serve(FIBO_MAX_SN=str(end))
    assert manage(server.data_dir, "prepopulate", "--upto=100000").returncode == 0
    vandal = Vandal(server.data_dir / "segments", seed=31)
    for _ in range(3):
        with again_and_again(vandal.strike, every_s=0.2):
            assert read_slowly(server) == (LENGTH, SHA256)
    assert min(vandal.done[how] for how in ("cut", "deleted", "changed in a bit")) >= 3
    assert value(scraped(server), "fibo_store_healed_total") >= 3
    # What was damaged behind the reader is found by the next one, to the end of the last segment.
    assert sha256_of(server, "/?sn=100000") == SHA256
    assert server.get(f"/?sn={end - 100_000}&start=100000")[0] == 200
    healed = value(scraped(server), "fibo_store_healed_total")
    assert server.stop() == 0
    log = server.log.read_text()
    # One line a segment and minute.
    assert 1 <= log.count(" is repaired.") <= healed
    assert "Traceback" not in log
    verified = manage(server.data_dir, "verify")
    assert verified.returncode == 0, verified.stdout
    for how, count in vandal.done.items():
        injected(f"a segment {how} while 100,000 terms stream", count, "right hash, repaired")
