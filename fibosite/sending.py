"""What has been written of an answer and its client has not taken: bytes, and spans of files."""

import os
from itertools import islice
from socket import socket

from gunicorn.http import wsgi

from sequence.store.pieces import FileSpan, Piece

MAX_BUFFERS = 64
"""How many buffers one system call is given."""
MAX_SENDFILE_BYTES = 1024 * 1024
"""How much of a file one system call is given: it sends on while its client receives."""


class Outbox:
    """Stands in for the socket where gunicorn writes an answer, and keeps it until it is sent."""

    def __init__(self) -> None:
        # Few at a time, and of most there is one: a deque takes 600 bytes for each connection.
        self._waiting: list[memoryview | FileSpan] = []
        self.length_bytes = self.sent_bytes = 0

    def sendall(self, piece: Piece) -> None:
        """Put something behind all that waits."""
        if len(piece):
            self._waiting.append(piece if isinstance(piece, FileSpan) else memoryview(piece))
            self.length_bytes += len(piece)

    send = sendall

    def clear(self) -> None:
        """Forget what waits, now: environ has the outbox too, in a cycle of Django's."""
        self._waiting.clear()
        self.length_bytes = 0

    def send_to(self, client: socket) -> None:
        """Send some of what waits.

        Raises BlockingIOError if the client takes no more now, another OSError if it is gone, and
        EOFError if a file has lost what was promised of it.
        """
        first = self._waiting[0]
        if isinstance(first, FileSpan):
            wanted, sent = self._send_span(client, first)
        else:
            buffers = []
            for piece in islice(self._waiting, MAX_BUFFERS):
                if isinstance(piece, FileSpan):
                    break
                buffers.append(piece)
            wanted, sent = sum(map(len, buffers)), client.sendmsg(buffers)
        self.sent_bytes += sent
        self.length_bytes -= sent
        self._drop(sent)
        if sent < wanted:
            raise BlockingIOError

    def _send_span(self, client: socket, span: FileSpan) -> tuple[int, int]:
        """Return how many bytes were to be sent, and how many were."""
        wanted = min(len(span), MAX_SENDFILE_BYTES)
        try:
            if span.is_right(wanted) and (
                sent := os.sendfile(client.fileno(), span.fileno(), span.start, wanted)
            ):
                return wanted, sent
        except (BlockingIOError, ConnectionError, TimeoutError):
            raise
        except OSError:
            pass  # the file's; if it is the socket's after all, that tells it again
        found = span.rescue()
        if not len(span):
            del self._waiting[0]
        self._waiting.insert(0, memoryview(found))
        return 0, 0

    def _drop(self, count: int) -> None:
        """Forget so many bytes, which were sent."""
        while count:
            first = self._waiting[0]
            if count < len(first):
                if isinstance(first, FileSpan):
                    first.start += count
                else:
                    self._waiting[0] = first[count:]
                return
            count -= len(first)
            del self._waiting[0]


class Response(wsgi.Response):  # type: ignore[misc]
    """gunicorn's, of which a body may have spans of files."""

    sock: Outbox

    def write(self, piece: Piece) -> None:
        """Put a piece of the body into the outbox, after the head, as the body is framed."""
        if isinstance(piece, bytes):
            super().write(piece)
            return
        self.send_headers()
        if self.response_length is not None:
            piece.stop = min(piece.stop, piece.start + self.response_length - self.sent)
        if not self._omits_body and len(piece):
            self.sent += len(piece)
            self._emit_body(piece)

    def _emit_body(self, piece: Piece) -> None:
        # gunicorn's own copies the piece to frame it.
        if self.chunked:
            self.sock.sendall(b"%X\r\n" % len(piece))
        self.sock.sendall(piece)
        if self.chunked:
            self.sock.sendall(b"\r\n")

    @property
    def is_short(self) -> bool:
        """Whether the body has fewer bytes than its Content-Length."""
        expected = self.response_length or 0
        return bool(not self._omits_body and self.sent < expected)

    @property
    def ends_with_connection(self) -> bool:
        """Whether nothing but the end of the connection tells the client where the body ends."""
        return not (self.chunked or self._omits_body) and self.response_length is None
