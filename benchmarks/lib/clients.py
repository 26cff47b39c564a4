"""Clients that take little time themselves: many small requests, whole streams, slow readers."""

import multiprocessing
import random
import re
import socket
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from multiprocessing.synchronize import Barrier, Event
from time import perf_counter, process_time
from typing import NamedTuple

from benchmarks.lib.bench import TERMS, WHOLE, Server

CLIENTS = 4
SECONDS = 2.0
PATIENCE_S = 2.0
"""How long a client waits for an answer that is due when its time is over."""

RECEIVED_BYTES = 1024 * 1024
"""How much a reader of a whole stream takes at once: less costs the client more time."""
READER_BUFFER_BYTES = 64 * 1024
"""Of a slow reader's socket: what is on its way is not what it has read."""

fork = multiprocessing.get_context("fork")


def get(target: str, *fields: str) -> bytes:
    """A GET request."""
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *fields, "", ""]).encode()


SMALL = "/?sn=20"

Targets = Callable[[int], Iterator[str]]
"""What a client asks for, by its number."""


class Answers(NamedTuple):
    """The latencies of what was answered, in seconds, and how many requests were not."""

    latencies: list[float]
    unanswered: int


@dataclass(frozen=True)
class Anywhere:
    """Addresses of windows of so many terms, or of one, anywhere; each client has its own."""

    address: str
    """With a place for the number of the first term."""
    terms: int = 1

    def __call__(self, client: int) -> Iterator[str]:
        """One after another, the same in each run."""
        chosen = random.Random(client)  # noqa: S311
        while True:
            yield self.address.format(chosen.randrange(TERMS - self.terms + 1))


WINDOWS, SINGLE_TERMS = Anywhere("/?sn=10&start={}", terms=10), Anywhere("/terms/{}")


@dataclass(frozen=True)
class Same:
    """One address again and again."""

    address: str

    def __call__(self, _: int) -> Iterator[str]:
        """One after another."""
        return repeat(self.address)


