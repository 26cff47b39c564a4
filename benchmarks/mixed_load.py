"""Small requests alone and beside long streams, under several settings of gunicorn; then beside
hundreds of slow readers, under the settings that we use."""

import multiprocessing
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Event
from time import perf_counter
from typing import NamedTuple

from bench import (
    TERMS,
    WHOLE,
    Server,
    heading,
    new_store,
    parser,
    scratch_directory,
    served,
    table,
)

THREADED = "fibosite.worker.ThreadWorker"
SETTINGS = {
    "gthread, 1 × 32": (THREADED, 1, 32),
    "gthread, 2 × 64": (THREADED, 2, 64),
    "gthread, 2 × 256": (THREADED, 2, 256),
    # With more threads than one gunicorn would take gthread in place of sync.
    "sync, 2": ("sync", 2, 1),
    "sync, 4": ("sync", 4, 1),
}
SMALL = b"GET /?sn=20 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
SMALL_ENDS = b" 1597 2584 4181 "
LONG = f"GET {WHOLE} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

CLIENTS = 4
SECONDS = 2.0
PATIENCE_S = 2.0
"""How long a client waits for an answer that is due when its time is over."""

STREAMS, STREAM_BYTES_PER_S = 8, 20_000_000
READERS, READER_BYTES_PER_S = 200, 10_000
READER_BUFFER_BYTES = 64 * 1024
"""Of a slow reader's socket: what is on its way is not what it has read."""

fork = multiprocessing.get_context("fork")


class Answers(NamedTuple):
    """The latencies of what was answered, in seconds, and how many requests were not."""

    latencies: list[float]
    unanswered: int


def small_requests(port: int, kept_alive: bool = True) -> Answers:
    """One client's small requests, one after another, for SECONDS."""
    latencies: list[float] = []
    connection: socket.socket | None = None
    stop = perf_counter() + SECONDS
    try:
        while (started := perf_counter()) < stop:
            if not connection:
                connection = socket.create_connection(("127.0.0.1", port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(stop + PATIENCE_S - started)
            connection.sendall(SMALL)
            answer = b""
            while not answer.endswith(SMALL_ENDS):
                answer += (received := connection.recv(65536))
                assert received, answer
            latencies.append(perf_counter() - started)
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            # The sync worker keeps no connection.
            if not kept_alive or b"\r\nConnection: close\r\n" in answer:
                connection.close()
                connection = None
    except TimeoutError:
        return Answers(latencies, 1)
    finally:
        if connection:
            connection.close()
    return Answers(latencies, 0)


def together(port: int) -> list[Answers]:
    """The small requests of CLIENTS processes on one connection each."""
    with fork.Pool(CLIENTS) as clients:
        return clients.map(small_requests, [port] * CLIENTS)


def read_slowly(
    port: int, count: int, bytes_per_s: int, buffer_bytes: int | None, under_way: Event
) -> None:
    """Asks for the whole text so many times at once, and reads each at that rate until killed."""
    times_per_s = 20 if bytes_per_s > 1_000_000 else 1
    connections = []
    for _ in range(count):
        connection = socket.socket()
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.connect(("127.0.0.1", port))
        connection.sendall(LONG)
        connection.setblocking(False)
        connections.append(connection)
    buffer = bytearray(bytes_per_s // times_per_s)
    due = perf_counter()
    while True:
        for connection in connections:
            fill(connection, buffer)
        under_way.set()
        due += 1 / times_per_s
        time.sleep(max(due - perf_counter(), 0))


def fill(connection: socket.socket, buffer: bytearray) -> None:
    """Reads as much as there is room or as has arrived."""
    free = memoryview(buffer)
    try:
        while free and (length := connection.recv_into(free)):
            free = free[length:]
    except BlockingIOError:
        pass


@contextmanager
def beside(
    port: int, count: int, bytes_per_s: int, buffer_bytes: int | None = None, settle_s: float = 0.5
) -> Iterator[None]:
    """Has that many clients read the whole text meanwhile, at that rate each."""
    under_way = fork.Event()
    client = fork.Process(
        target=read_slowly, args=(port, count, bytes_per_s, buffer_bytes, under_way)
    )
    client.start()
    try:
        assert under_way.wait(60)
        time.sleep(settle_s)
        yield
        assert client.is_alive()
    finally:
        client.kill()
        client.join()


def under(setting: str) -> list[str]:
    """gunicorn's arguments."""
    worker, workers, threads = SETTINGS[setting]
    return [f"--worker-class={worker}", f"--workers={workers}", f"--threads={threads}"]


def quantiles(answers: list[Answers]) -> list[str]:
    """Median and 99th percentile in ms, and how many were not answered."""
    latencies = sorted(latency for answer in answers for latency in answer.latencies)
    unanswered = str(sum(answer.unanswered for answer in answers))
    if not latencies:
        return ["–", "–", unanswered]
    p99 = latencies[len(latencies) * 99 // 100]
    return [f"{1e3 * statistics.median(latencies):.2f}", f"{1e3 * p99:.2f}", unanswered]


def compare_settings(servers: dict[str, Server], rounds: int) -> None:
    """Measures and prints small requests alone and beside streams."""

    def alone(port: int) -> list[Answers]:
        return together(port)

    def beside_streams(port: int) -> list[Answers]:
        with beside(port, STREAMS, STREAM_BYTES_PER_S):
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
        per_second = statistics.median(
            sum(len(answer.latencies) for answer in answers) / SECONDS for answers in measurements
        )
        answers = [answer for measurement in measurements for answer in measurement]
        rows.append([setting, beside_what, f"{per_second:,.0f}", *quantiles(answers)])
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
    """Measures and prints fresh connections, one at a time, alone and beside slow readers."""

    def fresh() -> Answers:
        with fork.Pool(1) as client:
            return client.apply(small_requests, (server.port, False))

    rows = []
    alone = [fresh() for _ in range(rounds)]
    rows.append(["none", *quantiles(alone), resident_mib(server)])
    with beside(server.port, READERS, READER_BYTES_PER_S, READER_BUFFER_BYTES, settle_s=2):
        held = connections_of(server)
        assert held >= READERS, held
        answers = [fresh() for _ in range(rounds)]
        rows.append([f"{READERS}", *quantiles(answers), resident_mib(server)])
    table(
        f"`sn=20` on a connection of its own, beside readers of `sn={TERMS}` "
        f"at {READER_BYTES_PER_S / 1e3:.0f} kB/s each (gthread, 2 × 256)",
        ["slow readers", "median ms", "p99 ms", "unanswered", "workers' memory MiB"],
        rows,
    )


def connections_of(server: Server) -> int:
    """How many connections the workers hold."""
    established = (
        connection
        for worker in server.workers()
        for connection in worker.net_connections("tcp")
        if connection.status == "ESTABLISHED"
    )
    return sum(1 for _ in established)


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__, rounds=5).parse_args()
    with scratch_directory(options.directory) as scratch, ExitStack() as running:
        data = new_store(scratch / "data", TERMS)
        # Every side's server runs all the time: those that are not asked sleep.
        servers = {
            setting: running.enter_context(served(data, *under(setting))) for setting in SETTINGS
        }
        heading()
        print(f"\nLoad before: {os.getloadavg()[0]:.2f}. Clients run on the same cores.")
        compare_settings(servers, options.rounds)
        with_slow_readers(
            running.enter_context(served(data, *under("gthread, 2 × 256"))), options.rounds
        )


if __name__ == "__main__":
    main()
