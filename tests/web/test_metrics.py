"""What Prometheus finds, over all of gunicorn's processes."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from inspect import GEN_CLOSED, getgeneratorstate
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from time import sleep

import psutil
import pytest
from django.db import DatabaseError
from django.test import RequestFactory
from prometheus_client.parser import text_string_to_metric_families

from sequence.middleware import Measured
from sequence.protocol.answer import Answer
from sequence.segments import inventory
from sequence.store.pieces import FileSpan, Piece
from sequence.web import metrics
from sequence.web.responses import Decided
from tests.support.clients import LONG
from tests.support.metrics import scraped, series, value
from tests.support.processes import ROOT, manage
from tests.support.servers import Serve, workers_of
from tests.support.waiting import soon

TYPES = {
    "fibo_requests": "counter",
    "fibo_sent_bytes": "counter",
    "fibo_first_byte_seconds": "histogram",
    "fibo_stream_seconds": "histogram",
    "fibo_streams_in_progress": "gauge",
    "fibo_streams_aborted": "counter",
    "fibo_segments_built": "counter",
    "fibo_store_healed": "counter",
    "fibo_store_segments": "gauge",
    "fibo_store_terms": "gauge",
    "fibo_store_bytes": "gauge",
    "fibo_store_missing_segments": "gauge",
    "fibo_build_info": "gauge",
}


def test_the_page_has_every_metric_with_its_type(serve: Serve) -> None:
    page = scraped(serve())
    families = list(text_string_to_metric_families(page.decode()))
    assert {family.name: family.type for family in families} == TYPES
    assert all(family.documentation for family in families)


def test_requests_add_up_over_the_workers(serve: Serve) -> None:
    server = serve()
    workers = workers_of(server)
    for worker in workers:
        worker.suspend()  # so that the other one has to answer
        for _ in range(20):
            assert server.get("/?sn=10")[0] == 200
        worker.resume()
    for _ in range(10):
        page = scraped(server)
        found = value(page, "fibo_requests_total", method="GET", code="200", format="text")
        assert found == 40


def test_sent_bytes_are_those_that_were_received(serve: Serve) -> None:
    server = serve()
    before = scraped(server)
    received = len(server.get("/nowhere")[2]) + len(server.get("/livez", method="HEAD")[2])
    after = scraped(server)
    found = [value(page, "fibo_sent_bytes_total", format="none") for page in (before, after)]
    # A page is counted in the next one.
    assert found[1] - found[0] == received + len(before)
    received = sum(
        len(server.get("/?sn=5000&format=csv", **headers)[2])
        for headers in ({}, {"Range": "bytes=7-1006"}, {"Accept_Encoding": "gzip"})
    )
    soon(received, lambda: value(scraped(server), "fibo_sent_bytes_total", format="csv"))


def test_an_answer_without_a_body_is_no_stream(serve: Serve) -> None:
    server = serve()
    _, headers, _ = server.get("/?sn=5000", method="HEAD")
    assert server.get("/?sn=5000", If_None_Match=headers["ETag"])[0] == 304
    page = scraped(server)
    assert value(page, "fibo_requests_total", format="text") == 2
    assert value(page, "fibo_stream_seconds_count") == 0
    assert value(page, "fibo_sent_bytes_total", format="text") == 0


def test_a_stream_in_progress_shows_and_one_that_its_client_left_is_aborted(serve: Serve) -> None:
    server = serve()
    with server.asked(LONG) as response:
        response.read(1 << 20)  # more than a chunk: a part of one is not counted
        soon(1, lambda: value(scraped(server), "fibo_streams_in_progress"))
        assert value(scraped(server), "fibo_streams_aborted_total") == 0
    soon(0, lambda: value(scraped(server), "fibo_streams_in_progress"))
    page = scraped(server)
    assert value(page, "fibo_streams_aborted_total") == 1
    assert value(page, "fibo_stream_seconds_count") == 1
    assert 1000 < value(page, "fibo_sent_bytes_total", format="text") < 100_000_000


def test_the_first_byte_and_the_stream_are_timed_apart(serve: Serve) -> None:
    server = serve()
    manage(server.data_dir, "prepopulate", "--upto=40000")
    before = scraped(server)
    with server.asked(LONG) as response:
        response.read(1000)
        sleep(1.1)
        response.read()
    soon(1, lambda: value(scraped(server), "fibo_stream_seconds_count"))
    page = scraped(server)
    waited = [value(found, "fibo_first_byte_seconds_sum") for found in (before, page)]
    assert value(page, "fibo_stream_seconds_sum") > 1 > waited[1] - waited[0]
    assert value(page, "fibo_stream_seconds_bucket", le="1.0") == 0
    assert value(page, "fibo_first_byte_seconds_count") == value(page, "fibo_requests_total")


def test_a_killed_worker_takes_its_streams_out_of_those_in_progress(serve: Serve) -> None:
    server = serve(WEB_CONCURRENCY="1")
    with server.asked(LONG) as response:
        response.read(1000)
        soon(1, lambda: value(scraped(server), "fibo_streams_in_progress"))
        (worker,) = psutil.Process(server.process.pid).children()
        worker.kill()
        soon(0, lambda: value(scraped(server), "fibo_streams_in_progress"))
    assert value(scraped(server), "fibo_requests_total", format="text") == 1


def test_counts_go_on_after_a_reload(serve: Serve) -> None:
    server = serve()
    before = workers_of(server)
    server.get("/?sn=10")
    server.process.send_signal(signal.SIGHUP)
    workers_of(server, other_than=tuple(before))
    server.get("/?sn=10")
    soon(2, lambda: value(scraped(server), "fibo_requests_total", format="text"))


def test_counting_opens_no_file_and_a_server_begins_at_zero(serve: Serve, tmp_path: Path) -> None:
    for _ in range(2):
        # The library's own variable, as somebody may have it set for other programs.
        server = serve(PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
        assert value(scraped(server), "fibo_requests_total", format="text") == 0
        server.get("/?sn=10")
        for process in (psutil.Process(server.process.pid), *workers_of(server)):
            assert not [file.path for file in process.open_files() if file.path.endswith(".db")]
        server.process.kill()
        server.process.wait()
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize(
    ("method", "code", "format", "counted_as"),
    [
        ("GET", 200, "csv", ("GET", "200", "csv")),
        ("HEAD", 304, "text", ("HEAD", "304", "text")),
        ("GET", 404, "none", ("GET", "404", "none")),
        ("BREW", 405, "none", ("other", "405", "none")),
        ("GET", 418, "none", ("GET", "other", "none")),
        ("GET", 418, "text", ("GET", "other", "none")),
        ("BREW", 418, "tea", ("other", "other", "none")),
    ],
)
def test_what_no_series_is_for_counts_as_other(
    method: str, code: int, format: str, counted_as: tuple[str, ...]
) -> None:
    labels = dict(zip(("method", "code", "format"), counted_as, strict=True))

    def found() -> tuple[float, int]:
        samples = [each for metric in metrics.REQUESTS.collect() for each in metric.samples]
        return sum(each.value for each in samples if each.labels == labels), len(samples)

    before = found()
    metrics.requests(method, code, format).inc()
    assert found() == (before[0] + 1, before[1])


def test_no_client_can_add_a_series(serve: Serve) -> None:
    server = serve()

    def ask(number: int) -> None:
        server.get("/", method=f"METHOD{number}")
        server.get(f"/nowhere/{number}")
        server.get(f"/static/{number}.css")
        server.get(f"/?sn=5&format=format{number}")
        server.get(f"/?sn=5&parameter{number}=1")
        server.get("/?sn=5", Host=f"host{number}.example", Accept=f"text/{number}")

    ask(0)
    scraped(server)
    first = series(scraped(server))
    before = first.keys()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(1, 51)))
    assert series(scraped(server)).keys() == before
    found = {label for (_, labels), count in first.items() for label in labels if count}
    assert {text for name, text in found if name == "method"} == {"GET", "other"}
    assert {text for name, text in found if name == "format"} == {"none"}
    assert {text for name, text in found if name == "code"} <= {"200", "400", "404", "405"}


def test_the_totals_of_the_store_are_those_of_the_index(serve: Serve) -> None:
    server = serve(FIBO_SEGMENT_BYTES="500000")
    assert value(scraped(server), "fibo_store_segments") == 0
    server.get("/?sn=6000")
    soon(8, lambda: value(scraped(server), "fibo_store_segments"))
    with closing(sqlite3.connect(server.data_dir / "index.sqlite3")) as index:
        question = "SELECT count(*), sum(term_count), sum(length_bytes) FROM sequence_segment"
        ((segments, terms, length_bytes),) = index.execute(question)
    page = scraped(server)
    assert segments == value(page, "fibo_segments_built_total") == 8
    assert value(page, "fibo_store_segments") == segments
    assert value(page, "fibo_store_terms") == terms
    assert value(page, "fibo_store_bytes") == length_bytes


@pytest.mark.django_db
def test_a_process_of_its_own_has_the_same_metrics() -> None:
    page, _ = metrics.exposition()
    families = {family.name for family in text_string_to_metric_families(page.decode())}
    assert families == TYPES.keys()


@pytest.mark.django_db
def test_the_counts_are_served_if_the_index_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def take() -> inventory.Inventory:
        raise DatabaseError("disk I/O error")

    monkeypatch.setattr(inventory, "take", take)
    names = {name for name, _ in series(metrics.exposition()[0])}
    assert "fibo_streams_in_progress" in names
    assert "fibo_store_terms" not in names


def test_the_commands_do_not_load_the_library(tmp_path: Path) -> None:
    program = (
        "import django, sys; django.setup();"
        "from sequence.management.commands import prepopulate, segments;"
        "print('prometheus_client' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"FIBO_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "fibosite.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "False"


def counted() -> dict[str, float]:
    """What this process has counted of streams."""
    return {
        name: metrics.COUNTED.get_sample_value(f"fibo_{name}", labels) or 0
        for name, labels in (
            ("streams_in_progress", {}),
            ("streams_aborted_total", {}),
            ("stream_seconds_count", {}),
            ("sent_bytes_total", {"format": "none"}),
        )
    }


def streamed(pieces: Iterator[Piece]) -> Decided:
    """The pieces as a response that is measured."""
    response = Measured(lambda _: Decided(Answer(200, {}), pieces))(RequestFactory().get("/"))
    assert isinstance(response, Decided)
    return response


@pytest.mark.django_db  # as Django looks after its connection when a response is closed
@pytest.mark.parametrize(
    ("taken", "aborted", "ended", "sent_bytes"),
    [(0, 0, 0, 0), (1, 1, 1, 0), (2, 1, 1, 3), (3, 1, 1, 6), (4, 0, 1, 11)],
)
def test_a_stream_is_counted_as_far_as_the_server_took_it(
    taken: int, aborted: int, ended: int, sent_bytes: int
) -> None:
    chunks = (chunk for chunk in (b"one", b"two", b"three"))
    before, response = counted(), streamed(chunks)
    for _ in islice(response, taken):
        assert counted()["streams_in_progress"] == 1
    response.close()
    grown = [now - then for now, then in zip(counted().values(), before.values(), strict=True)]
    assert grown == [0, aborted, ended, sent_bytes]
    assert getgeneratorstate(chunks) == GEN_CLOSED


@pytest.mark.django_db
@pytest.mark.parametrize(("sent", "taken"), [(0, False), (7, False), (10, True)])
def test_of_a_span_is_counted_what_was_sent(sent: int, taken: bool) -> None:
    with TemporaryFile() as file:
        before, response = counted(), streamed(iter([FileSpan(file, 0, 10)]))
        span = next(response.pieces)
        assert isinstance(span, FileSpan)
        span.start += sent
        if taken:
            assert next(response.pieces, None) is None
        response.close()
    grown = {name: now - before[name] for name, now in counted().items()}
    assert grown["sent_bytes_total"] == sent
    assert grown["streams_aborted_total"] == (not taken)


@pytest.mark.parametrize("sent", [[], [b"one"]])
def test_a_stream_that_fails_is_aborted(sent: list[bytes]) -> None:
    def failing() -> Iterator[bytes]:
        yield from sent
        raise BrokenPipeError

    before, response = counted(), streamed(failing())
    with pytest.raises(BrokenPipeError):
        list(response)
    assert counted()["streams_aborted_total"] == before["streams_aborted_total"] + 1
    assert counted()["streams_in_progress"] == 0


def test_the_first_byte_is_waited_for() -> None:
    def slow() -> Iterator[bytes]:
        sleep(0.05)
        yield b"one"

    name = "fibo_first_byte_seconds_sum"
    before, response = metrics.COUNTED.get_sample_value(name) or 0, streamed(slow())
    list(response)
    assert (metrics.COUNTED.get_sample_value(name) or 0) - before >= 0.05