def received(connection: socket.socket) -> tuple[bytes, int]:
    """The head of an answer, and how many bytes its body has; all of it has then arrived."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += (more := connection.recv(65536))
        assert more, answer
    head, _, body = answer.partition(b"\r\n\r\n")
    if length := re.search(rb"(?i)\r\ncontent-length: (\d+)", head):
        left = int(length[1]) - len(body)
        while left:
            left -= (count := len(connection.recv(min(left, RECEIVED_BYTES))))
            assert count, head
        return head, int(length[1])
    while not body.endswith(b"0\r\n\r\n"):
        body += (more := connection.recv(65536))
        assert more, answer
    return head, len(body)


def small_requests(
    port: int, targets: Targets = Same(SMALL), kept_alive: bool = True, client: int = 0
) -> Answers:
    """One client's small requests, one after another, for SECONDS."""
    latencies = list[float]()
    connection: socket.socket | None = None
    requests = map(get, targets(client))
    stop = perf_counter() + SECONDS
    try:
        while (started := perf_counter()) < stop:
            if not connection:
                connection = socket.create_connection(("127.0.0.1", port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(stop + PATIENCE_S - started)
            connection.sendall(next(requests))
            head, _ = received(connection)
            latencies.append(perf_counter() - started)
            assert head.startswith(b"HTTP/1.1 200 "), head
            # The sync worker keeps no connection.
            if not kept_alive or b"\r\nConnection: close" in head:
                connection.close()
                connection = None
    except TimeoutError:
        return Answers(latencies, 1)
    finally:
        if connection:
            connection.close()
    return Answers(latencies, 0)


def together(port: int, targets: Targets = Same(SMALL)) -> list[Answers]:
    """The small requests of CLIENTS processes on one connection each."""
    with fork.Pool(CLIENTS) as clients:
        return clients.starmap(
            small_requests, [(port, targets, True, client) for client in range(CLIENTS)]
        )


def per_second(answers: Iterable[Answers]) -> float:
    """How many requests were answered in a second."""
    return sum(len(answer.latencies) for answer in answers) / SECONDS


def latencies(answers: Iterable[Answers]) -> list[float]:
    """The seconds that all answers took, the fastest first."""
    return sorted(latency for answer in answers for latency in answer.latencies)


def p99(answers: Iterable[Answers]) -> float:
    """The 99th percentile of the seconds that the answers took."""
    found = latencies(answers)
    return found[len(found) * 99 // 100]


def quantiles(answers: list[Answers]) -> list[str]:
    """Median and 99th percentile in ms, and how many were not answered."""
    found = latencies(answers)
    unanswered = str(sum(answer.unanswered for answer in answers))
    if not found:
        return ["–", "–", unanswered]
    return [f"{1e3 * statistics.median(found):.2f}", f"{1e3 * p99(answers):.2f}", unanswered]


class Streamed(NamedTuple):
    """Whole streams that ran at once: seconds to the first and the last byte, all clients' CPU."""

    first_s: float
    last_s: float
    client_cpu_s: float


class Received(NamedTuple):
    """When an answer was asked for, began and ended, and the CPU seconds of its reader."""

    asked_at: float
    began_at: float
    ended_at: float
    cpu_s: float


def receive(port: int, target: str, expected_bytes: int, ready: Barrier) -> Received:
    """Read one answer to its end, when all clients are ready."""
    buffer = bytearray(RECEIVED_BYTES)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        ready.wait(60)
        used_before, asked_at = process_time(), perf_counter()
        connection.sendall(get(target))
        head = b""
        while b"\r\n\r\n" not in head:
            head += (received := connection.recv(65536))
            assert received, head
        began_at = perf_counter()
        assert head.startswith(b"HTTP/1.1 200 "), head
        left = expected_bytes - len(head.partition(b"\r\n\r\n")[2])
        while left:
            length = connection.recv_into(buffer, min(left, RECEIVED_BYTES))
            assert length, left
            left -= length
        return Received(asked_at, began_at, perf_counter(), process_time() - used_before)


def stream(port: int, target: str, expected_bytes: int, count: int = 1) -> Streamed:
    """Have that many processes read the same answer at once."""
    ready, results = fork.Barrier(count), fork.SimpleQueue()

    def client() -> None:
        results.put(receive(port, target, expected_bytes, ready))

    clients = [fork.Process(target=client) for _ in range(count)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
        assert one.exitcode == 0
    found: list[Received] = [results.get() for _ in clients]
    return Streamed(
        min(one.began_at - one.asked_at for one in found),
        max(one.ended_at for one in found) - min(one.asked_at for one in found),
        sum(one.cpu_s for one in found),
    )


def read_slowly(
    port: int, count: int, bytes_per_s: int, buffer_bytes: int | None, under_way: Event
) -> None:
    """Ask for the whole text so many times at once, and read each at that rate until killed."""
    times_per_s = 20 if bytes_per_s > 1_000_000 else 1
    connections = []
    for _ in range(count):
        connection = socket.socket()
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.connect(("127.0.0.1", port))
        connection.sendall(get(WHOLE))
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
    """Read as much as there is room or as has arrived."""
    free = memoryview(buffer)
    try:
        while free and (length := connection.recv_into(free)):
            free = free[length:]
    except BlockingIOError:
        pass


@contextmanager
def background_readers(
    port: int,
    count: int,
    bytes_per_s: int,
    buffer_bytes: int | None = None,
    settle_s: float = 0.5,
) -> Iterator[None]:
    """Have that many clients read the whole text in the background, at that rate each."""
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


def connections_of(server: Server) -> int:
    """How many connections the workers hold."""
    established = (
        connection
        for worker in server.workers()
        for connection in worker.net_connections("tcp")
        if connection.status == "ESTABLISHED"
    )
    return sum(1 for _ in established)
