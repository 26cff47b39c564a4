"""gunicorn's threaded worker, which slow clients and too few descriptors leave in service."""

import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any

from gunicorn.http.parser import RequestParser
from gunicorn.util import close_graceful
from gunicorn.workers import gthread

from fibosite.http1 import Request, is_clients, refusal
from sequence.ratelimit import acquire

PAUSE_S = 0.2
"""How long no connection is accepted after one for which there was no file descriptor."""
MAX_UNREAD_BYTES = 16 * 1024 * 1024
"""How much of what nobody reads is taken in before a close, which else would lose the answer."""

RequestParser.mesg_class = Request


class PatientPool(ThreadPoolExecutor):
    """A thread pool that goes on with the threads it has if no more can be started."""

    def _adjust_thread_count(self) -> None:
        # What is submitted is in the queue by then, and the threads that there are take it.
        with suppress(RuntimeError, MemoryError):
            super()._adjust_thread_count()


class ThreadWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """gthread, but for five things that gunicorn 27.0.1 does.

    It accepts connections when all threads are held: they wait beside another process that is
    idle. It waits for ever for the rest of a request that has begun. Its main thread, which
    accepts, waits up to 2 s for each client that does not close its end. And when no connection can
    be accepted, as descriptors are short, or no thread started, the worker ends, and all of its
    streams with it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.resume_at = 0.0
        # Of connections whose request is still arriving.
        self.due: dict[gthread.TConn, float] = {}

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """The threads that answer requests."""
        return PatientPool(self.cfg.threads)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accepts or not; not, whoever asks, while all threads are held or after EMFILE."""
        idle = len(self.keepalived_conns) + len(self.pending_conns)
        free = self.nr_conns - idle < self.cfg.threads
        super().set_accept_enabled(enabled and free and monotonic() >= self.resume_at)

    def accept(self, listener: socket.socket) -> None:
        """Accepts one connection; where no descriptor is left, leaves it for later or another."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                raise
            if acquire("accept"):
                self.log.warning("No connection was accepted: %s.", error.strerror)
            # The waiting connection would else wake this thread again at once, without end.
            self.resume_at = monotonic() + PAUSE_S
        self.set_accept_enabled(True)

    def handle(self, conn: gthread.TConn) -> object:
        """Whether the connection is kept, after one request."""
        self.due[conn] = monotonic() + self.cfg.timeout
        try:
            kept: object = super().handle(conn)
        finally:
            self.due.pop(conn, None)
        if kept is False:
            with suppress(OSError):
                # Waits for the client to close its end, here and not in the main thread, which
                # then finds nothing to wait for. A duplicate, as the main thread closes it again.
                close_graceful(conn.sock.dup(), max_drain=MAX_UNREAD_BYTES)
                conn.sock.shutdown(socket.SHUT_RD)
        return kept

    def handle_request(self, req: Any, conn: gthread.TConn) -> object:
        """Whether the connection is kept. The head is here; of GET and HEAD nobody reads more."""
        if req.method in ("GET", "HEAD"):
            self.due.pop(conn, None)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            # TCP_USER_TIMEOUT (gunicorn.conf.py); gunicorn would log a traceback.
            self.log.info("A reader that had stalled was dropped.")
            return False

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer a request that did not reach the application, or that raised in it."""
        if is_clients(exc):
            self.log.debug("A request of %s was refused: %s", addr, exc)
        elif isinstance(exc, MemoryError):
            if acquire("memory"):
                self.log.error("Memory is short: %s.", exc)
        else:
            self.log.error("A request of %s failed.", addr, exc_info=exc)
        request = req or getattr(exc, "request", None)
        with suppress(OSError):
            client.sendall(refusal(exc, getattr(request, "method", None)))

    def murder_pending(self) -> None:
        """What gunicorn calls every second: gives up requests that do not arrive.

        Only reading ends: an answer that has begun meanwhile is not harmed.
        """
        super().murder_pending()
        now = monotonic()
        for conn, due in list(self.due.items()):
            if due < now:
                self.due.pop(conn, None)
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)
