"""The memory of a worker as time goes on: while thousands of clients leave in the midst of streams
of all formats and codings, and while it answers 200,000 requests of all kinds, some of whose
clients vanish. Everything is stored."""

import random
import socket
import statistics

from benchmarks.lib.bench import (
    MIB,
    TERMS,
    WHOLE,
    Options,
    Server,
    Target,
    judge,
    memory_bytes,
    new_store,
    scratch_directory,
    served,
    table,
)
from benchmarks.lib.clients import CLIENTS, SMALL, fork, get, received
from fibosite.connection import ABORTIVE
from sequence.coding.coding import CODINGS
from sequence.text.format import FORMATS

DROPPED = 4000
REQUESTS, PARTS = 200_000, 8
VANISHING = 0.02
"""How many of the clients ask for everything, and leave."""

STREAMS = [
    *(get(f"{WHOLE}&format={name}") for name in FORMATS),
    *(get(WHOLE, f"Accept-Encoding: {coding}") for coding in CODINGS),
]


def leave(port: int, rng: random.Random) -> None:
    """Ask for everything, take a little of it, and go: in half of the cases by a reset."""
    with socket.create_connection(("127.0.0.1", port)) as leaving:
        leaving.sendall(rng.choice(STREAMS))
        leaving.recv(rng.choice((1, 65536)))
        if rng.random() < 0.5:
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)


def any_request(rng: random.Random) -> bytes:
    """A request whose answer is short."""
    n = rng.randrange(TERMS - 10)
    window = f"/?sn=10&start={n}"
    return rng.choice(
        (
            get(SMALL),
            get(window),
            get(window, f"Accept-Encoding: {rng.choice(list(CODINGS))}"),
            get(f"{window}&format={rng.choice(list(FORMATS))}"),
            get(WHOLE, f"Range: bytes={n}-{n + 1000}"),
            get(f"/terms/{n}"),
            get(f"/terms/{n}", "Accept: text/html"),
            get(f"/terms?value={n}"),
            get(f"/?sn={-n}"),
            get(f"/nothing/{n}"),
            get("/", "Accept: text/html"),
            get("/livez"),
        )
    )


def drop(port: int, count: int, client: int) -> None:
    """Leave so many times."""
    rng = random.Random(client)  # noqa: S311
    for _ in range(count):
        leave(port, rng)


def ask(port: int, count: int, client: int) -> None:
    """Make so many requests, one after another."""
    rng = random.Random(client)  # noqa: S311
    connection: socket.socket | None = None
    for _ in range(count):
        if rng.random() < VANISHING:
            leave(port, rng)
            continue
        connection = connection or socket.create_connection(("127.0.0.1", port))
        connection.sendall(any_request(rng))
        head, _ = received(connection)
        assert head.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4")), head
        if b"\r\nConnection: close" in head:
            connection.close()
            connection = None
    if connection:
        connection.close()


def resident_mib(server: Server) -> float:
    """The memory of the only worker."""
    (worker,) = server.workers()
    return memory_bytes(worker, "VmRSS") / MIB


ROUNDS = 1


def main(options: Options) -> None:
    """Measure and print."""
    after_dropped, grown, rows = list[float](), list[float](), list[list[str]]()
    with scratch_directory(options.directory) as scratch:
        data = new_store(scratch / "data", TERMS)
        for _ in range(options.rounds):
            with served(data, WEB_CONCURRENCY="1") as server, fork.Pool(CLIENTS) as clients:
                ask(server.port, 1, 0)
                told = [resident_mib(server)]
                each = DROPPED // CLIENTS
                clients.starmap(drop, [(server.port, each, client) for client in range(CLIENTS)])
                after_dropped.append(resident_mib(server))
                told.append(after_dropped[-1])
                each = REQUESTS // PARTS // CLIENTS
                for part in range(PARTS):
                    seeds = range(CLIENTS * part, CLIENTS * (part + 1))
                    clients.starmap(ask, [(server.port, each, seed) for seed in seeds])
                    told.append(resident_mib(server))
                # Caches of fixed size are full by then.
                half = 2 + PARTS // 2
                grown.append(statistics.median(told[half:]) / statistics.median(told[2:half]))
                rows.append([f"{mib:.1f}" for mib in told])
    columns = ["at first", f"{DROPPED:,} dropped streams"]
    columns += [f"{REQUESTS * (part + 1) // PARTS:,} requests" for part in range(PARTS)]
    table("Resident memory of the worker in MiB, after", columns, rows)
    judge(
        Target(
            f"a worker after {DROPPED:,} dropped streams", after_dropped, at_most=150, unit="MiB"
        ),
        Target("the second half of the requests against the first", grown, at_most=1.05),
    )
