"""A gunicorn on a free port, what it answers, its workers and what its log says."""

import hashlib
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import psutil
from isal import isal_zlib

from tests.support.processes import ROOT, environment
from tests.support.waiting import soon


class Server:
    """A gunicorn on a free loopback port, as `make serve` starts it."""

    config = "fibosite/gunicorn.conf.py"

    def __init__(self, data_dir: Path, *before: str, **variables: str) -> None:
        """`before` begins its command."""
        self.data_dir = data_dir
        # Beside the directory, which may be full, or read-only.
        self.log = data_dir.with_name(f"{data_dir.name}.log")
        with (
            socket.create_server(("127.0.0.1", 0), backlog=1024) as listener,
            self.log.open("w") as log,
        ):
            self.port = listener.getsockname()[1]
            self.process = subprocess.Popen(
                [
                    *before,
                    *(sys.executable, "-m", "gunicorn", f"--config={self.config}"),
                    f"--bind=fd://{listener.fileno()}",
                ],
                cwd=ROOT,
                env=environment(data_dir, **variables),
                pass_fds=[listener.fileno()],
                stderr=log,
            )

    def connect(self) -> HTTPConnection:
        """A new connection."""
        return HTTPConnection("127.0.0.1", self.port, timeout=120)

    @contextmanager
    def asked(self, target: str, method: str = "GET", **headers: str) -> Iterator[HTTPResponse]:
        """The answer, its body still to be read; the connection is closed at the end."""
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target, headers=named)
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    def get(
        self, target: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        with self.asked(target, method, **headers) as response:
            return response.status, dict(response.getheaders()), response.read()

    def raw(self, request: str) -> bytes:
        """Everything that comes back, until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(request.encode("latin-1"))
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def stop(self) -> int:
        """Ends it as an operator would, and returns its exit status."""
        self.process.terminate()
        # The grace time, as a segment may be on its way to a disk that others fill.
        return self.process.wait(100)


@contextmanager
def served(data_dir: Path, *before: str, **variables: str) -> Iterator[Server]:
    """A server on the data directory, which is made, for as long as it is needed."""
    data_dir.mkdir(exist_ok=True)
    server = Server(data_dir, *before, **variables)
    try:
        # The listener was there before the server: the first request waits until it is up.
        assert server.get("/livez")[0] == 200, server.log.read_text()
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


Serve = Callable[..., Server]


def sha256_of(server: Server, target: str) -> str:
    """The hash of a whole answer."""
    with server.asked(target) as response:
        assert response.status == 200
        return hashlib.file_digest(response, "sha256").hexdigest()


def crc_of(server: Server, target: str) -> tuple[int, int, int]:
    """Status, length and CRC-32 of an answer, with little work for it."""
    with server.asked(target) as response:
        buffer = bytearray(1 << 20)
        crc = length = 0
        while count := response.readinto(buffer):
            crc = isal_zlib.crc32(memoryview(buffer)[:count], crc)
            length += count
        return response.status, length, crc


def built_segments(server: Server) -> list[int]:
    """The segments that the server says it built, in the order of the log."""
    return built_in(server.log.read_text())


def built_in(log: str) -> list[int]:
    """The segments that were built, as a log tells, in its order."""
    return [int(number) for number in re.findall(r"Built segment (\d+):", log)]


def workers_of(server: Server, other_than: tuple[psutil.Process, ...] = ()) -> list[psutil.Process]:
    """Both of its workers, when they are there and those others are gone."""

    def present() -> list[psutil.Process]:
        return psutil.Process(server.process.pid).children()

    soon(2, lambda: len(present()) if not set(present()) & set(other_than) else 0)
    return present()


def only_worker_of(server: Server) -> list[psutil.Process]:
    """The worker of a server that has one."""
    return psutil.Process(server.process.pid).children()
