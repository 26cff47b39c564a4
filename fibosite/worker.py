"""gunicorn's worker in which threads work and an event loop waits.

Each connection is a conversation: a generator that reads a request, asks the application and
writes the answer, and that yields what it waits for. A thread goes on with it while there is
something to do. When its client has to do something first, the thread leaves the conversation as it
is, and the loop waits for the socket. So a head that trickles in, an idle connection and a reader
that takes nothing hold no thread, and what a client does not take is not computed (backpressure).

Who may do what:

- The loop is the process's main thread. It accepts connections, takes in what arrives, and never
  runs the application, parses or waits for anything but events.
- Threads go on with conversations. Nobody else does, and the code of the application, be it only
  the end of a generator, runs in them alone.
- A connection belongs to the loop while it is armed in epoll, and else to the thread that has it,
  or to the queue. Events are told once (EPOLLONESHOT), so a thread that has armed a connection must
  not touch it any more. epoll itself may be used by all threads, as selectors may not.
"""

import os
import select
import socket
from _thread import start_new_thread
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from datetime import datetime
from itertools import count
from queue import SimpleQueue
from threading import Semaphore
from time import monotonic, sleep
from typing import Any

from gunicorn.errors import ConfigError
from gunicorn.http import wsgi
from gunicorn.workers.base import Worker

from fibosite import http1
from fibosite.connection import BODY, END, HEAD, ROOM, Connection
from fibosite.sending import Outbox, Response
from sequence.index.ratelimit import acquire
from sequence.store.pieces import pieces_of
from sequence.web.counting import SharedValue

FRAMED_BYTES = 64 * 1024
"""How much of small pieces is sent at once."""
TURN_BYTES = 1024 * 1024
"""How much is sent for a connection before others have their turn."""
PATIENCE_MS = {HEAD: 2, ROOM: 20}
"""How long a thread that nobody else needs waits for a client before it leaves that to the loop."""
MARGIN_S = 0.5
"""How long before the end of the time of grace the process ends by itself."""
PAUSE_S = 0.2
"""How long no connection is accepted after one for which something was short."""
YIELD_S = 0.001
"""How long a connection is left to processes that have fewer."""
LINGER_S = 2.0
"""How long a client is waited for that does not close its end, or, when the process ends, that
keeps its connection: its next request may be on the way."""
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"

_open_connections = SharedValue("gauge")


class BrokenOff(Exception):
    """Something failed when an answer had begun."""


class Ready:
    """The connections that can go on: requests first, but every fourth is a stream.

    Else a small request would wait for thousands of slow readers whose buffers have room.
    """

    def __init__(self) -> None:
        self._requests, self._streams = deque[Connection](), deque[Connection]()
        self._present: SimpleQueue[None] = SimpleQueue()
        self._taken = count()

    def put(self, connection: Connection) -> None:
        """Add a connection, behind its like."""
        (self._streams if connection.waits_for is ROOM else self._requests).append(connection)
        self._present.put(None)

    def get(self) -> Connection:
        """Take the next connection; wait for one."""
        self._present.get()
        first, second = self._requests, self._streams
        if next(self._taken) % 4 == 0:
            first, second = second, first
        while True:  # of two threads that see the same one, the other finds another one
            for queue in (first, second):
                with suppress(IndexError):
                    return queue.popleft()

    def empty(self) -> bool:
        """Whether no connection can go on."""
        return self._present.empty()


