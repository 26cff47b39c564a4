"""A connection and what is sent over it, without a server."""

import errno
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fibosite import http1
from fibosite.connection import Connection
from fibosite.sending import Outbox
from fibosite.worker import ThreadWorker
from sequence.store.pieces import FileSpan


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A server's end, which does not block, and a client's."""
    server, client = socket.socketpair()
    server.setblocking(False)
    with server, client:
        yield server, client


def is_whole(conversation: Connection) -> bool:
    """Whether a head is there when all that has arrived was taken in."""
    try:
        while not conversation.step():
            pass
    except BlockingIOError:
        return False
    return True


def test_a_head_that_trickles_in_is_searched_once(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    searched_bytes = 0

    class Counting:
        def search(self, text: bytearray, start: int) -> re.Match[bytes] | None:
            nonlocal searched_bytes
            searched_bytes += len(text) - start
            return end.search(text, start)

    end = http1.HEAD_END
    monkeypatch.setattr(http1, "HEAD_END", Counting())
    server, client = pair
    conversation = Connection(server, None, None, 30)
    begin = b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 2000
    for part in (begin, *[b"x"] * 1000):
        client.sendall(part)
        assert not is_whole(conversation)
    assert searched_bytes < 2 * (len(begin) + 10 * 1000)
    client.sendall(b":\r\n\r\n")
    assert is_whole(conversation)


class Known(FileSpan):
    """A span whose bytes are known without its file."""

    def instead(self, start: int, stop: int) -> Iterable[bytes]:
        return [bytes(range(start, stop))]


def failing(code: int) -> Callable[..., int]:
    """A system call that fails with this error."""

    def fail(*_: Any) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL, errno.ESTALE, errno.EUCLEAN])
def test_what_the_file_fails_to_give_is_sent_all_the_same(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "sendfile", failing(code))
    server, client = pair
    outbox = Outbox()
    with Path(os.devnull).open("rb") as file:
        outbox.sendall(Known(file, 10, 100))
        while outbox.length_bytes:
            outbox.send_to(server)
    assert client.recv(1000) == bytes(range(10, 100))


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT])
def test_what_the_socket_tells_is_not_taken_for_the_file(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "sendfile", failing(code))
    outbox = Outbox()
    with Path(os.devnull).open("rb") as file:
        outbox.sendall(Known(file, 10, 100))
        with pytest.raises(OSError, match=re.escape(os.strerror(code))):
            outbox.send_to(pair[0])


def test_an_event_that_cannot_be_dealt_with_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, dropped = list[str](), list[str]()

    def receive(connection: str) -> None:
        seen.append(connection)
        if connection == "b":
            raise MemoryError

    worker: Any = object.__new__(ThreadWorker)
    worker.resume_at, worker.tick_at = 0.0, float("inf")
    worker.connections, worker.listeners = {1: "a", 2: "b", 3: "c"}, {}
    worker.epoll = SimpleNamespace(poll=lambda _: [(1, 0), (2, 0), (3, 0)])
    worker.log = SimpleNamespace(warning=lambda *_: None)
    for name, stub in (("listen", lambda: None), ("receive", receive), ("drop", dropped.append)):
        monkeypatch.setattr(worker, name, stub, raising=False)
    worker.turn()
    assert (seen, dropped) == (["a", "b", "c"], ["b"])
