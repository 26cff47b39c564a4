"""A client's connection, used by the event loop and the threads of fibosite/worker.py in turn.

Nothing here blocks: what cannot be done now raises BlockingIOError.
"""

import select
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
"""How much is received at once."""
MAX_UNREAD_BYTES = 16 * 1024 * 1024
"""How much unread input is received and discarded before a close: closing a socket that has unread
input resets the connection, and the client may lose the answer."""
ABORTIVE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: a close resets the connection."""


class Connection:
    """A client's socket, the received bytes that are not read yet, and the outbox."""

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
        # Whether only a reset tells the client that its answer is truncated.
        self.needs_reset = False

    def step(self) -> bool:
        """Receive or send once, as `waits_for` says; return whether the wait is over.

        Raises BlockingIOError if the client must act first, another OSError if it is gone.
        """
        if self.waits_for is ROOM:
            if self.outbox.length_bytes:
                self.outbox.send_to(self.socket)
            return not self.outbox.length_bytes
        if self.waits_for is not END and self.search():
            return True
        arrived = self.socket.recv(RECEIVED_BYTES)
        if self.waits_for is END:
            self.unread_bytes += len(arrived)
            return not arrived or self.unread_bytes > MAX_UNREAD_BYTES
        if not arrived:
            if self.waits_for is HEAD:
                raise ConnectionAbortedError
            return True  # the reader of the body finds it cut short
        if not self.received:
            self.due = monotonic() + self.timeout_s
        self.received += arrived
        return self.search()

    def search(self) -> bool:
        """Search for the end of the head or body; whether it was found, or the head is too long."""
        if self.waits_for is BODY:
            return len(self.received) >= self.awaited_bytes
        # Nothing is searched twice: heads may trickle in byte by byte.
        if http1.HEAD_END.search(self.received, max(0, self.searched_bytes - 3)):
            return True
        self.searched_bytes = len(self.received)
        return bool(len(self.received) > http1.MAX_HEAD_BYTES)

    def read(self, cfg: Any, number: int) -> http1.Request:
        """Return the request whose head has arrived; raise what is wrong with it."""
        unreader = IterUnreader([bytes(self.received)])
        self.received.clear()
        self.searched_bytes = 0
        request = http1.Request(cfg, unreader, self.address, number)
        self.received += unreader.take_buffered()
        return request

    def has_left(self) -> bool:
        """Whether the client has closed its end. One that still reads cannot be told from it."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close the socket and the conversation, and discard what is not sent."""
        self.reset_if_truncated()
        self.socket.close()
        self.conversation.close()
        self.outbox.clear()

    def reset_if_truncated(self) -> None:
        """Make the close a reset if nothing else tells the client that its answer is truncated."""
        if self.needs_reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)

    def give_body(self, request: http1.Request) -> None:
        """Give the bytes after the head to the request; without a body they are the next one's."""
        if request.must_close:
            request.unreader.unread(bytes(self.received))
            self.received.clear()
