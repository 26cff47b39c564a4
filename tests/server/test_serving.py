"""The service as it runs: gunicorn over a socket, at its own size of segments."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead
from pathlib import Path

import psutil
import pytest
from isal import isal_zlib

from tests.support import oracle
from tests.support.processes import manage
from tests.support.reference import LENGTH, SHA256
from tests.support.servers import Serve, built_segments, crc_of, sha256_of
from tests.support.waiting import soon


def test_a_hundred_thousand_terms_are_right_cold_and_warm(serve: Serve) -> None:
    server = serve()
    assert sha256_of(server, "/?sn=100000") == SHA256
    soon(16, lambda: len(built_segments(server)))
    assert sorted(built_segments(server)) == list(range(16))
    assert sha256_of(server, "/?sn=100000") == SHA256
    assert len(built_segments(server)) == 16
    assert server.stop() == 0


def test_two_hundred_cold_requests_at_once_build_each_segment_once(serve: Serve) -> None:
    server = serve(FIBO_SEGMENT_BYTES="500000")
    expected = oracle.text(0, 6000)
    barrier = threading.Barrier(200)

    def ask(_: int) -> tuple[int, int, int]:
        barrier.wait(30)
        return crc_of(server, "/?sn=6000")

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(ask, range(200)))
    assert set(answers) == {(200, len(expected), isal_zlib.crc32(expected))}
    soon(8, lambda: len(built_segments(server)))
    assert sorted(built_segments(server)) == list(range(8))


def test_a_short_cold_request_does_not_wait_for_a_long_one(serve: Serve) -> None:
    server = serve()
    long = threading.Thread(target=crc_of, args=(server, "/?sn=100000"))
    long.start()
    assert server.get("/?sn=100")[2] == oracle.text(0, 100)
    assert len(built_segments(server)) < 16
    long.join(60)


def test_a_body_that_fails_on_the_way_breaks_visibly(serve: Serve) -> None:
    server = serve(WEB_CONCURRENCY="1")
    with server.asked("/?sn=40000") as response:
        response.read(1000)
        (worker,) = psutil.Process(server.process.pid).children()
        worker.kill()
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            response.read()
    assert server.get("/?sn=10")[2] == oracle.text(0, 10)


def test_a_segment_that_is_damaged_is_sent_right(serve: Serve) -> None:
    server = serve(FIBO_SEGMENT_BYTES="500000")
    manage(server.data_dir, "prepopulate", "--upto=6000", FIBO_SEGMENT_BYTES="500000")
    victims = sorted((server.data_dir / "segments").glob("*.txt"))
    victims[5].write_bytes(victims[5].read_bytes()[:-1])
    victims[6].unlink()
    status, headers, body = server.get("/?sn=6000")
    assert (status, headers["Content-Length"]) == (200, str(len(body)))
    assert body == oracle.text(0, 6000)
    assert b"fibo_store_healed_total 0.0" not in server.get("/metrics")[2]


def test_a_stream_in_progress_ends_before_the_server_does(serve: Serve) -> None:
    server = serve(WEB_CONCURRENCY="1")
    manage(server.data_dir, "prepopulate", "--upto=40000")
    with server.asked("/?sn=40000") as response:
        length = len(response.read(1000))
        server.process.terminate()
        length += len(response.read())
        assert length == int(response.headers["Content-Length"])
    assert server.process.wait(30) == 0


def test_a_store_of_another_layout_keeps_the_server_from_starting(tmp_path: Path) -> None:
    manage(tmp_path, "migrate", "--verbosity=0")
    manage(tmp_path, "prepopulate", "--upto=10", FIBO_SEGMENT_BYTES="20000")
    found = manage(tmp_path, "shell", "--command", "import fibosite.wsgi", "--verbosity=0")
    assert found.returncode == 1
    assert "was made with" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.drill
def test_two_hundred_cold_requests_at_once_for_everything(serve: Serve) -> None:
    server = serve()
    with ThreadPoolExecutor(200) as pool:
        answers = set(pool.map(lambda _: crc_of(server, "/?sn=100000"), range(200)))
    assert {(status, length) for status, length, _ in answers} == {(200, LENGTH)}
    assert len(answers) == 1
    soon(16, lambda: len(built_segments(server)))
    assert sorted(built_segments(server)) == list(range(16))
    assert sha256_of(server, "/?sn=100000") == SHA256


@pytest.mark.drill
def test_eight_prepopulates_of_everything_at_once(tmp_path: Path) -> None:
    manage(tmp_path, "migrate", "--verbosity=0")
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: manage(tmp_path, "prepopulate", "--upto=100000"), range(8)))
    assert [run.returncode for run in runs] == [0] * 8
    digest, left = hashlib.sha256(), LENGTH
    for path in sorted((tmp_path / "segments").glob("*.txt")):
        content = path.read_bytes()[:left]
        left -= len(content)
        digest.update(content)
    assert digest.hexdigest() == SHA256
    assert {path.suffix for path in (tmp_path / "segments").iterdir()} == {".txt", ".json"}
