"""HOSTILE rows 10 to 21 over a real socket: ranges, validators and codings."""

from email import message_from_bytes
from email.message import Message
from typing import cast

import pytest

from tests.support import oracle
from tests.support.decoding import decoded
from tests.support.servers import Server

SN = 2000
TARGET = f"/?sn={SN}"
TEXT = oracle.text(0, SN)
L = len(TEXT)
ETAG = f'"1-0-{SN}-text-identity"'
IMMUTABLE = "public, max-age=31536000, immutable"


def parts_of(content_type: str, body: bytes) -> list[Message]:
    """The parts of a multipart body, as Python's e-mail library finds them."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + body)
    assert not message.defects
    parts = message.get_payload()
    assert isinstance(parts, list)
    return cast("list[Message]", parts)


# row, Range, first byte, last byte
SINGLE = [
    (10, "bytes=0-0", 0, 0),
    (10, "bytes=-5", L - 5, L - 1),
    (10, f"bytes=-{L + 1}", 0, L - 1),
    (10, "bytes=5-", 5, L - 1),
    (10, f"bytes=5-{L + 100}", 5, L - 1),
    (10, f"bytes={L - 1}-", L - 1, L - 1),
    (10, f"bytes=7-{'9' * 31}", 7, L - 1),
    (10, f"bytes={'0' * 31}7-8", 7, 8),
    (10, f"bytes=-{'9' * 31}", 0, L - 1),
    # across segments of 64 MiB there is nothing to see here; test_stream.py has small ones
    (10, "bytes=1000-300000", 1000, 300000),
    (13, f"bytes={L}-,3-4", 3, 4),
]


@pytest.mark.parametrize(("row", "header", "first", "last"), SINGLE)
def test_one_range_is_answered_with_its_bytes(
    shared_server: Server, row: int, header: str, first: int, last: int
) -> None:
    status, headers, body = shared_server.get(TARGET, Range=header)
    assert status == 206
    assert body == TEXT[first : last + 1]
    assert headers["Content-Range"] == f"bytes {first}-{last}/{L}"
    assert headers["Content-Length"] == str(len(body))
    assert headers["ETag"] == ETAG
    assert headers["Cache-Control"] == IMMUTABLE


UNSATISFIABLE = [
    *((11, header) for header in (f"bytes={L}-", "bytes=-0", "bytes=10-5", "bytes=alpha")),
    *((11, header) for header in ("bytes=10", "alpha", "10", "bytes=", "bytes=-", "bytes=0-0;5-6")),
    *((11, header) for header in ("bytes=1-2,x", "bytes=٣-5".encode().decode("latin-1"))),
    *((11, f"bytes={'9' * 31}-{suffix}") for suffix in ("", "9" * 32, "5")),
    (14, "bytes=" + ",".join(["0-0"] * 17)),
    (14, "bytes=" + ",".join(["0-"] * 2700)),
    (14, "bytes=" + "," * 8000),
]


@pytest.mark.parametrize(("row", "header"), UNSATISFIABLE, ids=lambda value: str(value)[:30])
def test_a_range_that_cannot_be_had_is_refused(
    shared_server: Server, row: int, header: str
) -> None:
    status, headers, body = shared_server.get(TARGET, Range=header)
    assert status == 416
    assert headers["Content-Range"] == f"bytes */{L}"
    assert headers["Cache-Control"] == "no-store"
    assert body.startswith(b"Range is ")
    assert body.count(b"\n") == 1


IGNORED = [
    (3, "GET", 0, "bytes=0-0"),
    (12, "GET", SN, "items=0-5"),
    (12, "GET", SN, "BYTE=0-5"),
    (13, "GET", SN, f"bytes=0-,0-{L // 2}"),
    (15, "HEAD", SN, "bytes=0-0"),
    (15, "HEAD", SN, "bytes=10-5"),
]


@pytest.mark.parametrize(("row", "method", "sn", "header"), IGNORED)
def test_a_range_that_does_not_count_is_passed_over(
    shared_server: Server, row: int, method: str, sn: int, header: str
) -> None:
    status, headers, body = shared_server.get(f"/?sn={sn}", method, Range=header)
    text = oracle.text(0, sn)
    assert status == 200
    assert headers["Content-Length"] == str(len(text))
    assert "Content-Range" not in headers
    assert body == (text if method == "GET" else b"")


def test_a_range_does_not_change_an_error(shared_server: Server) -> None:
    """Row 15."""
    status, headers, _ = shared_server.get("/?sn=x", Range="bytes=0-0")
    assert (status, "Content-Range" in headers) == (400, False)


@pytest.mark.parametrize(
    "asked",
    [
        [(0, 0), (5, 9)],
        [(5, 9), (0, 0)],
        [(3, 7), (5, 9)],
        [(0, L // 2 - 1), (L // 2, L - 1)],
        [(k * 20_000, k * 20_000 + 999) for k in range(16)],
    ],
    ids=["two", "backwards", "overlapping", "all", "sixteen"],
)
def test_several_ranges_are_parts_in_the_order_asked(
    shared_server: Server, asked: list[tuple[int, int]]
) -> None:
    """Row 13."""
    header = "bytes=" + ", ".join(f"{first}-{last}" for first, last in asked)
    status, headers, body = shared_server.get(TARGET, Range=header)
    assert status == 206
    assert headers["Content-Length"] == str(len(body))
    assert "Content-Range" not in headers
    parts = parts_of(headers["Content-Type"], body)
    for part, (first, last) in zip(parts, asked, strict=True):
        assert part["Content-Range"] == f"bytes {first}-{last}/{L}"
        assert part["Content-Type"] == "text/plain; charset=utf-8"
        assert part.get_payload(decode=True) == TEXT[first : last + 1]


CONDITIONS = [
    (16, {"If_Range": ETAG}, 206),
    (16, {"If_Range": f"W/{ETAG}"}, 200),
    (16, {"If_Range": '"other"'}, 200),
    (16, {"If_Range": "Tue, 24 Nov 2026 20:00:00 GMT"}, 200),
    (16, {"If_Range": "*"}, 200),
    (16, {"If_Range": f"{ETAG}, {ETAG}"}, 200),
    (17, {"If_None_Match": ETAG}, 304),
    (17, {"If_None_Match": f"W/{ETAG}"}, 304),
    (17, {"If_None_Match": f'"a", W/"b" ,{ETAG}'}, 304),
    (17, {"If_None_Match": "*"}, 304),
    (17, {"If_None_Match": '"other"'}, 206),
    (17, {"If_None_Match": ETAG.strip('"')}, 206),
    (17, {"If_None_Match": ETAG, "If_Range": '"other"'}, 304),
    (18, {"If_Match": '"other"'}, 412),
    (18, {"If_Match": f"W/{ETAG}"}, 412),
    (18, {"If_Match": "garbage"}, 412),
    (18, {"If_Match": ETAG}, 206),
    (18, {"If_Match": f'"other", {ETAG}'}, 206),
    (18, {"If_Match": "*"}, 206),
    (18, {"If_Match": '"other"', "If_None_Match": "*"}, 412),
    # no answer has a date: row 36
    (36, {"If_Modified_Since": "Tue, 24 Nov 2099 20:00:00 GMT"}, 206),
    (36, {"If_Unmodified_Since": "Tue, 24 Nov 1999 20:00:00 GMT"}, 206),
]


@pytest.mark.parametrize(("row", "conditions", "expected"), CONDITIONS)
def test_conditions_come_before_the_range(
    shared_server: Server, row: int, conditions: dict[str, str], expected: int
) -> None:
    status, headers, body = shared_server.get(TARGET, Range="bytes=3-7", **conditions)
    assert status == expected
    assert "Last-Modified" not in headers
    if status in (200, 206):
        assert body == (TEXT if status == 200 else TEXT[3:8])
    if status == 304:
        assert body == b""
        assert (headers["ETag"], headers["Cache-Control"]) == (ETAG, IMMUTABLE)
        assert headers["Vary"] == "Accept-Encoding"
        about = {"Content-Length", "Content-Type", "Content-Disposition", "Transfer-Encoding"}
        assert not about & set(headers)
    if status == 412:
        assert headers["Cache-Control"] == "no-store"


NEGOTIATED = [
    (19, "gzip;q=0", None),
    (19, "*;q=0, identity", None),
    (19, "", None),
    (19, "deflate, br", None),
    (19, "gzip", "gzip"),
    (19, "x-gzip", "gzip"),
    (19, "GZIP", "gzip"),
    (19, "gzip, zstd", "zstd"),
    (19, "gzip, deflate, br, zstd", "zstd"),
    (19, "gzip;q=1, zstd;q=0.9", "gzip"),
    (19, "gzip;q=0.5, identity;q=0.7", None),
    (19, "zstd;q=0, *", "gzip"),
    (19, "identity;q=0, gzip;q=0.001", "gzip"),
]


@pytest.mark.parametrize(("row", "accept_encoding", "coding"), NEGOTIATED)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_coding_is_the_one_that_is_preferred(
    shared_server: Server, row: int, accept_encoding: str, coding: str | None, method: str
) -> None:
    status, headers, body = shared_server.get(TARGET, method, Accept_Encoding=accept_encoding)
    assert (status, headers["Vary"]) == (200, "Accept-Encoding")
    assert headers.get("Content-Encoding") == coding
    assert ("Content-Length" in headers) is (coding is None)
    assert headers["Accept-Ranges"] == "bytes"
    assert decoded(body, coding) == TEXT if method == "GET" else body == b""


def test_a_client_that_refuses_all_codings_is_refused(shared_server: Server) -> None:
    status, headers, body = shared_server.get(TARGET, Accept_Encoding="identity;q=0, br")
    assert (status, headers["Cache-Control"]) == (406, "no-store")
    assert (
        body == b"Accept-Encoding is 'identity;q=0, br'; it must allow zstd or gzip or identity.\n"
    )


def test_a_range_is_of_the_bytes_without_coding(shared_server: Server) -> None:
    """Row 20."""
    status, headers, body = shared_server.get(
        TARGET, Range="bytes=3-7", Accept_Encoding="gzip, zstd"
    )
    assert (status, headers.get("Content-Encoding"), body) == (206, None, TEXT[3:8])
    assert headers["Vary"] == "Accept-Encoding"


def test_where_no_coding_is_refused_a_range_is_passed_over(shared_server: Server) -> None:
    status, headers, body = shared_server.get(
        TARGET, Range="bytes=3-7", Accept_Encoding="gzip, identity;q=0"
    )
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert decoded(body, "gzip") == TEXT


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
