"""Compare fetching segments from the object store that the settings name with computing them, and
with reading them from this host's disk; each alone, and four at once."""

import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import django

from benchmarks.lib.bench import Options, in_turn, report, scratch_directory, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fibosite.settings")
django.setup()

from django.conf import settings  # noqa: E402

from sequence import conf  # noqa: E402
from sequence.store.bucket import Clients, SegmentBucket  # noqa: E402
from sequence.store.checksum import BlockChecksums  # noqa: E402
from sequence.store.directory import SegmentDirectory  # noqa: E402
from sequence.store.store import Segments  # noqa: E402
from sequence.text.compute import compute_bytes, compute_terms  # noqa: E402
from sequence.text.layout import Layout, Planned  # noqa: E402
from sequence.text.span import Span  # noqa: E402

SEGMENTS = 16
AT_ONCE = 4
FAR = {
    "to the 100,000th": 0,
    "before the millionth": 1_000_000,
    "before the 10,000,000th": 10_000_000,
}
"""What is fetched, and the term before which it ends."""


def planned_before(n: int) -> list[Planned]:
    """So many segments up to term n, or the first ones."""
    plan = Layout(conf.SEGMENT_BYTES)
    last = plan.segment_of(n) if n else SEGMENTS
    return [plan.planned(number) for number in range(last - SEGMENTS, last)]


def used(chunks: Iterable[bytes]) -> None:
    """Take the chunks, and do nothing with them."""
    for _ in chunks:
        pass


class Sides:
    """The ways by which the bytes of segments come, with the CPU time that each of them took."""

    def __init__(self, segments: list[Planned], bucket: Segments, directory: Segments) -> None:
        self.segments, self.bucket, self.directory = segments, bucket, directory
        self.checksums = {each.name: _checksums(each) for each in segments}
        self.cpu: dict[str, float] = {}

    def fetched(self, each: Planned) -> None:
        """From the object store, checked."""
        self._read(self.bucket, each)

    def stored(self, each: Planned) -> None:
        """From this host's disk, checked."""
        self._read(self.directory, each)

    def computed(self, each: Planned) -> None:
        """From arithmetic."""
        used(compute_bytes(each.span))

    def _read(self, store: Segments, each: Planned) -> None:
        whole = Span(0, each.length_bytes)
        used(store.read_checked(each.name, whole, self.checksums[each.name]))

    def all(self, how: Callable[[Planned], None], at_once: int, name: str) -> float:
        """The seconds that all segments take."""
        began, cpu = perf_counter(), process_time()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(how, self.segments))
        self.cpu[name] = min(self.cpu.get(name, 1e9), process_time() - cpu)
        return perf_counter() - began


def _checksums(each: Planned) -> bytes:
    summing = BlockChecksums()
    for piece in compute_terms(each.terms):
        summing.update(piece)
    return summing.digest()


def compare(
    title: str, segments: list[Planned], bucket: Segments, scratch: Path, rounds: int
) -> None:
    """Stores the segments in both places, measures, prints, and removes them."""
    directory = SegmentDirectory(scratch / "segments")
    directory.path.mkdir()
    total_bytes = sum(each.length_bytes for each in segments)
    ours: list[Segments] = [bucket, directory]
    try:
        for each in segments:
            for store in ours:
                store.publish(each.name, compute_terms(each.terms))
        sides = Sides(segments, bucket, directory)
        ways = {"computed": sides.computed, "stored here": sides.stored, "fetched": sides.fetched}
        named = {
            f"{name}, {at_once} at once": partial(
                sides.all, how, at_once, f"{name}, {at_once} at once"
            )
            for at_once in (1, AT_ONCE)
            for name, how in ways.items()
        }
        taken = in_turn(named, rounds)
        report(title, taken, f"computed, {AT_ONCE} at once", total_bytes)
        rows = [[name, f"{cpu / total_bytes * 1e9:.2f}"] for name, cpu in sides.cpu.items()]
        table("CPU seconds of this process for a GB", ["side", "s"], rows)
    finally:
        for each in segments:
            bucket.remove(each.name)
        shutil.rmtree(directory.path)


ROUNDS = 5


def main(options: Options) -> None:
    """Measure and print."""
    place = settings.FIBO_OBJECT_STORE
    if not place:
        raise SystemExit(
            "FIBO_OBJECT_STORE is unset: `make cluster`, then `python -m tools.cluster run …`."
        )
    with scratch_directory(options.directory) as scratch:
        bucket = SegmentBucket(
            Clients.connect(place.endpoint_url), place.bucket, "benchmark", scratch
        )
        for title, n in FAR.items():
            compare(
                f"{SEGMENTS} segments {title}", planned_before(n), bucket, scratch, options.rounds
            )
