"""HTTP/1.1 by RFC 9112 where gunicorn 27.0.1 has it otherwise: requests read, and refused.

A request is read from bytes that are there: a head when it is whole, or cannot become so any more.

Section numbers are those of RFC 9112.
"""

import re
from typing import Any

from django.core.exceptions import BadRequest
from gunicorn.http import errors, message
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.util import http_date

from fibosite import settings
from sequence.errors import shortened

# What a request of HTTP/1.0 may leave out (3.3): the name that the operator calls the service.
OWN_HOST = f"{''.join(settings.ALLOWED_HOSTS[:1]).lstrip('*.') or 'localhost'}:{settings.PORT}"

MAX_FIELDS = 64
"""How many headers a request may have; gunicorn joins those of one name, and all are looked at."""
MAX_HEADERS_BYTES = 16 * 1024
"""How long all headers of a request may be together (RFC 9110, section 5.4): longer ones would cost
more to understand than what they ask for."""
HEAD_END = re.compile(rb"\r\n\r\n|(?<!\r)\n")
"""Where no more is waited for: the end of a head, or a bare LF, which none may have (2.2)."""
MAX_HEAD_BYTES = message.MAX_REQUEST_LINE + MAX_HEADERS_BYTES + 8 * MAX_FIELDS
"""How long a head may be in all, with the colons, spaces and ends of its lines."""

BODIES_BELOW = "/admin/"
"""Nobody reads a body elsewhere."""
MAX_BODY_BYTES = 64 * 1024
"""How long a body may be that is read; it is in memory before the application is asked."""

