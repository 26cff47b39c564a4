"""HTTP/1.1 over a raw socket (RFC 9112): framing, targets, persistence, refusals."""

import re
import socket
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.support import oracle
from tests.support.servers import Server

NEXT = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
"""What stands after a request: a request of its own, or bytes that nobody may take for one."""


class Response(NamedTuple):
    """A response as it was framed."""

    status: int
    headers: dict[str, str]
    body: bytes


def responses(content: bytes, *methods: str) -> list[Response]:
    """The responses, which are all that the bytes are; of requests with these methods, or GET."""
    found: list[Response] = []
    while content:
        head, end, content = content.partition(b"\r\n\r\n")
        assert end, head
        status_line, *lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.[01] ([1-5][0-9]{2}) .+", status_line)
        assert match, status_line
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        assert len(headers) == len(lines)
        status = int(match[1])
        final = sum(response.status >= 200 for response in found)
        method = methods[final] if final < len(methods) else "GET"
        length = 0
        if status >= 200 and status not in (204, 304) and method != "HEAD":
            assert "transfer-encoding" not in headers
            length = int(headers["content-length"])
        assert len(content) >= length
        found.append(Response(status, headers, content[:length]))
        content = content[length:]
    return found


def asked(server: Server, request: str, *methods: str, ends: bool = False) -> list[Response]:
    """The responses until the server closes; the client may end its own side first."""
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(request.encode("latin-1"))
        if ends:
            connection.shutdown(socket.SHUT_WR)
        content = b"".join(iter(lambda: connection.recv(65536), b""))
    return responses(content, *methods)


CRLF = "\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"
BODIES = {
    "whole": "Content-Length: 5\r\n\r\nhello",
    "a request": f"Content-Length: {len(NEXT)}\r\n\r\n{NEXT}",
    "short": "Content-Length: 500000\r\n\r\nhello",
    "absent": f"Content-Length: {10**15}\r\n\r\n",
    "megabytes": f"Content-Length: {1 << 22}\r\n\r\n{'x' * (1 << 22)}",
    "chunks": f"{CHUNKED}5\r\nhello\r\n0\r\n\r\n",
    "no chunk": f"{CHUNKED}0\r\n\r\n",
    "trailer": f"{CHUNKED}5\r\nhello\r\n0\r\nDigest: x\r\n\r\n",
    "trailer without a name": f"{CHUNKED}0\r\nbad trailer\r\n\r\n",
    "trailer that frames": f"{CHUNKED}0\r\nContent-Length: 5\r\n\r\n",
    "trailer of a bare LF": f"{CHUNKED}0\r\nX: y\n\n",
    "trailer that is cut": f"{CHUNKED}0\r\nX: y",
    "trailer too long": f"{CHUNKED}0\r\nX: {'y' * 600_000}\r\n\r\n",
    "extension": f"{CHUNKED}5;a=b\r\nhello\r\n0\r\n\r\n",
    "extension malformed": f"{CHUNKED}5;=\r\nhello\r\n0\r\n\r\n",
    "size malformed": f"{CHUNKED}0x5\r\nhello\r\n0\r\n\r\n",
    "size negative": f"{CHUNKED}-5\r\nhello\r\n0\r\n\r\n",
    "size missing": f"{CHUNKED}\r\nhello\r\n0\r\n\r\n",
    "size enormous": f"{CHUNKED}{'f' * 30}\r\nhello",
    "size too small": f"{CHUNKED}3\r\nhello\r\n0\r\n\r\n",
    "chunk cut": f"{CHUNKED}ff\r\nhello",
}
EXPECTED = "Expect: 100-continue\r\n"
# method, target, the status without a body
BODILESS = [
    ("GET", "/?sn=5", 200),
    ("GET", "/?sn=x", 400),
    ("GET", "/nothing", 404),
    ("GET", "/favicon.ico", 302),
    ("HEAD", "/?sn=5", 200),
    ("OPTIONS", "/?sn=5", 204),
    ("DELETE", "/?sn=5", 405),
    ("POST", "/?sn=5", 405),
    ("POST", "/nothing", 404),
]


