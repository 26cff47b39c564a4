"""Compare our gunicorn with nginx and caddy, two workers each: 100,000 stored terms sent over
loopback to 1, 8 and 64 clients at once.

A client is a process that receives into one MiB of memory; the same for all sides. What CPU time
clients and server took is told, as they share the cores.
"""

import statistics
from contextlib import ExitStack
from functools import partial

from benchmarks.lib import plots
from benchmarks.lib.bench import (
    TERMS,
    TEXT_BYTES,
    TEXT_SHA256,
    WHOLE,
    Options,
    Server,
    Target,
    get,
    judge,
    new_store,
    ratios,
    report,
    report_first_bytes,
    scratch_directory,
    served,
    streams_in_turn,
    table,
)
from benchmarks.lib.clients import Streamed, stream
from benchmarks.lib.peers import WORKERS, caddy, join, nginx

CLIENTS = {1: 1.0, 8: 1.0, 64: 0.9}
"""How many clients at once, and how much of nginx's throughput is asked of us."""

Side = tuple[Server, str]


def compare(sides: dict[str, Side], count: int, rounds: int) -> dict[str, list[float]]:
    """Measure and print so many clients at once; the seconds that each side took."""
    used: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}

    def together(name: str) -> tuple[float, float]:
        server, target = sides[name]
        before = server.cpu_seconds()
        found: Streamed = stream(server.port, target, TEXT_BYTES, count)
        used[name].append((server.cpu_seconds() - before, found.client_cpu_s))
        return found.first_s, found.last_s

    firsts, lasts = streams_in_turn({name: partial(together, name) for name in sides}, rounds)
    title = f"{TERMS:,} stored terms to {count} at once, {WORKERS} workers each"
    report(title, lasts, "nginx", count * TEXT_BYTES)
    report_first_bytes(f"{title}: the first byte of any", firsts)
    rows = [
        [name, *(f"{statistics.median(side) / count:.3f}" for side in zip(*seconds, strict=True))]
        for name, seconds in used.items()
    ]
    table(f"{title}: CPU seconds a stream", ["side", "server", "client"], rows)
    return lasts


ROUNDS = 9


def main(options: Options) -> None:
    """Measure and print."""
    with scratch_directory(options.directory) as scratch, ExitStack() as stack:
        data = new_store(scratch / "data", TERMS)
        home = scratch / "files"
        home.mkdir()
        join(data, home / "text")
        ours = stack.enter_context(served(data, WEB_CONCURRENCY=str(WORKERS)))
        sides: dict[str, Side] = {
            "nginx": (stack.enter_context(nginx(home)), "/text"),
            "caddy": (stack.enter_context(caddy(home)), "/text"),
            "ours": (ours, WHOLE),
        }
        for server, target in sides.values():
            assert get(server.port, target) == (200, TEXT_SHA256)

        targets, throughput = [], {}
        for count, least in CLIENTS.items():
            # Many streams are a mean of their own, and take long.
            rounds = options.rounds if count < 10 else min(options.rounds, 3)
            lasts = compare(sides, count, rounds)
            found = ratios(lasts["nginx"], lasts["ours"])
            who = f"{count} client{'s' * (count > 1)}"
            targets.append(Target(f"nginx's throughput, {who}", found, at_least=least))
            for name, seconds in lasts.items():
                throughput[f"{who}: {name}"] = [count * TEXT_BYTES / 1e9 / s for s in seconds]
        judge(*targets)
        if options.plots:
            title = f"{TERMS:,} stored terms over loopback, two workers each"
            plots.bars("warm_stream", title, throughput, "GB/s in total")