class ThreadWorker(Worker):  # type: ignore[misc]
    """Few threads, and connections as many as there are descriptors for.

    gunicorn's gthread holds a thread from the first byte of a request to the last of its answer, so
    this is made of the class below it.
    """

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:  # noqa: ARG003
        """Raise ConfigError for what this worker does not speak."""
        if cfg.is_ssl or cfg.proxy_protocol != "off":
            raise ConfigError("TLS and the PROXY protocol are for a proxy to end.")

    def init_process(self) -> None:
        """Make what the loop and the threads share, and run."""
        self.epoll = select.epoll()
        self.ready = Ready()
        self.connections: dict[int, Connection] = {}
        self.listeners = {listener.fileno(): listener for listener in self.sockets}
        self.is_listening, self.resume_at, self.has_yielded = False, 0.0, False
        self.threads_begun, self.look_at = 0, 0.0
        self.patient = Semaphore(max(1, self.cfg.threads // 2))
        super().init_process()

    # The loop

    def run(self) -> None:
        """Serve until the process is to end, and then until all answers have ended."""
        self.epoll.register(self.PIPE[0], select.EPOLLIN)
        for listener in self.listeners.values():
            listener.setblocking(False)
            self.epoll.register(listener, 0)
        while self.alive:
            self.turn_if_possible()
        # Then the master kills the process, and a cut body could look whole.
        end_at = monotonic() + max(self.cfg.graceful_timeout - MARGIN_S, 0)
        for connection in list(self.connections.values()):
            self.limit_wait(connection)
        while self.connections and monotonic() < end_at:
            self.turn_if_possible()
        for connection in list(self.connections.values()):
            with suppress(OSError):
                connection.break_off()

    def turn_if_possible(self) -> None:
        """Make a turn; what is short may be there for the next."""
        try:
            self.turn()
        except (OSError, MemoryError) as error:
            self.pause("The event loop was interrupted", error)
            sleep(PAUSE_S)

    def turn(self) -> None:
        """Wait for events, and deal with them; once a second look after the rest."""
        self.listen()
        until = min(self.resume_at, self.look_at) if self.resume_at else self.look_at
        for descriptor, _ in self.epoll.poll(max(0.0, until - monotonic())):
            try:
                self.deal_with(descriptor)
            except (OSError, MemoryError) as error:
                # The others' events would not be told again.
                self.pause("An event was lost", error)
                if connection := self.connections.get(descriptor):
                    self.drop(connection)
        if monotonic() >= self.look_at:
            self.look_at = monotonic() + 1
            self.notify()
            self.begin_threads()
            self.end_waits()
            if self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                self.alive = False

    def deal_with(self, descriptor: int) -> None:
        """Go on where something has happened."""
        if connection := self.connections.get(descriptor):
            self.on_event(connection)
        elif listener := self.listeners.get(descriptor):
            self.accept(listener)
        else:
            os.read(self.PIPE[0], 4096)

    def wake(self) -> None:
        """Have the loop make its next turn now."""
        with suppress(BlockingIOError):
            os.write(self.PIPE[1], b".")

    def listen(self) -> None:
        """Listen if one more connection may be accepted now; else it waits in the listen queue."""
        if self.resume_at and monotonic() >= self.resume_at:
            self.resume_at = 0.0
        wanted = self.alive and not self.resume_at and not self.is_full
        if wanted != self.is_listening:
            self.is_listening = wanted
            for listener in self.listeners.values():
                self.epoll.modify(listener, select.EPOLLIN if wanted else 0)

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return len(self.connections) >= int(self.cfg.worker_connections)

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, or leave it for a moment to a process that has fewer."""
        more_than_share = len(self.connections) * self.cfg.workers > _open_connections.get()
        if more_than_share and not self.has_yielded:
            self.has_yielded, self.resume_at = True, monotonic() + YIELD_S
            return
        self.has_yielded = False
        try:
            client, address = listener.accept()
            client.setblocking(False)
            connection = Connection(client, address, listener.getsockname(), self.cfg.timeout)
        except (BlockingIOError, ConnectionAbortedError):
            return  # another process has accepted it, or it is gone
        except (OSError, MemoryError) as error:
            self.pause("No connection was accepted", error)
            return
        connection.conversation = self.converse(connection)
        self.connections[client.fileno()] = connection
        _open_connections.inc(1)
        self.on_event(connection)

    def pause(self, what: str, error: Exception) -> None:
        """Accept nothing for a moment, as something is short: those who are served come first."""
        self.resume_at = monotonic() + PAUSE_S
        if acquire(what):
            self.log.warning("%s: %s.", what, str(error) or "memory is short")

    def on_event(self, connection: Connection) -> None:
        """Take in what a client has sent, and give the connection to a thread if it can go on."""
        connection.is_armed = False
        if connection.waits_for is ROOM:
            self.ready.put(connection)
            return
        try:
            if not connection.step():
                self.arm(connection)
            elif connection.waits_for is END:
                self.drop(connection)
            else:
                self.ready.put(connection)
        except BlockingIOError:
            self.arm(connection)
        except (OSError, MemoryError):
            self.drop(connection)

    def end_waits(self) -> None:
        """Wait no longer for what is late. A reader that stalls is TCP_USER_TIMEOUT's to end."""
        now = monotonic()
        for connection in list(self.connections.values()):
            if not connection.is_armed or connection.waits_for is ROOM or connection.due > now:
                continue
            if connection.waits_for is BODY:
                with suppress(OSError):
                    # It seems to end here, and who reads it finds it cut short.
                    connection.socket.shutdown(socket.SHUT_RD)
            else:
                self.drop(connection)

    def begin_threads(self) -> None:
        """Begin the threads that are missing; if there are too few, the others do their work."""
        try:
            while self.threads_begun < self.cfg.threads:
                # Of threading's a failed start may wait for ever.
                start_new_thread(self.work, ())
                self.threads_begun += 1
        except (RuntimeError, MemoryError) as error:
            self.pause(f"There are {self.threads_begun} of {self.cfg.threads} threads", error)

    # Either: whoever has the connection

    def arm(self, connection: Connection) -> None:
        """Leave the connection to the loop until its client has done something."""
        events = select.EPOLLOUT if connection.waits_for is ROOM else select.EPOLLIN
        connection.is_armed = True
        # Of a closed socket there is no descriptor: the loop may drop what is armed, as it is late.
        with suppress(ValueError):
            if connection.is_registered:
                self.epoll.modify(connection.socket, events | select.EPOLLONESHOT)
            else:
                connection.is_registered = True
                self.epoll.register(connection.socket, events | select.EPOLLONESHOT)

    def drop(self, connection: Connection) -> None:
        """Close the connection, and the conversation where it is; nothing if that was done."""
        was_full = self.is_full
        if not self.connections.pop(connection.socket.fileno(), None):
            return
        _open_connections.inc(-1)
        connection.close()
        if was_full or not self.alive:
            self.wake()

    def limit_wait(self, connection: Connection) -> None:
        """Wait no longer for a next request than the end of the process allows."""
        if connection.waits_for is HEAD and not connection.received:
            connection.due = min(connection.due, monotonic() + LINGER_S)

    # The threads

    def work(self) -> None:
        """Go on with connections that are ready, for ever."""
        poll = select.poll()
        while True:
            connection = self.ready.get()
            try:
                self.go_on(connection, poll)
            except BaseException:
                # Whatever is short, the thread goes on.
                with suppress(Exception):
                    self.drop(connection)
                with suppress(Exception):
                    self.log.exception("A conversation failed.")

    def go_on(self, connection: Connection, poll: select.poll) -> None:
        """Go on until the client has to do something first, or it is the turn of others."""
        turn_ends = connection.outbox.sent_bytes + TURN_BYTES
        while True:
            try:
                if connection.step():
                    waits_for = next(connection.conversation, None)
                    if waits_for is None:
                        self.drop(connection)
                        return
                    connection.waits_for = waits_for
            except BlockingIOError:
                if not self.is_soon_there(connection, poll):
                    self.arm(connection)
                    return
            except OSError as gone:
                if isinstance(gone, TimeoutError):
                    self.log.info("A reader that had stalled was dropped.")
                self.drop(connection)
                return
            is_over = connection.outbox.sent_bytes > turn_ends or connection.waits_for is HEAD
            if is_over and not self.ready.empty():
                self.ready.put(connection)
                return

    def is_soon_there(self, connection: Connection, poll: select.poll) -> bool:
        """Wait a moment for the client, if nobody else needs this thread, and half of them are."""
        patience_ms = PATIENCE_MS.get(connection.waits_for)
        if not patience_ms or connection.received or not self.ready.empty():
            return False
        if not self.patient.acquire(blocking=False):
            return False
        try:
            events = select.POLLOUT if connection.waits_for is ROOM else select.POLLIN
            poll.register(connection.socket, events)
            return bool(poll.poll(patience_ms))
        finally:
            poll.unregister(connection.socket)
            self.patient.release()

    def converse(self, connection: Connection) -> Generator[str]:
        """Answer the requests of a connection, one after another; yield what is waited for.

        What is not sent when it ends is not sent at all: the client sees that it breaks off.
        """
        for number in count(1):
            request: http1.Request | None = None
            keeps = False
            try:
                request = connection.read(self.cfg, number)
                if request.expects_100_continue:
                    connection.outbox.sendall(INTERIM)
                if request.awaited_bytes:
                    yield ROOM
                    connection.awaited_bytes = request.awaited_bytes
                    yield BODY
                connection.give_body(request)
                keeps = yield from self.answer(connection, request)
            except BrokenOff as failed:
                if not isinstance(failed.__cause__, MemoryError):
                    self.log.error("An answer broke off.", exc_info=failed)
                elif acquire("memory"):
                    self.log.error("Memory is short: an answer broke off.")
                return
            except Exception as error:
                self.handle_error(request, connection.outbox, connection.address, error)
                yield ROOM
            if not keeps:
                break
            idle_s = self.cfg.keepalive if self.alive else min(self.cfg.keepalive, LINGER_S)
            connection.due = monotonic() + (self.cfg.timeout if connection.received else idle_s)
            yield HEAD
        connection.socket.shutdown(socket.SHUT_WR)
        connection.due = monotonic() + LINGER_S
        yield END

    def answer(self, connection: Connection, request: http1.Request) -> Generator[str, None, bool]:
        """Ask the application, and write its answer; return whether the connection is kept.

        Raises BrokenOff if something fails when the answer has begun, and else what failed.
        """
        started = datetime.now()
        environ: dict[str, Any] = {}
        response: Response | None = None
        try:
            self.cfg.pre_request(self, request)
            response, environ = wsgi.create(
                request,
                connection.outbox,
                connection.address,
                connection.server,
                self.cfg,
                response_class=Response,
            )
            environ["wsgi.multithread"] = True
            self.count_request()
            if not self.alive or not self.cfg.keepalive or self.is_full:
                response.force_close()
            body = self.wsgi(environ, response.start_response)
            try:
                for piece in pieces_of(body):
                    response.write(piece)
                    # The outbox alone has it, until it is sent.
                    del piece
                    connection.resets = response.ends_with_connection
                    if connection.outbox.length_bytes >= FRAMED_BYTES:
                        yield ROOM
                if response.is_short:
                    raise BrokenOff(f"{response.sent} of {response.response_length} bytes")
                response.close()
                yield ROOM
                connection.resets = False
            finally:
                self.log.access(response, request, environ, datetime.now() - started)
                if hasattr(body, "close"):
                    body.close()
        except Exception as error:
            if response and response.headers_sent:
                raise BrokenOff from error
            raise
        finally:
            self.cfg.post_request(self, request, environ, response)
        return not response.should_close()

    def count_request(self) -> None:
        """Count a request, and end with the last one that the process may serve."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
            self.wake()

    def handle_error(self, req: Any, client: Outbox, addr: Any, exc: Exception) -> None:
        """Answer a request that did not reach the application, or that raised in it."""
        if http1.is_clients(exc):
            self.log.debug("A request of %s was refused: %s", addr, exc)
        elif isinstance(exc, MemoryError):
            if acquire("memory"):
                self.log.error("Memory is short: %s.", exc)
        else:
            self.log.error("A request of %s failed.", addr, exc_info=exc)
        request = req or getattr(exc, "request", None)
        client.sendall(http1.refusal(exc, getattr(request, "method", None)))
