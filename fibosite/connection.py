"""A client's connection, as the loop and the threads of fibosite/worker.py have it in turn.

Nothing here waits: what cannot be done now raises BlockingIOError.
"""

import socket
import struct
from collections.abc import Generator
from time import monotonic
from typing import Any

from gunicorn.http.unreader import IterUnreader

from fibosite import http1
from fibosite.sending import Outbox

HEAD, BODY, ROOM, END = "a head", "a body", "room to send", "the end"
"""What a conversation waits for."""

RECEIVED_BYTES = 64 * 1024
"""How much is taken in at once."""
MAX_UNREAD_BYTES = 16 * 1024 * 1024
"""How much of what nobody reads is taken in before a close, which else would lose the answer."""
ABORTIVE = struct.pack("ii", 1, 0)
"""Of SO_LINGER: a close is a reset."""


class Connection:
    """A client's socket, what has arrived and was not read, and what is to be sent."""

    conversation: Generator[str]

    def __init__(self, client: socket.socket, address: Any, server: Any, timeout_s: float) -> None:
        self.socket, self.address, self.server = client, address, server
        self.timeout_s = timeout_s
        self.received, self.outbox = bytearray(), Outbox()
        self.searched_bytes = 0
        self.awaited_bytes = 0
        self.unread_bytes = 0
        self.waits_for, self.due = HEAD, monotonic() + timeout_s
        self.is_armed = self.is_registered = False
        # Whether nothing but a reset tells the client that its answer is not whole.
        self.resets = False

    def step(self) -> bool:
        """Do a part of what is waited for; return whether all of it is there.

        Raises BlockingIOError if the client has to do something first, and another OSError if it is
        gone.
        """
        if self.waits_for is ROOM:
            if self.outbox.length_bytes:
                self.outbox.send_to(self.socket)
            return not self.outbox.length_bytes
        if self.waits_for is not END and self.is_whole():
            return True
        arrived = self.socket.recv(RECEIVED_BYTES)
        if self.waits_for is END:
            self.unread_bytes += len(arrived)
            return not arrived or self.unread_bytes > MAX_UNREAD_BYTES
        if not arrived:
            if self.waits_for is HEAD:
                raise ConnectionAbortedError
            return True  # and who reads the body finds it cut short
        if not self.received:
            self.due = monotonic() + self.timeout_s
        self.received += arrived
        return self.is_whole()

    def is_whole(self) -> bool:
        """Whether the head or the body is there; or the head cannot become whole any more."""
        if self.waits_for is BODY:
            return len(self.received) >= self.awaited_bytes
        # What was searched is not searched again: heads may trickle in, byte by byte.
        if http1.HEAD_END.search(self.received, max(0, self.searched_bytes - 3)):
            return True
        self.searched_bytes = len(self.received)
        return bool(len(self.received) > http1.MAX_HEAD_BYTES)

    def read(self, cfg: Any, number: int) -> http1.Request:
        """Return the request whose head is there; raises what is wrong with it."""
        unreader = IterUnreader([bytes(self.received)])
        self.received.clear()
        self.searched_bytes = 0
        request = http1.Request(cfg, unreader, self.address, number)
        self.received += unreader.take_buffered()
        return request

    def close(self) -> None:
        """Close the socket, and forget what waits."""
        self.break_off()
        self.socket.close()
        self.conversation.close()
        self.outbox.clear()

    def break_off(self) -> None:
        """Have the close be a reset, if nothing else tells the client that its answer is cut."""
        if self.resets:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)

    def give_body(self, request: http1.Request) -> None:
        """Let the request read what has arrived behind its head, which else is the next one's."""
        if request.must_close:
            request.unreader.unread(bytes(self.received))
            self.received.clear()
