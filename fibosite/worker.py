"""A gunicorn worker with an event loop that waits and a thread pool that works.

Each connection has a conversation: a generator that reads a request, calls the application, writes
the answer, and yields what it waits for. A thread resumes it while there is something to do. If the
client must act first, the thread leaves the generator suspended and the loop waits for the socket.
So a head that trickles in, an idle connection and a reader that takes nothing hold no thread, and
nothing is computed that a client does not take (backpressure).

Rules:

- The event loop is the process's main thread. It accepts connections, receives what arrives, and
  never runs the application, parses a request, or blocks on anything but epoll.
- Only the threads of the pool resume conversations. All code of the application runs in them, even
  if it is only the end of a generator.
- A connection is owned by the loop while it is armed in epoll; else by the ready queue or by the
  thread that took it from there. An event is delivered once (EPOLLONESHOT), so a thread must not
  touch a connection after arming it. All threads may use epoll itself, unlike `selectors`.
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
"""How many bytes of small pieces are collected before they are sent."""
TURN_BYTES = 1024 * 1024
"""How many bytes a thread sends to one client before it serves others that are ready."""
TURN_S = 0.05
"""How long a thread computes for one client before it sends, and then serves others."""
PATIENCE_MS = {HEAD: 2, ROOM: 20}
"""How long an idle thread waits for a client by itself before it leaves that to the loop."""
MARGIN_S = 0.5
"""How long before the end of the time of grace the process exits by itself."""
PAUSE_S = 0.2
"""How long no connection is accepted after descriptors, threads or memory ran short."""
YIELD_S = 0.001
"""How long a new connection is left to the processes that have fewer."""
LINGER_S = 2.0
"""How long to wait for a client to close its end; and, while the process shuts down, for the next
request on a connection that is kept, as it may be on the way."""
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"

_open_connections = SharedValue("gauge")


class Truncated(Exception):
    """An answer failed after its first byte."""


class ReadyQueue:
    """The connections that a thread can serve: requests first, but every fourth is a stream.

    In one queue a small request would wait for thousands of slow readers whose buffers have room.
    """

    def __init__(self) -> None:
        self._requests, self._streams = deque[Connection](), deque[Connection]()
        self._present: SimpleQueue[None] = SimpleQueue()
        self._taken = count()

    def put(self, connection: Connection) -> None:
        """Add a connection to the end of its queue."""
        (self._streams if connection.waits_for is ROOM else self._requests).append(connection)
        self._present.put(None)

    def get(self) -> Connection:
        """Remove and return the next connection; wait for one."""
        self._present.get()
        first, second = self._requests, self._streams
        if next(self._taken) % 4 == 0:
            first, second = second, first
        while True:  # if another thread takes the same one first, there is another one
            for queue in (first, second):
                with suppress(IndexError):
                    return queue.popleft()

    def empty(self) -> bool:
        """Whether no connection is ready."""
        return self._present.empty()


class ThreadWorker(Worker):  # type: ignore[misc]
    """Few threads, and as many connections as there are descriptors.

    A subclass of Worker: gthread holds a thread from the first byte of a request to the last of its
    answer.
    """

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:  # noqa: ARG003
        """Raise ConfigError if the settings ask for a protocol that is not spoken here."""
        if cfg.is_ssl or cfg.proxy_protocol != "off":
            raise ConfigError("TLS and the PROXY protocol are for a proxy to end.")

    def init_process(self) -> None:
        """Create what the loop and the threads share, and run."""
        self.epoll = select.epoll()
        self.ready = ReadyQueue()
        self.connections: dict[int, Connection] = {}
        self.listeners = {listener.fileno(): listener for listener in self.sockets}
        self.is_listening, self.resume_at, self.has_yielded = False, 0.0, False
        self.threads_started, self.tick_at = 0, 0.0
        self.may_wait = Semaphore(max(1, self.cfg.threads // 2))
        super().init_process()

    # The loop

    def run(self) -> None:
        """Serve until the process is told to end, and then until all answers have ended."""
        self.epoll.register(self.PIPE[0], select.EPOLLIN)
        for listener in self.listeners.values():
            listener.setblocking(False)
            self.epoll.register(listener, 0)
        while self.alive:
            self.try_turn()
        # When the time of grace is over the master kills the process: a truncated body could look
        # complete then.
        end_at = monotonic() + max(self.cfg.graceful_timeout - MARGIN_S, 0)
        for connection in list(self.connections.values()):
            if connection.waits_for is HEAD and not connection.received:
                connection.due = min(connection.due, monotonic() + LINGER_S)
        while self.connections and monotonic() < end_at:
            self.try_turn()
        for connection in list(self.connections.values()):
            with suppress(OSError):
                connection.reset_if_truncated()

    def try_turn(self) -> None:
        """Make a turn of the loop; pause if descriptors or memory are short."""
        try:
            self.turn()
        except (OSError, MemoryError) as error:
            self.pause("The event loop was interrupted", error)
            sleep(PAUSE_S)

    def turn(self) -> None:
        """Wait for events and handle them; once a second do what is due by the clock."""
        self.listen()
        until = min(self.resume_at, self.tick_at) if self.resume_at else self.tick_at
        for descriptor, _ in self.epoll.poll(max(0.0, until - monotonic())):
            try:
                self.handle_event(descriptor)
            except (OSError, MemoryError) as error:
                # The events behind this one would not be delivered again.
                self.pause("An event was lost", error)
                if connection := self.connections.get(descriptor):
                    self.drop(connection)
        if monotonic() >= self.tick_at:
            self.tick_at = monotonic() + 1
            self.notify()
            self.start_threads()
            self.end_overdue()
            if self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                self.alive = False

    def handle_event(self, descriptor: int) -> None:
        """Receive from a client, accept a connection, or empty the pipe that woke the loop."""
        if connection := self.connections.get(descriptor):
            self.receive(connection)
        elif listener := self.listeners.get(descriptor):
            self.accept(listener)
        else:
            os.read(self.PIPE[0], 4096)

    def wake(self) -> None:
        """Interrupt the loop's wait, so that its next turn begins now."""
        with suppress(BlockingIOError):
            os.write(self.PIPE[1], b".")

    def listen(self) -> None:
        """Listen if a connection may be accepted now; else it waits in the listen queue."""
        if self.resume_at and monotonic() >= self.resume_at:
            self.resume_at = 0.0
        wanted = self.alive and not self.resume_at and not self.is_full
        if wanted != self.is_listening:
            self.is_listening = wanted
            for listener in self.listeners.values():
                self.epoll.modify(listener, select.EPOLLIN if wanted else 0)

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as the limit allows."""
        return len(self.connections) >= int(self.cfg.worker_connections)

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, or leave it for a moment to the processes that have fewer."""
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
            return  # another process has accepted it, or the client is gone
        except (OSError, MemoryError) as error:
            self.pause("No connection was accepted", error)
            return
        connection.conversation = self.converse(connection)
        self.connections[client.fileno()] = connection
        _open_connections.inc(1)
        self.receive(connection)

    def pause(self, what: str, error: Exception) -> None:
        """Accept nothing for a moment after a shortage: clients already served come first."""
        self.resume_at = monotonic() + PAUSE_S
        if acquire(what):
            self.log.warning("%s: %s.", what, str(error) or "memory is short")

    def receive(self, connection: Connection) -> None:
        """Receive what a client has sent, and queue the connection if a thread can serve it."""
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

    def end_overdue(self) -> None:
        """Drop connections whose time is over; readers that stall are left to TCP_USER_TIMEOUT."""
        now = monotonic()
        for connection in list(self.connections.values()):
            if not connection.is_armed or connection.waits_for is ROOM or connection.due > now:
                continue
            if connection.waits_for is BODY:
                with suppress(OSError):
                    # The body seems to end here, and its reader finds it cut short.
                    connection.socket.shutdown(socket.SHUT_RD)
            else:
                self.drop(connection)

    def start_threads(self) -> None:
        """Start the threads that are missing; until that succeeds, those that run do the work."""
        try:
            while self.threads_started < self.cfg.threads:
                # threading.Thread.start may wait for ever if the thread cannot start.
                start_new_thread(self.work, ())
                self.threads_started += 1
        except (RuntimeError, MemoryError) as error:
            self.pause(f"There are {self.threads_started} of {self.cfg.threads} threads", error)

    # Whoever owns the connection

    def arm(self, connection: Connection) -> None:
        """Give the connection to the loop until its client has done something."""
        events = select.EPOLLOUT if connection.waits_for is ROOM else select.EPOLLIN
        connection.is_armed = True
        # Once it is armed the loop may drop it as overdue; a closed socket has no descriptor.
        with suppress(ValueError):
            if connection.is_registered:
                self.epoll.modify(connection.socket, events | select.EPOLLONESHOT)
            else:
                connection.is_registered = True
                self.epoll.register(connection.socket, events | select.EPOLLONESHOT)

    def drop(self, connection: Connection) -> None:
        """Close the connection and its conversation, unless that was done before."""
        was_full = self.is_full
        if not self.connections.pop(connection.socket.fileno(), None):
            return
        _open_connections.inc(-1)
        connection.close()
        if was_full or not self.alive:
            self.wake()

    # The thread pool

    def work(self) -> None:
        """Serve connections that are ready, for ever."""
        poll = select.poll()
        while True:
            connection = self.ready.get()
            try:
                self.serve(connection, poll)
            except BaseException:
                # The thread survives any failure.
                with suppress(Exception):
                    self.drop(connection)
                with suppress(Exception):
                    self.log.exception("A conversation failed.")

    def serve(self, connection: Connection, poll: select.poll) -> None:
        """Resume the conversation until its client must act first or others are to be served."""
        turn_ends, due = connection.outbox.sent_bytes + TURN_BYTES, monotonic() + TURN_S
        while True:
            try:
                if connection.step():
                    waits_for = next(connection.conversation, None)
                    if waits_for is None:
                        self.drop(connection)
                        return
                    connection.waits_for = waits_for
            except BlockingIOError:
                if not self.wait_briefly(connection, poll):
                    self.arm(connection)
                    return
            except OSError as gone:
                if isinstance(gone, TimeoutError):
                    self.log.info("A reader that had stalled was dropped.")
                self.drop(connection)
                return
            is_turn_over = connection.outbox.sent_bytes > turn_ends or monotonic() > due
            if (is_turn_over or connection.waits_for is HEAD) and not self.ready.empty():
                self.ready.put(connection)
                return

    def wait_briefly(self, connection: Connection, poll: select.poll) -> bool:
        """Wait PATIENCE_MS for the client and return whether it acted.

        Not if others are ready, or if half of the threads already wait: that saves two system calls
        and two switches of threads, and must cost nobody else a thread.
        """
        patience_ms = PATIENCE_MS.get(connection.waits_for)
        if not patience_ms or connection.received or not self.ready.empty():
            return False
        if not self.may_wait.acquire(blocking=False):
            return False
        try:
            events = select.POLLOUT if connection.waits_for is ROOM else select.POLLIN
            poll.register(connection.socket, events)
            return bool(poll.poll(patience_ms))
        finally:
            poll.unregister(connection.socket)
            self.may_wait.release()

    def converse(self, connection: Connection) -> Generator[str]:
        """Answer the requests of a connection in turn; yield what it waits for.

        What the outbox holds when it returns is discarded: the client sees a truncated answer.
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
            except Truncated as failed:
                if not isinstance(failed.__cause__, MemoryError):
                    self.log.error("An answer was cut off.", exc_info=failed)
                elif acquire("memory"):
                    self.log.error("Memory is short: an answer was cut off.")
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
        """Call the application, write its answer, and return whether the connection is kept.

        A failure before the first byte is raised as it is, a later one as Truncated.
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
            environ["fibo.has_left"] = connection.has_left
            self.count_request()
            if not self.alive or not self.cfg.keepalive or self.is_full:
                response.force_close()
            body = self.wsgi(environ, response.start_response)
            due = monotonic() + TURN_S
            try:
                for piece in pieces_of(body):
                    response.write(piece)
                    del piece  # from here on the outbox alone refers to it
                    connection.needs_reset = response.ends_with_connection
                    if connection.outbox.length_bytes >= FRAMED_BYTES or monotonic() > due:
                        yield ROOM
                        due = monotonic() + TURN_S
                if response.is_short:
                    raise Truncated(f"{response.sent} of {response.response_length} bytes")
                response.close()
                yield ROOM
                connection.needs_reset = False
            finally:
                self.log.access(response, request, environ, datetime.now() - started)
                if hasattr(body, "close"):
                    body.close()
        except Exception as error:
            if response and response.headers_sent:
                raise Truncated from error
            raise
        finally:
            self.cfg.post_request(self, request, environ, response)
        return not response.should_close()

    def count_request(self) -> None:
        """Count a request; the last one that the process may serve ends it (max_requests)."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
            self.wake()

    def handle_error(self, req: Any, client: Outbox, addr: Any, exc: Exception) -> None:
        """Answer a request that was refused before the application or failed in it."""
        if http1.is_clients(exc):
            self.log.debug("A request of %s was refused: %s", addr, exc)
        elif isinstance(exc, MemoryError):
            if acquire("memory"):
                self.log.error("Memory is short: %s.", exc)
        else:
            self.log.error("A request of %s failed.", addr, exc_info=exc)
        request = req or getattr(exc, "request", None)
        client.sendall(http1.refusal(exc, getattr(request, "method", None)))
