"""The worker with an application of the tests' own: what waits holds no thread, and bodies of any
pieces arrive whole or break visibly."""

import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from sequence.store.pieces import FileSpan, pieces_of
from tests.support.clients import clients, head
from tests.support.servers import Server
from tests.support.waiting import soon
from tests.support.worker_app import Body, content

MIB = 1 << 20
LONG = "/?framing=length&pieces=" + ",".join(["s1000000", "b300000"] * 20)
LONG_BYTES = 26_000_000


class AppServer(Server):
    """gunicorn with our worker, and the application of tests/support/worker_app.py."""

    config = "tests/support/worker_conf.py"


Serve = Callable[..., AppServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server of the application."""
    with ExitStack() as stack:

        def start(*before: str, **variables: str) -> AppServer:
            (tmp_path / "data").mkdir()
            server = AppServer(tmp_path / "data", *before, **variables)
            stack.callback(lambda: server.process.poll() is None and server.stop())
            assert server.get("/")[0] == 200, server.log.read_text()
            return server

        yield start


@pytest.fixture(scope="module")
def app_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """One server for all tests that only ask."""
    server = AppServer(tmp_path_factory.mktemp("app"))
    yield server
    server.stop()


def received(server: Server, target: str, version: str = "1.1", method: str = "GET") -> bytes:
    """The body of the answer, which has ended as its framing says; else raises OSError or
    HTTPException."""
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        request = f"{method} {target} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        response = HTTPResponse(connection, method=method)
        response.begin()
        body = response.read()
        assert connection.recv(1) == b""
        return body


PIECES = {
    "bytes": ("b10,b0,b70000,b1", 70011),
    "a span": ("s10", 10),
    "spans": ("s3000000,s0,s1,s70000", 3_070_001),
    "both": ("b1000000,s100,b5,s3000000,b7,b8,s9", 4_000_129),
    "many": (",".join(["b3", "s5"] * 200), 1600),
    "nothing": ("b0,s0", 0),
}
FRAMINGS = {
    "length": ("length", "1.1"),
    "chunks": ("none", "1.1"),
    "the end of the connection": ("none", "1.0"),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("pieces", PIECES)
def test_pieces_of_any_kind_arrive_in_any_framing(
    app_server: AppServer, pieces: str, framing: str
) -> None:
    (wanted, length), (how, version) = PIECES[pieces], FRAMINGS[framing]
    target = f"/?framing={how}&pieces={wanted}"
    assert received(app_server, target, version) == content(0, length)
    assert received(app_server, target, version, method="HEAD") == b""


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("cut", ["c3000000", "b10,c1000,b10"])
def test_what_a_file_has_lost_is_sent_from_elsewhere(
    app_server: AppServer, cut: str, framing: str
) -> None:
    how, version = FRAMINGS[framing]
    length = sum(int(each[1:]) for each in cut.split(","))
    body = received(app_server, f"/?framing={how}&pieces={cut}&instead=1", version)
    assert body == content(0, length)


FAILURES = {
    "the application fails at once": "fails=1&pieces=b0",
    "the application fails after a little": "fails=1&pieces=b10",
    "the application fails after more than a buffer": "fails=1&pieces=b3000000,s3000000",
    "a file is cut": "pieces=b10,c1000",
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("failure", FAILURES)
def test_an_answer_that_fails_on_the_way_breaks_visibly(
    app_server: AppServer, failure: str, framing: str
) -> None:
    how, version = FRAMINGS[framing]
    with pytest.raises((HTTPException, ConnectionError)):
        received(app_server, f"/?framing={how}&{FAILURES[failure]}&short=1", version)


def test_a_body_shorter_than_promised_breaks_visibly(app_server: AppServer) -> None:
    with pytest.raises((HTTPException, ConnectionError)):
        received(app_server, "/?framing=length&pieces=b10,s20&short=1")


def test_a_failure_before_the_answer_is_said(app_server: AppServer) -> None:
    status, headers, body = app_server.get("/fails")
    assert (status, headers["Connection"]) == (500, "close")
    assert body == b"The server made an error; it has been logged.\n"


def test_a_server_that_asks_for_no_pieces_gets_bytes() -> None:
    wanted = [("b", 10), ("s", 20_000), ("c", 1000), ("s", 0)]
    with closing(Body(wanted, fails=False, has_instead=True)) as body:
        assert b"".join(body) == content(0, 21_010)
    lost = Body([("c", 1000)], fails=False, has_instead=False)
    with closing(lost), pytest.raises(EOFError, match="500 more bytes were promised"):
        b"".join(lost)


def test_pieces_are_those_that_a_body_offers_or_its_bytes() -> None:
    assert list(pieces_of([b"a", b"b"])) == [b"a", b"b"]
    (span,) = pieces_of(Body([("s", 5)], fails=False, has_instead=False))
    assert isinstance(span, FileSpan)
    assert (len(span), list(span.chunks())) == (5, [content(0, 5)])


def told(server: Server) -> tuple[int, int, int]:
    """How many pieces were asked of all bodies, how many of these were closed; and the process."""
    given, closed, pid = map(int, server.get("/")[2].split())
    return given, closed, pid


def test_what_a_client_does_not_take_is_not_asked_for(serve: Serve) -> None:
    server = serve()
    pieces = ",".join(["b100000"] * 1000)
    with clients(server, 10, head(f"/?framing=length&pieces={pieces}")) as stalled:
        for client in stalled:
            client.recv(10)
        sleep(0.5)
        before, _, _ = told(server)
        sleep(0.5)
        assert told(server)[:2] == (before, 0)
        assert before < 10 * 100  # 10 MB each: a send buffer grows to 4
        for client in stalled[:5]:
            client.close()
        soon(5, lambda: told(server)[1])
    soon(10, lambda: told(server)[1])


WAITING = {
    "heads that trickle in": b"GET / HTTP/1.1\r\nX: ",
    "connections that send nothing": b"",
    "readers that accept nothing": head(LONG),
    "requests without their body": head("/admin/", "Content-Length: 1000", method="POST") + b"a",
    "requests whose client does not close": head("/", "Connection: close"),
    "connections that are kept": head("/"),
}


@pytest.mark.parametrize("waiting", WAITING)
def test_what_waits_for_its_client_holds_no_thread(serve: Serve, waiting: str) -> None:
    server = serve()
    with clients(server, 50, WAITING[waiting]):
        started = monotonic()
        for _ in range(10):
            assert server.get("/")[0] == 200
        assert monotonic() - started < 5  # of two threads each would be held for 2 to 300 s


def test_a_body_that_arrives_slowly_is_read_whole(app_server: AppServer) -> None:
    request = head("/admin/", "Content-Length: 3000", "Expect: 100-continue", method="POST")
    with clients(app_server, 1, request) as (client,):
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for _ in range(3):
            client.sendall(b"a" * 1000)
            sleep(0.05)
        assert client.recv(1000).endswith(b"\r\n\r\n3000")


def test_pipelined_requests_are_answered_in_turn(app_server: AppServer) -> None:
    requests = [head(f"/?framing=length&pieces=s{n}") for n in (5, 100_000, 7)]
    with clients(app_server, 1, b"".join(requests) + head("/", "Connection: close")) as (client,):
        content_ = b"".join(iter(lambda: client.recv(65536), b""))
    lengths = re.findall(rb"Content-Length: (\d+)\r\n", content_)
    assert lengths[:3] == [b"5", b"100000", b"7"]
    assert content_.count(b"HTTP/1.1 200 OK") == 4


def whole(client: socket.socket) -> int:
    """How many bytes of the long answer come until its end."""
    response = HTTPResponse(client)
    response.begin()
    return len(response.read())


def test_streams_that_wait_end_before_the_process_does(serve: Serve) -> None:
    server = serve()
    with clients(server, 20, head(LONG)) as streams:
        for client in streams:
            client.recv(1, socket.MSG_PEEK)
        server.process.terminate()
        sleep(0.5)
        assert [whole(client) for client in streams] == [LONG_BYTES] * 20
    assert server.process.wait(10) == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_stream_that_nobody_reads_breaks_when_the_time_of_grace_is_over(
    serve: Serve, framing: str
) -> None:
    how, version = FRAMINGS[framing]
    server = serve(GUNICORN_CMD_ARGS="--graceful-timeout=2")
    request = head(LONG.replace("length", how)).replace(b"1.1", version.encode())
    with clients(server, 1, request) as (stalled,):
        stalled.recv(1, socket.MSG_PEEK)
        assert server.stop() == 0
        with pytest.raises((HTTPException, ConnectionError)):
            whole(stalled)


def test_a_process_ends_with_the_last_request_that_it_may_serve(serve: Serve) -> None:
    server = serve(GUNICORN_CMD_ARGS="--max-requests=10")
    answered = [server.get(LONG)[2] for _ in range(30)]
    assert {len(body) for body in answered} == {LONG_BYTES}
    assert server.log.read_text().count("Autorestarting worker") >= 3


def test_each_answer_has_a_line_in_the_access_log(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    server = serve(GUNICORN_CMD_ARGS=f"--access-logfile={log}")
    server.get(LONG)
    with pytest.raises((HTTPException, ConnectionError)):
        received(server, "/?framing=length&pieces=b10&fails=1")
    server.raw("GET / HTTP/1.1\r\n\r\n")
    assert re.findall(r'"(GET [^"]*)" (\d+) (\d+) ', log.read_text())[1:] == [
        (f"GET {LONG} HTTP/1.1", "200", str(LONG_BYTES)),
        ("GET /?framing=length&pieces=b10&fails=1 HTTP/1.1", "200", "10"),
    ]


def two_workers(serve: Serve) -> tuple[AppServer, list[psutil.Process]]:
    """A server of two processes, both of which are up."""
    server = serve(TEST_WORKERS="2")
    soon(2, lambda: len({told(server)[2] for _ in range(10)}))
    return server, psutil.Process(server.process.pid).children()


def connections(worker: psutil.Process) -> int:
    """How many clients a process serves."""
    return sum(each.status == "ESTABLISHED" for each in worker.net_connections("tcp"))


def test_processes_share_connections_evenly(serve: Serve) -> None:
    server, workers = two_workers(serve)
    for sent in (b"", head(LONG)):
        with clients(server, 64, sent):
            soon(64, lambda: sum(map(connections, workers)))
            # By chance alone, or if the processes are held up, it would be a few.
            assert min(map(connections, workers)) >= 20
        soon(0, lambda: sum(map(connections, workers)))


def test_a_process_that_hangs_leaves_its_share_to_the_other(serve: Serve) -> None:
    server, (hung, other) = two_workers(serve)
    hung.suspend()
    try:
        with clients(server, 20, head("/")) as asking:
            for client in asking:
                assert client.recv(15) == b"HTTP/1.1 200 OK"
            assert connections(other) == 20
    finally:
        hung.resume()


def test_past_the_limit_connections_wait_and_are_served_in_their_turn(serve: Serve) -> None:
    server = serve(GUNICORN_CMD_ARGS="--worker-connections=10")
    (worker,) = psutil.Process(server.process.pid).children()
    with clients(server, 60, head(LONG)) as streams:
        soon(10, lambda: connections(worker))
        for client in streams:
            assert whole(client) == LONG_BYTES
            client.close()


def test_few_descriptors_cut_no_stream(serve: Serve) -> None:
    server = serve("prlimit", "--nofile=256")
    with clients(server, 150, head(LONG)) as streams:
        for client in streams:
            assert whole(client) == LONG_BYTES
            client.close()
    assert psutil.Process(server.process.pid).children()[0].num_fds() < 100
    assert "Traceback" not in server.log.read_text()


def test_descriptors_that_are_gone_at_once_cut_no_stream(serve: Serve) -> None:
    server = serve()
    (worker,) = psutil.Process(server.process.pid).children()
    _, most = worker.rlimit(psutil.RLIMIT_NOFILE)
    with clients(server, 10, head("/?framing=length&pieces=b100000000")) as streams:
        soon(10, lambda: connections(worker))
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 2, most))
        with clients(server, 20, head("/")) as more:
            soon(1, lambda: server.log.read_text().count("Too many open files"))
            assert {whole(client) for client in streams} == {100_000_000}
            for client in [*streams, *more[:2]]:
                client.close()
            assert more[-1].recv(15) == b"HTTP/1.1 200 OK"
    assert server.log.read_text().count("Too many open files") == 1


def test_a_single_thread_does_the_work_of_all_if_no_more_can_be_begun(serve: Serve) -> None:
    server = serve(TEST_THREADS="1")
    with clients(server, 30, head(LONG)) as streams:
        assert {whole(client) for client in streams} == {LONG_BYTES}
    assert server.log.read_text().count("can't start new thread") == 1


def test_a_worker_that_is_told_to_quit_does(serve: Serve) -> None:
    server = serve()
    with clients(server, 1, head(LONG)):
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
