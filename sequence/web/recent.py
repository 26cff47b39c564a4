"""A cache of recent answers that are short and can never change (RFC 9111)."""

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
"""How long a body may be, and how many are cached: 8 MiB at most, and a term is among them. An
answer is cached when it is asked for again: most windows never are."""
MAX_KEY_CHARS = 1024
"""How long the key of an answer may be: well-meaning clients send shorter ones."""

_VARIES = {"Accept", "Accept-Encoding"}
_NARROWING = {
    *("HTTP_RANGE", "HTTP_IF_RANGE", "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"),
    *("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"),
}
"""The headers that ask for a part, or under a condition."""
_KEY = (
    *("REQUEST_METHOD", "SERVER_PROTOCOL", "HTTP_HOST", "PATH_INFO", "QUERY_STRING"),
    *("HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING"),
)
"""The key of an answer: its address, and the headers that Vary names (section 4.1)."""


class Recent(NamedTuple):
    """A cached answer."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    format: str


class RecentAnswers:
    """A cache in front of a WSGI application: most clients ask for the beginning."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._cached: OrderedDict[tuple[str, ...], Recent] = OrderedDict()
        self._asked: OrderedDict[tuple[str, ...], None] = OrderedDict()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Return the answer from the cache or of the application."""
        asked_at = perf_counter()
        # Ranges, conditions and HEAD ask for less: all of them cost little.
        if environ["REQUEST_METHOD"] != "GET" or not _NARROWING.isdisjoint(environ):
            return self._application(environ, start_response)
        asked = tuple(environ.get(name, "") for name in _KEY)
        if sum(map(len, asked)) > MAX_KEY_CHARS:
            return self._application(environ, start_response)
        if recent := self._cached.get(asked):
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
        return self._caching(asked, Recent(status, headers, b"", format), response)

    def _caching(self, asked: tuple[str, ...], recent: Recent, response: Any) -> Iterator[bytes]:
        """Yield the chunks of the response, and cache it after the last one."""
        body = bytearray()
        with closing(response):
            for chunk in response:
                body += chunk
                yield chunk
        _add(self._cached, asked, recent._replace(body=bytes(body)))


def _add(found: "OrderedDict[tuple[str, ...], Any]", asked: tuple[str, ...], value: object) -> None:
    found[asked] = value
    if len(found) > MAX_ANSWERS:
        found.popitem(last=False)


def _never_changes(status: str, headers: list[tuple[str, str]]) -> bool:
    """Whether the answer is short, and the same for each request with the same key."""
    found = dict(headers)
    return (
        status.startswith("200")
        and found.get("Cache-Control") == IMMUTABLE
        and set(found.get("Vary", "").split(", ")) <= _VARIES
        and int(found.get("Content-Length", MAX_BYTES + 1)) <= MAX_BYTES
        and "Set-Cookie" not in found
    )
