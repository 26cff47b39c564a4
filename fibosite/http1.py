"""HTTP/1.1 requests as RFC 9112 has them and gunicorn 27.0.1 does not: parsed, or refused.

Rules: nothing here does I/O. A request is parsed from bytes that have arrived, when its head is
complete or too long. Section numbers are those of RFC 9112.
"""

import re
from typing import Any

from django.core.exceptions import BadRequest
from gunicorn.http import errors, message
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.util import http_date

from fibosite import settings
from sequence.errors import shortened

# For HTTP/1.0 requests without a Host (3.3): the first name that the operator allows.
OWN_HOST = f"{''.join(settings.ALLOWED_HOSTS[:1]).lstrip('*.') or 'localhost'}:{settings.PORT}"

MAX_FIELDS = 64
"""How many headers a request may have; all are read, and gunicorn joins those of one name."""
MAX_HEADERS_BYTES = 16 * 1024
"""How long all headers of a request may be together (RFC 9110, section 5.4): longer ones cost more
to parse than what they ask for."""
HEAD_END = re.compile(rb"\r\n\r\n|(?<!\r)\n")
"""The end of a head, or a bare LF, which is malformed (2.2)."""
MAX_HEAD_BYTES = message.MAX_REQUEST_LINE + MAX_HEADERS_BYTES + 8 * MAX_FIELDS
"""How long a head may be, with the colons, spaces and line ends."""

BODIES_BELOW = "/admin/"
"""Only the admin's forms have a body that is read."""
MAX_BODY_BYTES = 64 * 1024
"""How long such a body may be; it is received into memory before the application is called."""

_REFUSALS = {
    errors.LimitRequestLine: (
        "414 URI Too Long",
        f"The request line is too long; {message.MAX_REQUEST_LINE} bytes are allowed.",
    ),
    errors.ExpectationFailed: ("417 Expectation Failed", ""),
    errors.LimitRequestHeaders: (
        "431 Request Header Fields Too Large",
        "The headers are too many or too long; "
        f"{MAX_FIELDS} are allowed, with {MAX_HEADERS_BYTES:,} bytes together.",
    ),
    errors.UnsupportedTransferCoding: ("501 Not Implemented", ""),
    MemoryError: (
        "503 Service Unavailable",
        "The service has too little memory for this now; please try again.",
    ),
}
"""Status and sentence by error; if there is no sentence, the error's own is quoted."""
_MALFORMED = ("400 Bad Request", "")
_FAILED = ("500 Internal Server Error", "The server made an error; it has been logged.")
# The parse errors that are the server's fault.
_OWN_FAULTS = (
    errors.ConfigurationProblem,
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
)


class Refused(errors.ParseException):  # type: ignore[misc]
    """A request breaks a rule; the sentence says which."""


class IncompleteBody(BadRequest):
    """A body ended before its Content-Length (section 8)."""


class WholeReader(LengthReader):  # type: ignore[misc]
    """Reads a body of known length, whole or not at all."""

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end.

        Raises IncompleteBody, or BadRequest if the body is too long.
        """
        if self.length > MAX_BODY_BYTES:
            raise BadRequest(f"A body of {self.length} bytes is too long; {MAX_BODY_BYTES} may be.")
        expected = min(size, self.length)
        found: bytes = super().read(size)
        if len(found) < expected:
            raise IncompleteBody(f"A body ended {self.length + expected - len(found)} bytes early.")
        return found


class Request(message.Request):  # type: ignore[misc]
    """A request whose target, host, persistence and body follow RFC 9112.

    A connection on which a body came is closed after the answer: most bodies are not read, and the
    rest of one must not be parsed as the next request (9.3).

    `awaited_bytes` is the length of a body that must arrive before the application is called.
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
            # Only a head that is too long is parsed before its end.
            too_long = isinstance(error, errors.NoMoreData)
            refused = errors.LimitRequestHeaders("all together") if too_long else error
            # For the refusal, which has no body if the method is HEAD.
            refused.request = self
            raise refused from None
        chunked = isinstance(self.body.reader, ChunkedReader)
        if chunked or self.body.reader.length:
            self.force_close()
        if not chunked and self.method == "POST" and self.path.startswith(BODIES_BELOW):
            length = self.body.reader.length
            self.awaited_bytes = length if length <= MAX_BODY_BYTES else 0
        # Only the body of a POST may be read (RFC 9110, section 10.1.1: else no 100).
        self.expects_100_continue = self._expected_100_continue and self.method == "POST"
        # gunicorn would send the 100 when the application is called.
        self._expected_100_continue = False

    def read_line(self, unreader: Any, buf: bytearray, limit: int = 0) -> Any:
        """Return the request line and the rest; set the method even if the line is too long."""
        try:
            return super().read_line(unreader, buf, limit)
        finally:
            self.method = buf.partition(b" ")[0].decode("latin-1")

    def set_body_reader(self) -> None:
        """Set the body's reader, one that notices an early end."""
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
        """Set host and path from an absolute target (3.2.2), else from the one Host (3.2).

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
            # "*" and CONNECT's authority name the server, not a resource.
            self.path = self.path if slashes and self.path else "/"
        self.headers = [(name, value) for name, value in self.headers if name != "HOST"]
        self.headers.append(("HOST", host))

    def _authority(self, scheme: str, rest: str) -> str:
        # RFC 9110, section 7.4: https only if a trusted proxy says that it came so.
        if scheme.lower() not in {"http", self.scheme}:
            raise Refused(f"The target's scheme is {shortened(scheme)}; it must be {self.scheme}.")
        host = rest.partition("/")[0].partition("?")[0].partition("#")[0]
        # RFC 9110, sections 4.2.1 and 4.2.4.
        if not host or "@" in host:
            raise Refused(f"The target's host is {shortened(host)}; it must be a name and no more.")
        return host


def is_clients(error: Exception) -> bool:
    """Whether the error is the client's fault."""
    return isinstance(error, errors.ParseException) and not isinstance(error, _OWN_FAULTS)


def refusal(error: Exception, method: str | None) -> bytes:
    """Return the response to a request that was refused before the application or failed in it."""
    status, sentence = _REFUSALS.get(type(error), _MALFORMED if is_clients(error) else _FAILED)
    if not sentence:
        malformed = f"The request cannot be read: {shortened(str(error), 100)}."
        sentence = str(error) if isinstance(error, Refused) else malformed
    body = f"{sentence}\n"
    head = (
        f"HTTP/1.1 {status}",
        f"Date: {http_date()}",
        "Connection: close",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        *(["Retry-After: 5"] if isinstance(error, MemoryError) else []),
    )
    return "\r\n".join((*head, "", "" if method == "HEAD" else body)).encode("latin-1")