_STATUSES = {
    errors.LimitRequestLine: (414, "URI Too Long"),
    errors.ExpectationFailed: (417, "Expectation Failed"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    errors.UnsupportedTransferCoding: (501, "Not Implemented"),
}
# Of parse errors those that are not the client's.
_OWN_FAULTS = (
    errors.ConfigurationProblem,
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
)


class Refused(errors.ParseException):  # type: ignore[misc]
    """A request is not what it may be; the sentence says why."""


class IncompleteBody(BadRequest):
    """A body ended before its Content-Length."""


class WholeReader(LengthReader):  # type: ignore[misc]
    """Reads a body of known length; raises IncompleteBody if it is cut short (section 8).

    Raises BadRequest if it is too long.
    """

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        if self.length > MAX_BODY_BYTES:
            raise BadRequest(f"A body of {self.length} bytes is too long; {MAX_BODY_BYTES} may be.")
        expected = min(size, self.length)
        found: bytes = super().read(size)
        if len(found) < expected:
            raise IncompleteBody(f"A body ended {self.length + expected - len(found)} bytes early.")
        return found


class Request(message.Request):  # type: ignore[misc]
    """A request whose target, host, persistence and body are as RFC 9112 has them.

    A connection on which a body came is closed after the answer: nobody reads a body but the
    admin's forms, and what is left of one, or is broken in it, must not become a request (9.3).

    `awaited_bytes` is how long a body is that must be there before the application is asked.
    """

    awaited_bytes = 0

    _expected_100_continue: bool
    headers: list[tuple[str, str]]
    path: str
    body: Any

    def __init__(self, *arguments: Any) -> None:
        try:
            super().__init__(*arguments)
            if sum(len(name) + len(value) for name, value in self.headers) > MAX_HEADERS_BYTES:
                raise errors.LimitRequestHeaders("all together")
            self._set_host()
        except (errors.ParseException, errors.NoMoreData) as error:
            # A head of which there is no more is too long.
            too_long = isinstance(error, errors.NoMoreData)
            refused = errors.LimitRequestHeaders("all together") if too_long else error
            # gunicorn has no request at hand, and the refusal of HEAD has no body.
            refused.request = self
            raise refused from None
        chunked = isinstance(self.body.reader, ChunkedReader)
        if chunked or self.body.reader.length:
            self.force_close()
        if not chunked and self.method == "POST" and self.path.startswith(BODIES_BELOW):
            length = self.body.reader.length
            self.awaited_bytes = length if length <= MAX_BODY_BYTES else 0
        # Only of a POST somebody may read the body (RFC 9110, section 10.1.1: else no 100).
        self.expects_100_continue = self._expected_100_continue and self.method == "POST"
        # gunicorn would send it when the application is asked.
        self._expected_100_continue = False

    def read_line(self, unreader: Any, buf: bytearray, limit: int = 0) -> Any:
        """Return the request line and the rest; note the method first, as the line may be long."""
        try:
            return super().read_line(unreader, buf, limit)
        finally:
            self.method = buf.partition(b" ")[0].decode("latin-1")

    def set_body_reader(self) -> None:
        """Set the reader of the body, which notices an early end."""
        super().set_body_reader()
        if isinstance(self.body.reader, LengthReader):
            self.body = Body(WholeReader(self.unreader, self.body.reader.length))

    def should_close(self) -> bool:
        """Whether the connection ends with the answer (9.3)."""
        options = {
            option.strip(" \t").lower()
            for name, value in self.headers
            if name == "CONNECTION"
            for option in value.split(",")
        }
        if self.must_close or self.method == "CONNECT" or "close" in options:
            return True
        return bool(self.version < (1, 1)) and "keep-alive" not in options

    def _set_host(self) -> None:
        """Take host and path from the target if it has them (3.2.2); else there is one Host (3.2).

        Raises Refused.
        """
        hosts = [value for name, value in self.headers if name == "HOST"]
        if self.version >= (1, 1) and len(hosts) != 1:
            raise Refused(f"A request of HTTP/1.1 must have one Host; this has {len(hosts)}.")
        host = hosts[0] if hosts else OWN_HOST
        if not self.uri.startswith("/"):
            scheme, slashes, rest = self.uri.partition("://")
            if slashes:
                host = self._authority(scheme, rest)
            # "*" and the authority of CONNECT name the server and none of its resources.
            self.path = self.path if slashes and self.path else "/"
        self.headers = [(name, value) for name, value in self.headers if name != "HOST"]
        self.headers.append(("HOST", host))

    def _authority(self, scheme: str, rest: str) -> str:
        # RFC 9110, section 7.4: https only if it came so, through a proxy that we trust.
        if scheme.lower() not in {"http", self.scheme}:
            raise Refused(f"The target's scheme is {shortened(scheme)}; it must be {self.scheme}.")
        host = rest.partition("/")[0].partition("?")[0].partition("#")[0]
        # RFC 9110, sections 4.2.1 and 4.2.4.
        if not host or "@" in host:
            raise Refused(f"The target's host is {shortened(host)}; it must be a name and no more.")
        return host


def is_clients(error: Exception) -> bool:
    """Whether the request is wrong, and not the server."""
    return isinstance(error, errors.ParseException) and not isinstance(error, _OWN_FAULTS)


def refusal(error: Exception, method: str | None) -> bytes:
    """Return the response to a request that never reached the application, or failed there."""
    status, reason = _STATUSES.get(type(error), (400, "Bad Request"))
    if isinstance(error, MemoryError):
        status, reason = 503, "Service Unavailable"
        sentence = "The service has too little memory for this now; please try again."
    elif not is_clients(error):
        status, reason = 500, "Internal Server Error"
        sentence = "The server made an error; it has been logged."
    elif isinstance(error, errors.LimitRequestLine):
        sentence = f"The request line is too long; {message.MAX_REQUEST_LINE} bytes are allowed."
    elif isinstance(error, errors.LimitRequestHeaders):
        sentence = (
            "The headers are too many or too long; "
            f"{MAX_FIELDS} are allowed, with {MAX_HEADERS_BYTES:,} bytes together."
        )
    elif isinstance(error, Refused):
        sentence = str(error)
    else:
        sentence = f"The request cannot be read: {shortened(str(error), 100)}."
    body = f"{sentence}\n"
    head = (
        f"HTTP/1.1 {status} {reason}",
        f"Date: {http_date()}",
        "Connection: close",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        *(["Retry-After: 5"] if status == 503 else []),
    )
    return "\r\n".join((*head, "", "" if method == "HEAD" else body)).encode("latin-1")
