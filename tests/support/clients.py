"""Clients by the dozen on plain sockets, which read nothing unless they are told to."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

from tests.support import oracle
from tests.support.servers import Server

LONG = "/?sn=40000"
"""167 MB: more than the buffers of a connection hold."""


READER_BUFFER_BYTES = 64 * 1024
"""Of a slow reader's socket: what is on its way is not what it has read."""


def head(target: str, *lines: str, method: str = "GET") -> bytes:
    """A request without a body."""
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *lines, "", "")).encode()


@contextmanager
def clients(server: Server, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Connections on which this was sent and nothing is read yet."""
    with ExitStack() as opened:
        made = []
        for _ in range(count):
            client = opened.enter_context(socket.socket())
            # Before it connects, when the largest window is agreed on.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READER_BUFFER_BYTES)
            client.settimeout(30)
            client.connect(("127.0.0.1", server.port))
            client.sendall(sent)
            made.append(client)
        yield made


def slowest_s(server: Server, count: int = 10) -> float:
    """How long the slowest of these fresh requests took, on connections of their own."""
    taken = []
    for _ in range(count):
        started = monotonic()
        assert server.get("/?sn=20")[2] == oracle.text(0, 20)
        taken.append(monotonic() - started)
    return max(taken)
