"""The service behind nginx as docs/nginx.conf has it: as it is by itself, and for more clients."""

import hashlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest
import zstandard

from tests.support import oracle
from tests.support.clients import LONG, clients, head, slowest_s
from tests.support.faults import Injected
from tests.support.fronts import REQUESTS, WINDOW, answered
from tests.support.metrics import in_progress
from tests.support.processes import ROOT
from tests.support.reference import SHA256
from tests.support.servers import Serve, Server, sha256_of, workers_of
from tests.support.waiting import again_and_again, soon

pytestmark = pytest.mark.drill


CONFIGURATION = ROOT / "docs" / "nginx.conf"

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


class Nginx(Server):
    """An nginx before a server, by the configuration in the documentation but for the ports."""

    def __init__(self, behind: Server, directory: Path) -> None:
        self.log = directory / "nginx.log"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        text = CONFIGURATION.read_text()
        for ours, theirs in (
            ("listen 80 ", f"listen 127.0.0.1:{self.port} "),
            (":8888", f":{behind.port}"),
        ):
            assert text.count(ours) == 1
            text = text.replace(ours, theirs)
        path = directory / "nginx.conf"
        path.write_text(text)
        pid = f"daemon off; pid {directory}/nginx.pid;"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [NGINX, "-p", directory, "-c", path, "-e", "stderr", "-g", pid], stderr=log
            )
        deadline = monotonic() + 10
        while self.process.poll() is None and monotonic() < deadline:
            with socket.socket() as client:
                if not client.connect_ex(("127.0.0.1", self.port)):
                    return
            sleep(0.01)
        raise AssertionError(self.log.read_text())


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Callable[[Server], Nginx]]:
    """Puts an nginx before a server."""
    started: list[Nginx] = []

    def start(server: Server) -> Nginx:
        started.append(Nginx(server, tmp_path))
        return started[-1]

    yield start
    for nginx in started:
        nginx.stop()


Before = Callable[[Server], Nginx]


def test_every_answer_is_the_same_behind_nginx(shared_server: Server, before: Before) -> None:
    nginx = before(shared_server)
    statuses = set()
    for request in REQUESTS:
        direct = answered(shared_server, *request)
        assert answered(nginx, *request) == direct, request
        statuses.add(direct[0])
    assert statuses == {200, 204, 206, 304, 400, 404, 405, 406, 412, 416}
    etag = shared_server.get(WINDOW)[1]["ETag"]
    assert nginx.get(WINDOW, If_None_Match=etag)[0] == 304
    assert nginx.get(WINDOW, Range="bytes=0-9", If_Range=etag)[0] == 206


def test_a_hundred_thousand_terms_are_right_behind_nginx(serve: Serve, before: Before) -> None:
    nginx = before(serve())
    assert sha256_of(nginx, "/?sn=100000") == SHA256
    with nginx.asked("/?sn=100000", Accept_Encoding="zstd") as response:
        assert response.headers["Content-Encoding"] == "zstd"
        reader = zstandard.ZstdDecompressor().stream_reader(response, read_across_frames=True)
        digest = hashlib.sha256()
        while chunk := reader.read(1 << 20):
            digest.update(chunk)
    assert digest.hexdigest() == SHA256


def test_two_hundred_slow_readers_behind_nginx_keep_nobody_waiting(
    serve: Serve, before: Before, injected: Injected
) -> None:
    server = serve()
    nginx = before(server)
    server.get(LONG)
    with clients(nginx, 200, head(LONG)) as slow:
        received = [len(client.recv(1000)) for client in slow]

        def trickle() -> None:
            for client in slow:
                received.append(len(client.recv(5000)))

        with again_and_again(trickle, every_s=0.5):
            soon(200, lambda: in_progress(server))
            slowest = slowest_s(nginx, 30)
        assert slowest < 1
        assert 0 not in received
        written = [process.io_counters().write_bytes for process in children_of(nginx)]
    assert sum(written) < 1 << 20  # no temporary files
    soon(0, lambda: in_progress(server))
    injected("a slow reader behind nginx", 200, f"a fresh request took {slowest:.3f} s at most")


def children_of(nginx: Nginx) -> list[psutil.Process]:
    """nginx's workers."""
    return psutil.Process(nginx.process.pid).children()


def test_a_worker_that_dies_in_mid_stream_is_seen_behind_nginx(
    serve: Serve, before: Before, tmp_path: Path, injected: Injected
) -> None:
    server = serve()
    nginx = before(server)
    address, path = f"http://127.0.0.1:{nginx.port}{LONG}", tmp_path / "received"
    curl = ["curl", "-s", "-o", str(path), address]
    codings: tuple[list[str], ...] = ([], ["-H", "Accept-Encoding: zstd"])
    for coding in codings:
        with subprocess.Popen([*curl, "--limit-rate", "5M", *coding]) as client:
            soon(1, lambda: in_progress(server))
            sleep(1)
            workers = workers_of(server)
            for worker in workers:
                worker.kill()
            assert client.wait(60) == 18  # "partial file"
        workers_of(server, tuple(workers))
        if not coding:
            assert 0 < path.stat().st_size < int(server.get(LONG, "HEAD")[1]["Content-Length"])
            subprocess.run([*curl, "-C", "-"], check=True)
            assert path.read_bytes() == oracle.text(0, 40_000)
    injected("a worker killed in mid-stream behind nginx", 2, "curl said so, and went on")


def test_nginx_is_content_with_the_file_as_it_is() -> None:
    found = subprocess.run(
        [NGINX, "-t", "-e", "stderr", "-c", CONFIGURATION, "-g", "pid /dev/null;"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert "[warn]" not in found.stderr
