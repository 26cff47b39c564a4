"""HOSTILE rows 1 to 5, 7 and 10 to 21 over a real socket: the rows of the pure tests."""

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.support.decoding import decoded
from tests.support.http_oracle import Answer
from tests.support.http_rows import ETAGS, ROWS, TARGET, TARGETS, TEXT, Headers, L, Right, in_full
from tests.support.random_requests import Reply, Request, Tags, asked, faults_of
from tests.support.servers import Server


@pytest.fixture(scope="module")
def connection(shared_server: Server) -> Iterator[HTTPConnection]:
    """One that is kept for all rows."""
    kept = shared_server.connect()
    yield kept
    kept.close()


def compared(connection: HTTPConnection, request: Request, right: Answer) -> Reply:
    """The reply to a request, which is the right one in every header and byte."""
    reply = asked(connection, request)
    tags = Tags(lambda request: asked(connection, request))
    assert faults_of(request, right, reply, tags) == []
    return reply


@pytest.mark.parametrize(("headers", "right"), ROWS.values(), ids=ROWS)
def test_headers_are_answered_over_the_wire_as_the_rows_say(
    connection: HTTPConnection, headers: Headers, right: Right
) -> None:
    reply = compared(connection, Request("GET", TARGET, headers), in_full(right))
    if right.status < 400:
        assert reply.headers["ETag"] == ETAGS[right.coding]
    if right.status == 304:
        about = {"Content-Length", "Content-Type", "Content-Disposition", "Transfer-Encoding"}
        assert not about & set(reply.headers)
    if right.status == 416:
        assert reply.body.startswith(b"Range is ")
    if right.status == 406:
        assert reply.body.endswith(b"; it must allow zstd or gzip or identity.\n")


@pytest.mark.parametrize("headers", [row[0] for row in ROWS.values()], ids=ROWS)
def test_head_is_answered_as_get_is_without_a_range(
    connection: HTTPConnection, headers: Headers
) -> None:
    """Rows 7 and 15."""
    without = {name: value for name, value in headers.items() if name != "Range"}
    with_range = asked(connection, Request("HEAD", TARGET, headers))
    found = asked(connection, Request("GET", TARGET, without))
    assert (with_range.status, with_range.body) == (found.status, b"")
    for name in ("ETag", "Vary", "Content-Length", "Content-Type", "Content-Encoding"):
        assert with_range.headers[name] == found.headers[name], name


@pytest.mark.parametrize(
    ("line", "headers", "right"), TARGETS, ids=[row[0][:24] for row in TARGETS]
)
def test_targets_are_answered_over_the_wire_as_the_rows_say(
    connection: HTTPConnection, line: str, headers: Headers, right: Answer
) -> None:
    method, target = line.split(" ")
    compared(connection, Request(method, target, headers), right)


def test_a_range_does_not_change_an_error(shared_server: Server) -> None:
    """Row 15."""
    status, headers, _ = shared_server.get("/?sn=x", Range="bytes=0-0")
    assert (status, "Content-Range" in headers) == (400, False)


def test_each_coding_has_its_own_etag_and_the_same_bytes(shared_server: Server) -> None:
    """Row 21."""
    etags = set()
    for coding in ("identity", "gzip", "zstd"):
        _, headers, body = shared_server.get(TARGET, Accept_Encoding=coding)
        assert decoded(body, headers.get("Content-Encoding")) == TEXT
        etags.add(headers["ETag"])
        status, again, _ = shared_server.get(
            TARGET, Accept_Encoding=coding, If_None_Match=headers["ETag"]
        )
        assert (status, again["ETag"]) == (304, headers["ETag"])
    assert len(etags) == 3
    assert not any(etag.startswith("W/") for etag in etags)


def test_an_http_1_0_client_gets_a_length(shared_server: Server) -> None:
    """Its coded answer would end with the connection, cut short or not."""
    answer = shared_server.raw(
        f"GET {TARGET} HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {L}".encode() in head
    assert body == TEXT


def test_a_connection_goes_on_after_every_kind_of_answer(shared_server: Server) -> None:
    connection = shared_server.connect()
    for method, headers in [
        ("HEAD", {}),
        ("HEAD", {"Accept-Encoding": "gzip"}),
        ("GET", {"Range": "bytes=0-0,5-9"}),
        ("GET", {"Range": "bytes=9-5"}),
        ("GET", {"If-None-Match": "*"}),
        ("GET", {"If-Match": '"x"'}),
        ("GET", {"Accept-Encoding": "zstd"}),
        ("OPTIONS", {}),
        ("POST", {}),
    ]:
        connection.request(method, TARGET, headers=headers)
        connection.getresponse().read()
        connection.request("GET", "/?sn=10")
        assert connection.getresponse().read() == TEXT[:23]
    connection.close()
