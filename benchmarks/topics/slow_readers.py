"""Fresh small requests beside clients that wait: readers that accept nothing and heads that trickle
in, readers of 10 kB/s, connections that send nothing, and clients that do not close their end.

Beside our service are nginx, and our worker below a function that gives spans of a file: what is
left if nothing is computed and nothing held (lib/limit.py). --only has the sides whose name and
situation, as in the targets, have this text in them.

"""

import resource
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from time import perf_counter
from typing import NamedTuple

from benchmarks.lib.bench import (
    MIB,
    ROOT,
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
from benchmarks.lib.clients import (
    READER_BUFFER_BYTES,
    SMALL,
    Answers,
    fork,
    get,
    p99,
    quantiles,
    small_requests,
)
from benchmarks.lib.peers import WORKERS, join, nginx
from sequence.text.compute import compute_bytes
from sequence.text.span import Span

SMALL_TEXT = b"0 1 1 2 3 5 8 13 21 34 55 89 144 233 377 610 987 1597 2584 4181 "
READERS = (500, 2000, 8000)
HEADS = 300
REWRITTEN = 2000
REWRITINGS = {
    "jsonl": get(f"{WHOLE}&format=jsonl"),
    "zstd": get(WHOLE, "Accept-Encoding: zstd"),
}
"""Answers that are made of the text as it is sent: a span of a file cannot be."""
MAX_GROWN_MIB, MAX_GROWN_REWRITTEN_MIB = 60, 250
"""How much a worker may grow, and beside these."""
SLOW_READERS, SLOW_BYTES_PER_S, MINUTE_S = 2000, 10_000, 60
SILENT = 4000
LINGERING_PER_S = 1000
SETTLE_S = 5
"""Until the buffers of all readers are full."""
KEPT_S = 3
"""How long a client that does not close its end keeps its connection."""

OURS, SPANS, NGINX = "ours", "our worker, spans", "nginx"
SPANS_CONF = f"""
exec(open("{ROOT / "fibosite" / "gunicorn.conf.py"}").read())
wsgi_app = "benchmarks.lib.limit:app"
post_worker_init = lambda worker: None
worker_exit = lambda server, worker: None
"""

LIKE_OURS = f"""
location = / {{
    if ($arg_sn = {TERMS}) {{ rewrite ^ /text last; }}
    rewrite ^ /small last;
}}
"""


class Told(NamedTuple):
    """What a process of clients tells: that all have begun, and how many were answered."""

    begun: Event
    answered: "Synchronized[int]"


Clients = Callable[[int, Told], None]


def connected(port: int, sent: bytes, buffer_bytes: int | None = None) -> socket.socket:
    """A connection on which this was sent."""
    connection = socket.socket()
    connection.settimeout(60)
    if buffer_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    connection.connect(("127.0.0.1", port))
    connection.sendall(sent)
    return connection


def is_answered(connection: socket.socket) -> bool:
    """Whether the head of an answer has arrived, which stays where it is."""
    return connection.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"


def accept_nothing(count: int, heads: int, request: bytes, port: int, told: Told) -> None:
    """Ask so many times for everything and read nothing; have some heads trickle in."""
    readers = [connected(port, request) for _ in range(count)]
    trickling = [connected(port, b"GET / HTTP/1.1\r\nX: ") for _ in range(heads)]
    told.answered.value = sum(map(is_answered, readers))
    told.begun.set()
    while True:
        time.sleep(0.5)
        for one in trickling:
            one.send(b"x")


def say_nothing(count: int, port: int, told: Told) -> None:
    """Open so many connections."""
    opened = [connected(port, b"") for _ in range(count)]
    told.begun.set()
    while opened:
        time.sleep(1)


def do_not_close(per_s: int, port: int, told: Told) -> None:
    """So many times a second, ask on a connection that the server is to close, and leave it so."""
    request, opened = get(SMALL, "Connection: close"), deque[socket.socket]()
    told.begun.set()
    due = perf_counter()
    while True:
        opened.append(connected(port, request))
        if len(opened) > per_s * KEPT_S:
            told.answered.value += is_answered(opened[0])
            opened.popleft().close()
        due += 1 / per_s
        time.sleep(max(due - perf_counter(), 0))


@contextmanager
def running(clients: Clients, port: int) -> Iterator[Told]:
    """Have clients run in a process of their own."""
    told = Told(fork.Event(), fork.Value("i", 0))
    process = fork.Process(target=clients, args=(port, told))
    process.start()
    try:
        assert told.begun.wait(120)
        yield told
        assert process.is_alive()
    finally:
        process.kill()
        process.join()


class Found(NamedTuple):
    """Fresh small requests beside the clients, and by how many bytes the fuller worker grew."""

    fresh: Answers
    grown: int
    answered: int


def measured(server: Server, clients: Clients, settle_s: float) -> Found:
    """What is found of a server while the clients wait."""
    while len(server.workers()) < WORKERS:
        time.sleep(0.1)
    before = [memory_bytes(worker, "VmRSS") for worker in server.workers()]
    with running(clients, server.port) as told:
        time.sleep(settle_s)
        fresh = small_requests(server.port, kept_alive=False)
        after = [memory_bytes(worker, "VmRSS") for worker in server.workers()]
        grown = max(now - then for now, then in zip(after, before, strict=True))
        return Found(fresh, grown, told.answered.value)


def compare_slowly(port: int, told: Told) -> None:
    """Read 10 kB/s each, so many times at once, and compare each byte; end if one is wrong."""
    expected = b"".join(compute_bytes(Span(0, 2 * MINUTE_S * SLOW_BYTES_PER_S)))
    readers = [connected(port, get(WHOLE), READER_BUFFER_BYTES) for _ in range(SLOW_READERS)]
    read_bytes = [0] * SLOW_READERS
    for number, reader in enumerate(readers):
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += reader.recv(SLOW_BYTES_PER_S)
        body = answer.partition(b"\r\n\r\n")[2]
        assert expected.startswith(body)
        read_bytes[number] = len(body)
    told.begun.set()
    begun = due = perf_counter()
    while True:
        for number, reader in enumerate(readers):
            found = reader.recv(SLOW_BYTES_PER_S)
            assert found
            assert expected.startswith(found, read_bytes[number])
            read_bytes[number] += len(found)
        due += 1
        asked_bytes = SLOW_BYTES_PER_S * (due - begun)
        told.answered.value = sum(count >= 0.9 * asked_bytes for count in read_bytes)
        time.sleep(max(due - perf_counter(), 0))


REWRITING: dict[str, Clients] = {
    f"{REWRITTEN:,} that accept nothing of {what}": partial(accept_nothing, REWRITTEN, 0, request)
    for what, request in REWRITINGS.items()
}
AT_10_KB_S = f"{SLOW_READERS:,} at {SLOW_BYTES_PER_S / 1000:.0f} kB/s"
SITUATIONS: dict[str, Clients] = {
    **{
        f"{count:,} that accept nothing, {HEADS} trickling heads": partial(
            accept_nothing, count, HEADS, get(WHOLE)
        )
        for count in READERS
    },
    **REWRITING,
    AT_10_KB_S: compare_slowly,
    f"{SILENT:,} that send nothing": partial(say_nothing, SILENT),
    f"{LINGERING_PER_S:,} a second that do not close": partial(do_not_close, LINGERING_PER_S),
}


ROUNDS = 3


def main(options: Options) -> None:
    """Measure and print."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with scratch_directory(options.directory) as scratch:
        data = new_store(scratch / "data", TERMS)
        home = scratch / "files"
        home.mkdir()
        join(data, home / "text")
        (home / "small").write_bytes(SMALL_TEXT)
        (scratch / "spans.conf.py").write_text(SPANS_CONF)
        spans = str(scratch / "spans.conf.py")
        sides = {
            NGINX: partial(nginx, home, LIKE_OURS),
            SPANS: partial(served, data, config=spans, FIBO_BENCH_FILE=str(home / "text")),
            OURS: partial(served, data),
        }
        targets = []
        for situation, clients in SITUATIONS.items():
            rows = []
            # The others have nothing to rewrite.
            for name in (OURS,) if situation in REWRITING else sides:
                if options.only not in f"{name} beside {situation}":
                    continue
                found = []
                for _ in range(options.rounds):
                    # A process that has grown does not grow again.
                    with sides[name]() as server:
                        small_requests(server.port, kept_alive=False)
                        settle_s = MINUTE_S if situation == AT_10_KB_S else SETTLE_S
                        found.append(measured(server, clients, settle_s))
                slowest = [1e3 * p99([each.fresh]) for each in found]
                grown = [each.grown / MIB for each in found]
                answered = str(min(each.answered for each in found))
                quantiles_ms = quantiles([each.fresh for each in found])
                rows.append([name, *quantiles_ms, f"{max(grown):.0f}", answered])
                if name != NGINX:
                    what = f"{name} beside {situation}"
                    most = MAX_GROWN_REWRITTEN_MIB if situation in REWRITING else MAX_GROWN_MIB
                    targets += [
                        Target(f"p99, {what}", slowest, at_most=20, unit="ms"),
                        Target(f"growth of a worker, {what}", grown, at_most=most, unit="MiB"),
                    ]
            columns = [
                "side",
                "fresh: median ms",
                "p99 ms",
                "unanswered",
                "MiB a worker",
                "answered",
            ]
            if rows:
                table(f"Beside {situation}", columns, rows)
        judge(*targets)
