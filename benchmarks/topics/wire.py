"""Compare the stored text in its codings over a link of 1 Gbit/s: with identity, and with what the
entropy of digits allows.

The link is a pair of virtual network devices between two network namespaces, which only root can
make. A bare sender of as many bytes tells its rate.
"""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from math import log2
from pathlib import Path
from time import perf_counter

from benchmarks.lib import plots
from benchmarks.lib.bench import (
    TERMS,
    TEXT_BYTES,
    WHOLE,
    Options,
    Target,
    in_turn,
    judge,
    listening,
    new_store,
    program,
    ratios,
    report,
    scratch_directory,
    served,
)
from sequence.coding.coding import CODINGS

RATE = "1gbit"
# A burst holds what the kernel hands over at once, 64 KiB and more; the queue, what waits its turn.
LIMITS = ("burst", "256kb", "latency", "20ms")
# RFC 2544's block for tests: no network that is in use has it.
ADDRESSES = ("198.18.77.1", "198.18.77.2")
NAMESPACES = (f"fibo-server-{os.getpid()}", f"fibo-client-{os.getpid()}")
CLONE_NEWNET = 0x40000000

ENTROPY = log2(10) / 8
"""What digits can be coded to at best, as a share of their bytes."""
BARE, IDENTITY = "bare sender", "identity"

SOONER = {"zstd": 2.32, "gzip": 2.27}
"""How many times as soon as identity each coding is to arrive, at least."""


def ip(*arguments: str) -> None:
    """Run ip(8)."""
    subprocess.run([program("ip", "iproute2"), *arguments], check=True)


@contextmanager
def link() -> Iterator[None]:
    """Two namespaces, joined by a link of that rate in both directions."""
    server, client = NAMESPACES
    ends = dict(zip(NAMESPACES, ("fibo0", "fibo1"), strict=True))
    try:
        for namespace in NAMESPACES:
            ip("netns", "add", namespace)
        peer = ("peer", "name", ends[client], "netns", client)
        ip("-n", server, "link", "add", ends[server], "type", "veth", *peer)
        for (namespace, end), address in zip(ends.items(), ADDRESSES, strict=True):
            ip("-n", namespace, "address", "add", f"{address}/30", "dev", end)
            ip("-n", namespace, "link", "set", end, "up")
            tc = (program("tc", "iproute2"), "-n", namespace, "qdisc", "add", "dev", end, "root")
            subprocess.run([*tc, "tbf", "rate", RATE, *LIMITS], check=True)
        yield
    finally:
        for namespace in NAMESPACES:
            with suppress(subprocess.CalledProcessError):
                ip("netns", "delete", namespace)


def made_in(namespace: str, make: Callable[[], socket.socket]) -> socket.socket:
    """The socket, made by a thread in the network namespace: it stays there, whoever uses it."""
    made: list[socket.socket] = []

    def work() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/run/netns/{namespace}").open("rb") as there:
            # Of this thread alone.
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        made.append(make())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return made[0]


def seconds_to_fetch(port: int, coding: str) -> float:
    """How long curl takes to the last byte, on the other side of the link."""
    shown = subprocess.run(
        [
            *(program("ip", "iproute2"), "netns", "exec", NAMESPACES[1], "curl", "-sf"),
            *("-o", os.devnull, "-w", "%{time_total}", "-H", f"Accept-Encoding: {coding}"),
            *("-H", "Host: localhost", f"http://{ADDRESSES[0]}:{port}{WHOLE}"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(shown.stdout)


def seconds_to_send() -> float:
    """How long as many bytes take over the link, from one socket to another."""
    server, client = NAMESPACES
    with made_in(server, partial(listening, ADDRESSES[0])) as listener:
        connect = partial(socket.create_connection, listener.getsockname()[:2])
        with made_in(client, connect) as receiver:
            sender = listener.accept()[0]
            started = perf_counter()
            sending = threading.Thread(target=send, args=(sender,))
            sending.start()
            buffer, left = bytearray(1024 * 1024), TEXT_BYTES
            while left:
                left -= receiver.recv_into(buffer)
            seconds = perf_counter() - started
            sending.join()
            return seconds


def send(sender: socket.socket) -> None:
    """Send as many bytes as the text has."""
    block, left = memoryview(bytes(1024 * 1024)), TEXT_BYTES
    with sender:
        while left:
            left -= sender.send(block[:left])


ROUNDS = 5


def main(options: Options) -> None:
    """Measure and print."""
    with scratch_directory(options.directory) as scratch, ExitStack() as running:
        data = new_store(scratch / "data", TERMS)
        running.enter_context(link())
        listener = made_in(NAMESPACES[0], partial(listening, ADDRESSES[0]))
        server = running.enter_context(served(data, listener=listener))
        sides: dict[str, Callable[[], float]] = {BARE: seconds_to_send}
        for coding in (IDENTITY, *CODINGS):
            sides[coding] = partial(seconds_to_fetch, server.port, coding)
        taken = in_turn(sides, options.rounds)
    report(f"{TERMS:,} stored terms over {RATE}", taken, IDENTITY, TEXT_BYTES)
    bound = [ENTROPY * seconds for seconds in taken[BARE]]
    targets = [
        Target(
            "identity takes as long as a bare sender",
            ratios(taken[IDENTITY], taken[BARE]),
            at_most=1.01,
        )
    ]
    for coding in CODINGS:
        targets += [
            Target(
                f"{coding} arrives sooner than identity",
                ratios(taken[IDENTITY], taken[coding]),
                at_least=SOONER[coding],
            ),
            Target(
                f"{coding} takes as long as the entropy bound",
                ratios(taken[coding], bound),
                at_most=1.06,
            ),
        ]
    judge(*targets)
    if options.plots:
        ours = {f"{name}, ours": taken[name] for name in (IDENTITY, *CODINGS)}
        sides_drawn = {BARE: taken[BARE], **ours, "entropy bound": bound}
        plots.bars(
            "wire", f"{TERMS:,} stored terms over a link of 1 Gbit/s", sides_drawn, "seconds"
        )
