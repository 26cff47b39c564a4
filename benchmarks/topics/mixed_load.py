"""Small requests alone and beside long streams, under several settings of gunicorn; then beside
hundreds of slow readers, under the settings that we use."""

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.lib.bench import (
    TERMS,
    Options,
    Server,
    new_store,
    scratch_directory,
    served,
    table,
)
from benchmarks.lib.clients import (
    CLIENTS,
    READER_BUFFER_BYTES,
    Answers,
    background_readers,
    connections_of,
    fork,
    per_second,
    quantiles,
    small_requests,
    together,
)

THREADED = "fibosite.worker.ThreadWorker"
SETTINGS = {
    **{f"ours, 2 × {threads}": (THREADED, 2, threads) for threads in (8, 16, 32, 64)},
    "gthread, 2 × 16": ("gthread", 2, 16),
    # With more threads than one gunicorn would take gthread in place of sync.
    "sync, 2": ("sync", 2, 1),
    "sync, 4": ("sync", 4, 1),
}

STREAMS, STREAM_BYTES_PER_S = 8, 20_000_000
READERS, READER_BYTES_PER_S = 200, 10_000


def under(setting: str) -> list[str]:
    """gunicorn's arguments."""
    worker, workers, threads = SETTINGS[setting]
    return [f"--worker-class={worker}", f"--workers={workers}", f"--threads={threads}"]


def compare_settings(servers: dict[str, Server], rounds: int) -> None:
    """Measure and print small requests alone and beside streams."""

    def alone(port: int) -> list[Answers]:
        return together(port)

    def beside_streams(port: int) -> list[Answers]:
        with background_readers(port, STREAMS, STREAM_BYTES_PER_S):
            return together(port)

    company: dict[str, Callable[[int], list[Answers]]] = {
        "alone": alone,
        f"{STREAMS} streams": beside_streams,
    }
    found: dict[tuple[str, str], list[list[Answers]]] = {}
    for _ in range(rounds):
        for setting, server in servers.items():
            for beside_what, measure in company.items():
                found.setdefault((setting, beside_what), []).append(measure(server.port))
            # Its streams end before the next side begins.
            time.sleep(0.5)
    rows = []
    for (setting, beside_what), measurements in found.items():
        answered = statistics.median(map(per_second, measurements))
        answers = [answer for measurement in measurements for answer in measurement]
        rows.append([setting, beside_what, f"{answered:,.0f}", *quantiles(answers)])
    table(
        f"`sn=20` on {CLIENTS} connections, beside {STREAMS} × `sn={TERMS}` "
        f"at {STREAM_BYTES_PER_S / 1e6:.0f} MB/s each",
        ["gunicorn", "beside", "requests/s", "median ms", "p99 ms", "unanswered"],
        rows,
    )


def resident_mib(server: Server) -> str:
    """The resident memory of each worker."""
    return " + ".join(f"{worker.memory_info().rss / 2**20:.0f}" for worker in server.workers())


def with_slow_readers(server: Server, rounds: int) -> None:
    """Measure and print fresh connections, one at a time, alone and beside slow readers."""

    def fresh() -> Answers:
        with fork.Pool(1) as client:
            return client.apply(small_requests, (server.port,), {"kept_alive": False})

    rows = []
    alone = [fresh() for _ in range(rounds)]
    rows.append(["none", *quantiles(alone), resident_mib(server)])
    with background_readers(
        server.port, READERS, READER_BYTES_PER_S, READER_BUFFER_BYTES, settle_s=2
    ):
        held = connections_of(server)
        assert held >= READERS, held
        answers = [fresh() for _ in range(rounds)]
        rows.append([f"{READERS}", *quantiles(answers), resident_mib(server)])
    table(
        f"`sn=20` on a connection of its own, beside readers of `sn={TERMS}` "
        f"at {READER_BYTES_PER_S / 1e3:.0f} kB/s each (ours, 2 × 16)",
        ["slow readers", "median ms", "p99 ms", "unanswered", "workers' memory MiB"],
        rows,
    )


ROUNDS = 5


def main(options: Options) -> None:
    """Measure and print."""
    with scratch_directory(options.directory) as scratch, ExitStack() as running:
        data = new_store(scratch / "data", TERMS)
        # Every side's server runs all the time: those that are not asked sleep.
        servers = {
            setting: running.enter_context(served(data, *under(setting))) for setting in SETTINGS
        }
        compare_settings(servers, options.rounds)
        with_slow_readers(
            running.enter_context(served(data, *under("ours, 2 × 16"))), options.rounds
        )