@pytest.mark.parametrize("expects", ["", EXPECTED], ids=["", "100-continue"])
@pytest.mark.parametrize("body", BODIES)
def test_a_request_with_any_body_has_one_answer_and_the_connection_ends(
    shared_server: Server, body: str, expects: str
) -> None:
    for method, target, status in BODILESS:
        request = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{expects}{BODIES[body]}"
        *interim, found = asked(shared_server, request + NEXT, method)
        assert (found.status, found.headers["connection"]) == (status, "close"), (method, target)
        assert [response.status for response in interim] == [100] * bool(
            expects and method == "POST"
        )


@pytest.mark.parametrize("body", BODIES)
def test_a_form_with_any_body_has_one_answer_and_the_connection_ends(
    shared_server: Server, body: str
) -> None:
    """The admin reads what is sent to it; a body that is cut short is no form."""
    token = f"Cookie: csrftoken={'a' * 32}"
    head = f"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\n{token}\r\nContent-Type: "
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        found = asked(shared_server, f"{head}{kind}\r\n{BODIES[body]}", ends=True)
        status = 400 if body in ("short", "absent", "megabytes") else 403
        assert [(answer.status, answer.headers["connection"]) for answer in found] == [
            (status, "close")
        ]


# headers and version; whether the connection goes on (9.3)
PERSISTENCE = [
    ("", "1.1", True),
    ("Connection: keep-alive", "1.1", True),
    ("Connection: TE", "1.1", True),
    ("Connection: closed", "1.1", True),
    ("X-Connection: close", "1.1", True),
    ("Content-Length: 0", "1.1", True),
    ("Connection: close", "1.1", False),
    ("Connection: TE, close", "1.1", False),
    ("Connection: ,\tCLOSE ,TE", "1.1", False),
    ("Connection: keep-alive, close", "1.1", False),
    ("Connection: close, keep-alive", "1.1", False),
    ("Connection: TE\r\nConnection: close", "1.1", False),
    ("Connection: keep-alive\r\nConnection: close", "1.1", False),
    ("Host: localhost", "1.0", False),
    ("Connection: TE", "1.0", False),
    ("Connection: keep-alive", "1.0", True),
    ("Connection: TE, Keep-Alive", "1.0", True),
    ("Connection: keep-alive\r\nConnection: close", "1.0", False),
]


@pytest.mark.parametrize(("lines", "version", "persists"), PERSISTENCE)
def test_a_connection_ends_if_any_of_its_options_says_so(
    shared_server: Server, lines: str, version: str, persists: bool
) -> None:
    host = "" if "Host" in lines else "Host: localhost\r\n"
    request = f"GET /?sn=5 HTTP/{version}\r\n{host}{lines}{CRLF if lines else ''}\r\n"
    found = asked(shared_server, request + NEXT)
    assert [response.body for response in found] == [b"0 1 1 2 3 ", b"alive\n"][: 1 + persists]
    assert found[0].headers["connection"] == ("keep-alive" if persists else "close")


# target, Host, status: the host of the target counts (3.2.2)
TARGETS = [
    ("GET", "http://localhost/?sn=5", "evil.example", 200),
    ("GET", "HTTP://LOCALHOST:8888/?sn=5", "localhost", 200),
    ("GET", "http://localhost?sn=5", "localhost", 200),
    ("GET", "http://[::1]/?sn=5", "", 200),
    ("GET", "http://localhost", "evil.example", 400),
    ("OPTIONS", "http://localhost", "evil.example", 204),
    ("GET", "http://evil.example/?sn=5", "localhost", 400),
    ("GET", "http://localhost@evil.example/?sn=5", "localhost", 400),
    ("GET", "http://user:word@localhost/?sn=5", "localhost", 400),
    ("GET", "http://@localhost/?sn=5", "localhost", 400),
    ("GET", "http:///?sn=5", "localhost", 400),
    ("GET", "http://?sn=5", "localhost", 400),
    ("GET", "http://:80/?sn=5", "localhost", 400),
    ("GET", "http://[::1/?sn=5", "localhost", 400),
    ("GET", "http://localhost:x/?sn=5", "localhost", 400),
    ("GET", "https://localhost/?sn=5", "localhost", 400),
    ("GET", "ftp://localhost/?sn=5", "localhost", 400),
    ("GET", "://localhost/?sn=5", "localhost", 400),
    ("GET", "localhost:80", "localhost", 400),
    ("GET", "?sn=5", "localhost", 400),
    ("GET", "*", "localhost", 400),
    ("OPTIONS", "*", "localhost", 204),
    ("OPTIONS", "*", "evil.example", 400),
    ("CONNECT", "localhost:80", "localhost", 405),
    ("GET", "//evil.example/?sn=5", "localhost", 404),
    ("GET", "/http://evil.example/", "localhost", 404),
    ("GET", "/?sn=5", "evil.example", 400),
]


