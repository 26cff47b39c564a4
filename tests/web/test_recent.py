"""What is answered again from memory is what was answered before, and nothing else is."""

from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from sequence.protocol.answer import IMMUTABLE
from sequence.web import recent
from sequence.web.recent import RecentAnswers

HEADERS = {"Cache-Control": IMMUTABLE, "Vary": "Accept-Encoding", "Content-Length": "3"}


class Application:
    """A WSGI application that tells how often it was asked, and what was closed."""

    def __init__(self, status: str = "200 OK", **headers: str) -> None:
        self.status, self.headers = status, HEADERS | headers
        self.asked = self.closed = 0
        self.chunks: Iterable[bytes] = (b"0 ", b"1")

    def __call__(self, _: dict[str, Any], start_response: Any) -> "Application":
        self.asked += 1
        start_response(self.status, list(self.headers.items()))
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    def close(self) -> None:
        self.closed += 1


def ask(service: RecentAnswers, **environ: str) -> tuple[str, dict[str, str], bytes]:
    """The status, the headers and the body, as a server takes them."""
    told: list[Any] = []
    asked: dict[str, Any] = dict(environ)
    setup_testing_defaults(asked)
    response = service(asked, lambda status, headers: told.extend((status, headers)))  # type: ignore[arg-type]
    body = b"".join(response)
    if close := getattr(response, "close", None):
        close()
    return told[0], dict(told[1]), body


def test_what_can_never_change_is_asked_for_twice() -> None:
    application = Application()
    service = RecentAnswers(application)
    answers = [ask(service, QUERY_STRING="sn=2") for _ in range(5)]
    assert answers == [("200 OK", HEADERS, b"0 1")] * 5
    assert (application.asked, application.closed) == (2, 2)


def test_many_answers_that_nobody_asks_for_again_push_none_out() -> None:
    application = Application()
    service = RecentAnswers(application)
    for _ in range(2):
        ask(service, QUERY_STRING="sn=2")
    for n in range(2 * recent.MAX_ANSWERS):
        ask(service, QUERY_STRING=f"sn=10&start={n}")
    application.asked = 0
    ask(service, QUERY_STRING="sn=2")
    assert application.asked == 0


@pytest.mark.parametrize(
    "other",
    [
        {"QUERY_STRING": "sn=3"},
        {"PATH_INFO": "/terms/2"},
        {"HTTP_HOST": "elsewhere"},
        {"HTTP_ACCEPT": "text/html"},
        {"HTTP_ACCEPT_ENCODING": "zstd"},
        {"SERVER_PROTOCOL": "HTTP/1.1"},
        {"REQUEST_METHOD": "HEAD"},
        {"REQUEST_METHOD": "POST"},
        {"HTTP_RANGE": "bytes=0-0"},
        {"HTTP_IF_NONE_MATCH": '"x"'},
        {"HTTP_IF_MATCH": '"x"'},
        {"HTTP_IF_RANGE": '"x"'},
        {"HTTP_IF_MODIFIED_SINCE": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_question_is_asked(other: dict[str, str]) -> None:
    application = Application()
    service = RecentAnswers(application)
    for _ in range(2):
        ask(service, QUERY_STRING="sn=2")
    ask(service, **{"QUERY_STRING": "sn=2"} | other)
    assert application.asked == 3


@pytest.mark.parametrize(
    "application",
    [
        Application("206 Partial Content"),
        Application("404 Not Found"),
        Application(**{"Cache-Control": "no-store"}),
        Application(**{"Cache-Control": "no-cache"}),
        Application(Vary="Accept, Cookie"),
        Application(**{"Set-Cookie": "a=b"}),
        Application(**{"Content-Length": str(recent.MAX_BYTES + 1)}),
    ],
    ids=lambda application: f"{application.status} {application.headers}",
)
def test_what_may_change_or_is_long_is_asked_for_each_time(application: Application) -> None:
    service = RecentAnswers(application)
    for _ in range(4):
        assert ask(service)[2] == b"0 1"
    assert (application.asked, application.closed) == (4, 4)


def test_what_breaks_is_not_kept() -> None:
    def broken() -> Iterator[bytes]:
        yield b"0 "
        raise ZeroDivisionError

    application = Application()
    service = RecentAnswers(application)
    ask(service)
    application.chunks = broken()
    with pytest.raises(ZeroDivisionError):
        ask(service)
    assert application.closed == 2
    application.chunks = (b"0 ", b"1")
    assert ask(service)[2] == b"0 1"
    assert application.asked == 3


def test_a_client_that_leaves_early_leaves_nothing_behind() -> None:
    application = Application()
    service = RecentAnswers(application)
    ask(service)
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    response: Any = service(environ, lambda *_: None)  # type: ignore[arg-type]
    assert next(iter(response)) == b"0 "
    response.close()
    assert application.closed == 2
    assert ask(service)[2] == b"0 1"
    assert application.asked == 3


@pytest.mark.parametrize(
    "name", ["HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "QUERY_STRING", "PATH_INFO", "HTTP_HOST"]
)
def test_what_was_asked_at_length_takes_no_memory(name: str) -> None:
    application = Application()
    service = RecentAnswers(application)
    for n in range(300):
        ask(service, **{name: f"{n}," + "," * 488_000})
    assert application.asked == 300
    assert not service._asked
    for _ in range(2):
        ask(service, **{name: "a" * 800})
    assert service._cached


def test_so_many_are_kept_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_ANSWERS", 3)
    application = Application()
    service = RecentAnswers(application)
    for n in (1, 1, 2, 2, 3, 3, 4, 4):
        ask(service, QUERY_STRING=f"sn={n}")
    assert application.asked == 8
    for n in (2, 3, 4):
        ask(service, QUERY_STRING=f"sn={n}")
    assert application.asked == 8
    ask(service, QUERY_STRING="sn=1")
    assert application.asked == 9
