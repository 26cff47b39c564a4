"""Answers from memory what was answered a moment ago and can never change (RFC 9111)."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import closing
from time import perf_counter
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sequence.protocol.answer import IMMUTABLE
from sequence.web import metrics

MAX_BYTES = 32 * 1024
MAX_ANSWERS = 256
"""How long a body may be, and how many are kept: 8 MiB at most, and a term is among them. They are
kept when they are asked for again: most that are not are windows that nobody asks for again."""
MAX_KEY_CHARS = 1024
"""How long what an answer depends on may be: as short as what clients send who mean well."""

_VARIES = {"Accept", "Accept-Encoding"}
_NARROWING = {
    *("HTTP_RANGE", "HTTP_IF_RANGE", "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"),
    *("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"),
}
"""The headers that ask for a part, or for something under a condition."""
_ASKED = (
    *("REQUEST_METHOD", "SERVER_PROTOCOL", "HTTP_HOST", "PATH_INFO", "QUERY_STRING"),
    *("HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING"),
)
"""What an answer depends on that never changes: its address, and the headers that Vary names
(section 4.1)."""


class Recent(NamedTuple):
    """An answer that may be given again."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    format: str


class RecentAnswers:
    """A WSGI application before which many get the same: most ask for the beginning."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._kept: OrderedDict[tuple[str, ...], Recent] = OrderedDict()
        self._asked: OrderedDict[tuple[str, ...], None] = OrderedDict()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The answer of the application, or the same again."""
        asked_at = perf_counter()
        # Ranges and conditions ask for less, and HEAD for nothing: all of them cost little.
        if environ["REQUEST_METHOD"] != "GET" or not _NARROWING.isdisjoint(environ):
            return self._application(environ, start_response)
        asked = tuple(environ.get(name, "") for name in _ASKED)
        if sum(map(len, asked)) > MAX_KEY_CHARS:
            return self._application(environ, start_response)
        if recent := self._kept.get(asked):
            start_response(recent.status, list(recent.headers))
            metrics.requests("GET", 200, recent.format).inc()
            metrics.sent_bytes(recent.format).inc(len(recent.body))
            metrics.FIRST_BYTE_SECONDS.observe(perf_counter() - asked_at)
            return [recent.body]
        if asked in self._asked:
            return self._answered(asked, environ, start_response)
        _add(self._asked, asked, None)
        return self._application(environ, start_response)

    def _answered(
        self, asked: tuple[str, ...], environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        told: list[Any] = []

        def noted(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            told[:] = status, headers
            return start_response(status, headers, *more)

        response: Any = self._application(environ, noted)
        if not _never_changes(*told):
            return response  # type: ignore[no-any-return]
        format = getattr(response, "format", metrics.NO_FORMAT)
        status, headers = told
        return self._keeping(asked, Recent(status, headers, b"", format), response)

    def _keeping(self, asked: tuple[str, ...], recent: Recent, response: Any) -> Iterator[bytes]:
        """The chunks of the response, which is kept when the last one is taken."""
        body = bytearray()
        with closing(response):
            for chunk in response:
                body += chunk
                yield chunk
        _add(self._kept, asked, recent._replace(body=bytes(body)))


def _add(found: "OrderedDict[tuple[str, ...], Any]", asked: tuple[str, ...], value: object) -> None:
    found[asked] = value
    if len(found) > MAX_ANSWERS:
        found.popitem(last=False)


def _never_changes(status: str, headers: list[tuple[str, str]]) -> bool:
    """Whether the answer is short, and the same whenever the same is asked for."""
    found = dict(headers)
    return (
        status.startswith("200")
        and found.get("Cache-Control") == IMMUTABLE
        and set(found.get("Vary", "").split(", ")) <= _VARIES
        and int(found.get("Content-Length", MAX_BYTES + 1)) <= MAX_BYTES
        and "Set-Cookie" not in found
    )