@pytest.mark.parametrize(("method", "target", "host", "status"), TARGETS)
def test_a_target_of_any_form_is_answered_or_refused_by_its_own_host(
    shared_server: Server, method: str, target: str, host: str, status: int
) -> None:
    request = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    (found,) = asked(shared_server, request, method)
    assert found.status == status
    if status == 200:
        assert found.body == oracle.text(0, 5)


@pytest.mark.parametrize("lines", ["", "Host: a\r\nHost: a\r\n", "Host: localhost\r\nHost: a\r\n"])
@pytest.mark.parametrize("target", ["/livez", "http://localhost/livez"])
def test_http_1_1_has_one_host_whatever_its_target(
    shared_server: Server, lines: str, target: str
) -> None:
    (found,) = asked(shared_server, f"GET {target} HTTP/1.1\r\n{lines}\r\n")
    assert found.status == 400


@pytest.mark.parametrize(
    ("allowed", "host"),
    [("fibo.example.org,localhost", "fibo.example.org"), (".example.org", "example.org")],
)
def test_http_1_0_may_leave_the_host_out(
    serve: Callable[..., Server], allowed: str, host: str
) -> None:
    server = serve(DJANGO_ALLOWED_HOSTS=f"{allowed},127.0.0.1", PORT="8888")
    (found,) = asked(server, "GET /?sn=5 HTTP/1.0\r\n\r\n")
    assert (found.status, found.body) == (200, oracle.text(0, 5))
    (found,) = asked(server, "GET / HTTP/1.0\r\n\r\n")
    assert f"http://{host}:8888/?sn=20" in found.body.decode()


LONG = "x" * 9000
# what follows the method; the status
REFUSED = {
    "not three words": (" /livez\r\n\r\n", 400),
    "no version": (" /livez HTTP/1.x\r\n\r\n", 400),
    "another version": (" /livez HTTP/3.0\r\nHost: localhost\r\n\r\n", 400),
    "a bare LF": (" /livez HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400),
    "a name with a space": (" /livez HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
    "a folded line": (" /livez HTTP/1.1\r\nHost: localhost\r\n x\r\n\r\n", 400),
    "no name": (" /livez HTTP/1.1\r\nlocalhost\r\n\r\n", 400),
    "no host": (" /livez HTTP/1.1\r\n\r\n", 400),
    "another scheme": (" ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "two lengths": (
        " / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        400,
    ),
    "a wrong length": (" / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    "a length of digits": (f" / HTTP/1.1\r\nHost: a\r\nContent-Length: {'9' * 8000}\r\n\r\n", 400),
    "two framings": (f" / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n{CHUNKED}", 400),
    "chunks of HTTP/1.0": (f" / HTTP/1.0\r\nHost: a\r\n{CHUNKED}", 400),
    "a long line": (f" /{LONG} HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "a long line without an end": (f" /{LONG * 50}", 414),
    "an expectation": (" /livez HTTP/1.1\r\nHost: localhost\r\nExpect: more\r\n\r\n", 417),
    "a long header": (f" /livez HTTP/1.1\r\nHost: localhost\r\nX: {LONG}\r\n\r\n", 431),
    "many headers": (" /livez HTTP/1.1\r\nHost: localhost\r\n" + "X: y\r\n" * 65 + "\r\n", 431),
    "an unknown coding": (" /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 501),
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("refused", REFUSED)
def test_what_the_server_refuses_it_refuses_in_a_sentence(
    shared_server: Server, refused: str, method: str
) -> None:
    rest, status = REFUSED[refused]
    (found,) = asked(shared_server, method + rest + NEXT, method)
    assert found.status == status
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", found.headers["date"])
    assert found.headers["connection"] == "close"
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert found.headers["cache-control"] == "no-store"
    length = int(found.headers["content-length"])
    assert 0 < length < 300
    if method == "GET":
        sentence = found.body.decode("ascii")
        assert sentence.count("\n") == 1
        assert sentence.endswith(".\n")
        assert "<" not in sentence
        assert {414: "8190", 431: "64 are allowed, with 16,384"}.get(status, "") in sentence
