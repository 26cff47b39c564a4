"""The service under clients that are slow, stall or leave, and when a worker or a descriptor fails.

The rows are those of docs/hostile-inputs.md: 22, 23, 34, 37.
"""

import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import IncompleteRead
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import psutil
import pytest

from tests.support import oracle
from tests.support.clients import LONG, clients, head, slowest_s
from tests.support.metrics import aborted, in_progress, scraped, value
from tests.support.servers import Serve, Server, only_worker_of, workers_of
from tests.support.waiting import again_and_again, soon

LISTENING = 1
"""The socket that a worker holds when it has no client."""


SOCKETS, SEGMENTS = "socket:", "/segments/"


def held(worker: psutil.Process, *kinds: str) -> int:
    """How many of its descriptors are of these kinds; those of SQLite stay with a thread."""
    kinds = kinds or (SOCKETS, SEGMENTS)
    count = 0
    for descriptor in Path(f"/proc/{worker.pid}/fd").iterdir():
        try:
            file = str(descriptor.readlink())
        except FileNotFoundError:
            continue  # closed meanwhile
        count += any(kind in file for kind in kinds)
    return count


def with_long_stored(serve: Serve) -> Server:
    """A server of one worker that has stored the long answer."""
    server = serve(WEB_CONCURRENCY="1")
    server.get(LONG)
    soon(3, lambda: value(scraped(server), "fibo_store_segments"))
    return server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers are handed a listener with a stall timeout of its own, of 2 s."""
    create_server = socket.create_server

    def create(address: tuple[str, int], backlog: int) -> socket.socket:
        listener = create_server(address, backlog=backlog)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2000)
        return listener

    monkeypatch.setattr(socket, "create_server", create)


@pytest.mark.usefixtures("impatient")
def test_a_stalled_reader_is_dropped_and_a_slow_one_beside_it_is_not(serve: Serve) -> None:
    server = with_long_stored(serve)
    (worker,) = only_worker_of(server)
    soon(LISTENING, lambda: held(worker))
    with clients(server, 5, head(LONG)) as stalled, clients(server, 1, head(LONG)) as (slow,):
        received = [len(client.recv(1000)) for client in stalled]
        with again_and_again(lambda: received.append(len(slow.recv(20_000))), every_s=0.02):
            soon(1, lambda: in_progress(server))
        assert aborted(server) == 5
        assert 0 not in received
        # The slow reader's connection and its segment.
        soon(LISTENING + 2, lambda: held(worker))
    soon(0, lambda: in_progress(server))
    soon(LISTENING, lambda: held(worker))
    log = server.log.read_text()
    assert log.count("A reader that had stalled was dropped.") == 5
    assert "Traceback" not in log


def test_clients_that_leave_free_their_connections_and_then_the_files(serve: Serve) -> None:
    server = with_long_stored(serve)
    (worker,) = only_worker_of(server)
    soon(LISTENING, lambda: held(worker))
    with clients(server, 20, head(LONG)) as leaving:
        for client in leaving:
            client.recv(1000)
        for client in leaving[::2]:
            # Closed by RST; the others' FIN is followed by one, as there is more to read.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert held(worker, SOCKETS) >= LISTENING + 20
        assert held(worker, SEGMENTS) == 1
    left = monotonic()
    soon(LISTENING, lambda: held(worker, SOCKETS))
    assert monotonic() - left < 2
    soon(0, lambda: in_progress(server))
    # Open files are kept for who asks next, for a while (sequence/store/opened.py).
    soon(0, lambda: held(worker, SEGMENTS))
    assert aborted(server) == 20


def test_slow_clients_by_the_hundred_leave_the_service_to_others(serve: Serve) -> None:
    server = serve(GUNICORN_CMD_ARGS="--timeout=6")
    server.get(LONG)  # what is built once is not the readers' memory
    workers = workers_of(server)
    with ExitStack() as stack:
        slow_heads = stack.enter_context(clients(server, 200, b"GET /?sn=20 HTTP/1.1\r\nX-Slow: "))
        slow_readers = stack.enter_context(clients(server, 100, head(LONG)))

        def trickle() -> None:
            for client in slow_heads:
                try:
                    client.send(b"a")
                except OSError:
                    continue  # dropped
            for client in slow_readers:
                client.recv(5000)

        with again_and_again(trickle, every_s=0.5):
            assert slowest_s(server) < 5  # 10 ms here, 0.4 s while the readers' buffers fill
            resident = [worker.memory_info().rss for worker in workers]
            # gunicorn may say 408, and then hangs up, though a byte came every half second.
            for client in slow_heads:
                client.recv(1000)
            assert slowest_s(server) < 5
            for worker, rss in zip(workers, resident, strict=True):
                assert rss < 300 << 20
                assert worker.memory_info().rss < rss + (64 << 20)
        soon(100, lambda: in_progress(server))
    soon(0, lambda: in_progress(server))
    assert workers_of(server) == workers


@pytest.mark.drill
def test_a_body_that_does_not_arrive_is_not_waited_for(serve: Serve) -> None:
    server = serve(GUNICORN_CMD_ARGS="--timeout=2")
    cookie = f"Cookie: csrftoken={'a' * 32}"
    form = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 1000")
    request = head("/admin/login/", cookie, *form, method="POST")
    with clients(server, 1, request + b"a=") as (client,):
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_clients_that_do_not_close_their_end_hold_nobody_up(shared_server: Server) -> None:
    with clients(shared_server, 60, head("/?sn=20", "Connection: close")) as lingering:
        for client in lingering:
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert slowest_s(shared_server) < 5  # gunicorn's own took 2 s for each of them, one by one


@pytest.mark.drill
def test_connections_go_to_the_process_that_has_threads_for_them(serve: Serve) -> None:
    server = serve(GUNICORN_CMD_ARGS="--threads=8 --timeout=60")
    with clients(server, 14, b"GET /?sn=20 HTTP/1.1\r\nX-Slow: "):
        assert slowest_s(server) < 5


def test_a_killed_worker_is_noticed_and_replaced_and_the_rest_can_be_had(serve: Serve) -> None:
    server = serve()
    expected = oracle.text(0, 20_000)
    with server.asked("/?sn=20000") as response:
        received = response.read(100_000)
        for worker in workers_of(server):
            worker.kill()
        with pytest.raises((IncompleteRead, ConnectionResetError)) as raised:
            response.read()
    if isinstance(raised.value, IncompleteRead):
        received += raised.value.partial
    assert received == expected[: len(received)]
    killed = monotonic()
    status, headers, rest = server.get("/?sn=20000", Range=f"bytes={len(received)}-")
    assert monotonic() - killed < 5
    assert (status, headers["Content-Length"]) == (206, str(len(expected) - len(received)))
    assert received + rest == expected
    soon(0, lambda: in_progress(server))


def test_too_many_open_files_harm_no_stream_and_pass(serve: Serve) -> None:
    server = serve(WEB_CONCURRENCY="1")
    (worker,) = only_worker_of(server)
    kept = server.connect()
    with server.asked(LONG) as response:
        received = len(response.read(1000))
        kept.request("GET", "/livez")
        assert kept.getresponse().read()
        _, most = worker.rlimit(psutil.RLIMIT_NOFILE)
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 10, most))
        with clients(server, 50, b""):
            soon(1, lambda: min(1, server.log.read_text().count("Too many open files")))
            kept.request("GET", "/livez")
            assert kept.getresponse().status == 200
            before = worker.cpu_times()
            sleep(0.5)
            assert worker.cpu_times().user - before.user < 0.3
        # Before the stream comes to its next segment, for which there was none either.
        worker.rlimit(psutil.RLIMIT_NOFILE, (most, most))
        received += len(response.read())
        assert received == int(response.headers["Content-Length"])
    kept.close()
    assert server.get("/?sn=20")[2] == oracle.text(0, 20)
    assert only_worker_of(server) == [worker]


SHORTAGES = {
    "256 open files": ["prlimit", "--nofile=256"],
    "600 MB of address space": ["prlimit", "--as=600000000"],
}


@contextmanager
def forty_tasks() -> Iterator[list[str]]:
    """What has a command and all of its children be at most 40 tasks, by a cgroup of their own."""
    root = Path("/sys/fs/cgroup/pids")
    group = (root if root.is_dir() else root.parent) / f"fibo-{uuid4()}"
    try:
        group.mkdir()
        (group / "pids.max").write_text("40")
    except OSError as error:
        pytest.skip(f"No cgroup can be made: {error}")
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        group.rmdir()


def assert_answers_all(server: Server) -> None:
    """Answer 900 requests, 100 at once, of 4 MB that are not stored at first; no worker ends."""
    workers, expected = workers_of(server), oracle.text(0, 6000)
    with ThreadPoolExecutor(100) as pool:
        answers = pool.map(lambda _: server.get("/?sn=6000"), range(900))
        assert {(status, body == expected) for status, _, body in answers} == {(200, True)}
    assert workers_of(server) == workers
    assert "Traceback" not in server.log.read_text()


@pytest.mark.drill
@pytest.mark.parametrize("shortage", SHORTAGES)
def test_a_shortage_cuts_no_stream_and_ends_no_worker(serve: Serve, shortage: str) -> None:
    assert_answers_all(serve(*SHORTAGES[shortage]))


@pytest.mark.drill
def test_forty_tasks_cut_no_stream_and_end_no_worker(serve: Serve) -> None:
    with forty_tasks() as before:
        server = serve(*before)
        assert_answers_all(server)
        server.stop()


def test_a_worker_may_open_all_the_files_that_it_is_allowed(shared_server: Server) -> None:
    for worker in workers_of(shared_server):
        soft, hard = worker.rlimit(psutil.RLIMIT_NOFILE)
        assert soft == hard


@pytest.mark.drill
def test_as_it_comes_a_stalled_reader_is_dropped_and_ten_kilobytes_a_second_are_enough(
    serve: Serve,
) -> None:
    server = serve()
    with (
        clients(server, 1, head("/?sn=100000")) as (stalled,),
        clients(server, 1, head("/?sn=100000")) as (small,),
        server.asked("/?sn=100000") as usual,  # its buffer is Linux's to choose
    ):
        stalled.recv(1000)

        def read() -> None:
            assert small.recv(5000)
            assert usual.read(5000)

        with again_and_again(read, every_s=0.5):
            for _ in range(360):
                if in_progress(server) == 2:
                    break
                sleep(1)
            sleep(60)
        assert (in_progress(server), aborted(server)) == (2, 1)
    soon(0, lambda: in_progress(server))


@pytest.mark.drill
def test_more_slow_clients_than_one_process_has_threads(serve: Serve) -> None:
    server = serve(GUNICORN_CMD_ARGS="--timeout=60")
    with (
        clients(server, 300, b"GET /?sn=20 HTTP/1.1\r\nX-Slow: "),
        clients(server, 190, head("/?sn=100000")),
    ):
        soon(190, lambda: in_progress(server))
        assert slowest_s(server, 100) < 1
    soon(0, lambda: in_progress(server))
