"""Sends answers: an outbox of bytes and file spans, and the response that is written into it."""

import os
from itertools import islice
from socket import socket

from gunicorn.http import wsgi

from sequence.store.pieces import FileSpan, Piece

MAX_BUFFERS = 64
"""How many buffers one sendmsg gets."""
MAX_SENDFILE_BYTES = 1024 * 1024
"""How much of a file one sendfile gets: it does not return while its client keeps receiving."""


class Outbox:
    """What is written of an answer and not sent yet; gunicorn takes it for the socket."""

    def __init__(self) -> None:
        # Mostly one piece: a deque would take 600 bytes for each connection.
        self._waiting: list[memoryview | FileSpan] = []
        self.length_bytes = self.sent_bytes = 0

    def sendall(self, piece: Piece) -> None:
        """Add a piece to the end."""
        if len(piece):
            self._waiting.append(piece if isinstance(piece, FileSpan) else memoryview(piece))
            self.length_bytes += len(piece)

    send = sendall

    def clear(self) -> None:
        """Discard what waits now: Django's reference cycles keep the outbox itself for longer."""
        self._waiting.clear()
        self.length_bytes = 0

    def send_to(self, client: socket) -> None:
        """Send some of what waits.

        Raises BlockingIOError if the client takes no more now, another OSError if it is gone, and
        EOFError if promised bytes of a file are lost.
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
        """Send some of a span by sendfile; return how many bytes were wanted and how many sent."""
        wanted = min(len(span), MAX_SENDFILE_BYTES)
        try:
            if span.is_right(wanted) and (
                sent := os.sendfile(client.fileno(), span.fileno(), span.start, wanted)
            ):
                return wanted, sent
        except (BlockingIOError, ConnectionError, TimeoutError):
            raise
        except OSError:
            pass  # the file's error; one of the socket comes again when bytes are sent
        found = span.rescue()
        if not len(span):
            del self._waiting[0]
        self._waiting.insert(0, memoryview(found))
        return 0, 0

    def _drop(self, count: int) -> None:
        """Remove bytes that were sent from the front."""
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
    """gunicorn's response, with bodies that may have file spans."""

    sock: Outbox

    def write(self, piece: Piece) -> None:
        """Put a piece of the body into the outbox, framed, and the head before the first one."""
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
        # gunicorn's method copies the piece to frame it.
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
        """Whether the body ends with the connection: neither chunked nor of a known length."""
        return not (self.chunked or self._omits_body) and self.response_length is None
