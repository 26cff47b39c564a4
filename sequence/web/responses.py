"""Django's responses to what `protocol/` decided, and the decorator of all public views."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from http import HTTPStatus
from zlib import ZLIB_RUNTIME_VERSION

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from sequence import conf
from sequence.coding.coder import packer
from sequence.coding.coding import CODINGS, GZIP, MIN_BYTES, Coding
from sequence.errors import FiboError, MethodNotAllowed
from sequence.protocol import query
from sequence.protocol.answer import HEADERS, IMMUTABLE, Answer, Metadata, decide, strong_etag
from sequence.protocol.negotiate import IDENTITY, media_type
from sequence.protocol.ranges import MAX_RANGES
from sequence.segments.stream import encoded, pieces
from sequence.store.pieces import Piece, in_bytes
from sequence.text.layout import LAYOUT_VERSION, digit_count
from sequence.text.representation import AnyRepresentation
from sequence.text.span import Span
from sequence.web import compression
from sequence.web.metrics import METHODS, NO_FORMAT
from sequence.web.refusals import HTML, JSON, TEXT, refuse_for, strip_body

MAX_WHOLE_BYTES = 256 * 1024
"""An answer of up to so many bytes is encoded before it is sent, so that its length is known."""

MAX_RANGE_DIGITS = 2**20
"""How many digits the terms may have, together, in which the ranges of one answer begin: each is
computed from its number alone, even for one byte."""

# Fetch Standard, section 3.3: pages of any origin may read the answers, and these headers too.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Accept-Ranges, Content-Disposition, Content-Encoding, Content-Length, Content-Range, "
        "ETag, Link, Retry-After"
    ),
}
PREFLIGHT = {
    "Allow": ", ".join(METHODS),
    "Access-Control-Allow-Methods": ", ".join(METHODS),
    "Access-Control-Allow-Headers": "If-Match, If-None-Match, If-Range, Range",
    "Access-Control-Max-Age": "86400",
}
# RFC 8631, section 4.
SERVICE_DESC = f'</openapi.json>; rel="service-desc"; type="{JSON}"'

# Django would look through all of the environment.
_META = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in HEADERS}

View = Callable[..., HttpResponseBase]


class Decided(StreamingHttpResponse):
    """An answer that was decided, with its body, and the name of its format for the metrics.

    The body is its `pieces` (sequence/store/pieces.py) for a server that asks for these, or bytes.
    """

    is_async = False

    def __init__(self, decided: Answer, pieces: Iterable[Piece], format: str = NO_FORMAT) -> None:
        super().__init__(pieces, status=decided.status, headers=decided.headers)
        self.format = format
        # Django adds one if there is none, as in a 304.
        if "Content-Type" not in decided.headers:
            del self.headers["Content-Type"]

    @property
    def streaming_content(self) -> Iterator[bytes]:
        """Yield what is left of the body, for other servers."""
        return in_bytes(self.pieces)

    @streaming_content.setter  # type: ignore[override]
    def streaming_content(self, pieces: Iterable[Piece]) -> None:
        self.pieces = iter(pieces)
        if hasattr(pieces, "close"):
            self._resource_closers.append(pieces.close)  # type: ignore[attr-defined]


def public(view: View) -> View:
    """Return the view for anybody: read only, for pages of any origin, with errors as responses."""

    @wraps(view)
    def answered(request: HttpRequest, **captured: str) -> HttpResponseBase:
        response: HttpResponseBase
        try:
            if request.method == "OPTIONS":
                response = HttpResponse(status=204, headers=PREFLIGHT)
                del response.headers["Content-Type"]
            elif request.method not in METHODS:
                raise MethodNotAllowed(str(request.method), METHODS)
            else:
                response = view(request, **captured)
        except (FiboError, OSError, DatabaseError, MemoryError) as error:
            response = refuse_for(request, error)
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            strip_body(response)
        links = [link for link in (response.headers.get("Link"), SERVICE_DESC) if link]
        for name, value in (CORS | {"Link": ", ".join(links)}).items():
            response.headers[name] = value
        return response

    return answered


def preferred(request: HttpRequest, parameters: Mapping[str, str]) -> str:
    """Return TEXT, JSON or HTML: by the parameter `format`, or else by Accept."""
    named = {"text": TEXT, "json": JSON, "html": HTML}
    if format := query.choice("format", parameters, named):
        return named[format]
    return media_type(request.META.get("HTTP_ACCEPT"), (TEXT, JSON, HTML))


def represent(
    request: HttpRequest,
    representation: AnyRepresentation,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Decided:
    """Return the response to a request for a representation; raises the errors of refusals.

    The first bytes of a body are made within a `turn`.
    """
    facts = (LAYOUT_VERSION, *representation.key)
    codings = offered(request, representation)
    etags = {coding.name: strong_etag(*facts, coding.name, coding.version) for coding in codings}
    etags[IDENTITY] = strong_etag(*facts, IDENTITY)
    about = Metadata(
        representation.length,
        representation.media_type,
        etags,
        file_name=representation.file_name,
        max_ranges=max_ranges(representation.terms),
    )
    decided = decide(str(request.method), _headers(request), about)
    body: Iterator[Piece]
    with turn() if decided.body else nullcontext():
        if decided.coding == IDENTITY:
            body = pieces(representation, decided.body)
        else:
            body = encode(decided, representation)
    return Decided(decided, body, representation.name)


def max_ranges(terms: Span) -> int:
    """Return how many ranges an answer about the terms may have: they cost little more than one."""
    return max(min(MAX_RANGE_DIGITS // digit_count(terms.stop), MAX_RANGES), 2)


def offered(request: HttpRequest, representation: AnyRepresentation) -> list[Coding]:
    """Return the codings that the representation is offered in, the preferred one first."""
    # A long encoded answer ends with its last chunk, and HTTP/1.0 has no chunks.
    is_short = (representation.length or 0) < MIN_BYTES
    if is_short or not representation.has_codings or request.META["SERVER_PROTOCOL"] < "HTTP/1.1":
        return []
    allowed = conf.encodings()
    return [coding for name, coding in CODINGS.items() if name in allowed and packer.available]


def encode(decided: Answer, representation: AnyRepresentation) -> Iterator[bytes]:
    """Return the body of an encoded answer; a short one is encoded at once, to set its length."""
    if decided.status != HTTPStatus.OK:
        return iter(())
    coding = CODINGS[decided.coding]
    if (representation.length or 0) > MAX_WHOLE_BYTES:
        return encoded(representation, coding) if decided.body else iter(())
    content = b"".join(encoded(representation, coding))
    decided.headers["Content-Length"] = str(len(content))
    return iter([content] if decided.body else ())


def small(
    request: HttpRequest, body: str | bytes, content_type: str, cache_control: str = IMMUTABLE
) -> HttpResponseBase:
    """Return a response of a few bytes, with ETags and ranges; raises the errors of refusals.

    Text that is long enough is offered in gzip too.
    """
    content = body.encode() + b"\n" if isinstance(body, str) else body
    etags = _etags(content, is_text=isinstance(body, str))
    about = Metadata(len(content), content_type, etags, cache_control)
    decided = decide(str(request.method), _headers(request), about)
    if decided.coding != IDENTITY:
        content = compression.compressed(content)
        decided.headers["Content-Length"] = str(len(content))
        decided = decided._replace(body=tuple(Span(0, len(content)) for _ in decided.body))
    parts = (
        content[part.start : part.stop] if isinstance(part, Span) else part for part in decided.body
    )
    response = Decided(decided, parts)
    response.headers["Vary"] = "Accept-Encoding, Accept"
    return response


def _etags(content: bytes, is_text: bool) -> dict[str, str]:
    """Return the ETag of each coding that the content is offered in, the preferred one first."""
    digest = hashlib.sha256(content).hexdigest()[:32]
    etags = {IDENTITY: strong_etag(digest)}
    if is_text and compression.is_offered(content):
        etags = {GZIP.name: strong_etag(digest, GZIP.name, ZLIB_RUNTIME_VERSION)} | etags
    return etags


def _headers(request: HttpRequest) -> dict[str, str]:
    return {name: request.META[key] for name, key in _META.items() if key in request.META}
