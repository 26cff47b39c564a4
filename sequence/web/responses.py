"""Django's responses to what was decided, and to errors."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from http import HTTPStatus

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from sequence import conf
from sequence.accounts import database
from sequence.coding.coder import packer
from sequence.coding.coding import CODINGS, MIN_BYTES, Coding
from sequence.errors import (
    FiboError,
    MethodNotAllowed,
    NotAcceptable,
    NotFibonacci,
    ParameterError,
    PreconditionFailed,
    RangeNotSatisfiable,
    UnknownParameter,
)
from sequence.index.ratelimit import acquire
from sequence.protocol import query
from sequence.protocol.answer import HEADERS, IMMUTABLE, Answer, Metadata, answer, strong_etag
from sequence.protocol.negotiate import IDENTITY, media_type
from sequence.protocol.ranges import MAX_RANGES
from sequence.segments.stream import encoded, pieces, primed
from sequence.store.pieces import Piece, in_bytes
from sequence.text.format import PLAIN
from sequence.text.layout import LAYOUT_VERSION, digit_count
from sequence.text.representation import Representation
from sequence.text.span import Span
from sequence.web import pages
from sequence.web.metrics import METHODS, NO_FORMAT

log = logging.getLogger(__name__)

TEXT = "text/plain"
HTML = "text/html"
JSON = "application/json"
PAGE = f"{HTML}; charset=utf-8"
PROBLEM = "application/problem+json"
RETRY_AFTER_S = 5

MAX_WHOLE_BYTES = 256 * 1024
"""An answer of up to so many bytes is encoded before it is sent, so that its length can be told."""

MAX_RANGE_DIGITS = 2**20
"""How many digits the terms may have, together, in which the ranges of one answer begin: each is
computed from its number alone, be it for one byte."""

# The errors that are the client's. All others are the store's, and a 503.
STATUSES = {
    ParameterError: 400,
    UnknownParameter: 400,
    NotFibonacci: 404,
    MethodNotAllowed: 405,
    NotAcceptable: 406,
    PreconditionFailed: 412,
    RangeNotSatisfiable: 416,
}

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

View = Callable[..., HttpResponseBase]


class Decided(StreamingHttpResponse):
    """An answer that was decided, with its body, and the name of its format for the metrics.

    The body is its `pieces` (sequence/store/pieces.py) for a server that asks for these, or bytes.
    """

    is_async = False

    def __init__(self, decided: Answer, pieces: Iterable[Piece], format: str = NO_FORMAT) -> None:
        super().__init__(pieces, status=decided.status, headers=decided.headers)
        self.format = format
        # Django adds one where there is none, as in a 304.
        if "Content-Type" not in decided.headers:
            del self.headers["Content-Type"]

    @property
    def streaming_content(self) -> Iterator[bytes]:
        """What is left of the body, for other servers."""
        return in_bytes(self.pieces)

    @streaming_content.setter  # type: ignore[override]
    def streaming_content(self, pieces: Iterable[Piece]) -> None:
        self.pieces = iter(pieces)
        if hasattr(pieces, "close"):
            self._resource_closers.append(pieces.close)  # type: ignore[attr-defined]


def public(view: View) -> View:
    """The view for anybody: read only, from pages of any origin, with its errors answered."""

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
            response = refused(request, error)
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            strip(response)
        links = [link for link in (response.headers.get("Link"), SERVICE_DESC) if link]
        for name, value in (CORS | {"Link": ", ".join(links)}).items():
            response.headers[name] = value
        return response

    return answered


def strip(response: HttpResponse) -> None:
    """Takes the body away, for HEAD, and leaves its length: gunicorn would log that it is there."""
    response.headers.setdefault("Content-Length", str(len(response.content)))
    response.content = b""


def unkept(status: int, body: str, content_type: str = PLAIN) -> HttpResponse:
    """A response that no cache is to keep."""
    content = body.encode() + b"\n"
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "no-store",
        # Django's middleware sets none if a layer above it refuses, as for a foreign Host.
        "Content-Length": str(len(content)),
    }
    return HttpResponse(content, status=status, headers=headers)


def refusal(request: HttpRequest, status: int, sentence: str, **members: object) -> HttpResponse:
    """An error in one sentence; as a page, or as a problem (RFC 9457, section 3), if preferred.

    `members` are further ones of the problem; those that are None are left out.
    """
    # What `/` answers to a query is for programs, whoever asks.
    offered = (TEXT, PROBLEM, JSON) if request.path == "/" else (TEXT, PROBLEM, JSON, HTML)
    kind = media_type(request.META.get("HTTP_ACCEPT"), offered)
    if kind == TEXT:
        response = unkept(status, sentence)
    elif kind == HTML:
        response = unkept(status, pages.refusal(HTTPStatus(status).phrase, sentence), PAGE)
    else:
        problem = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": sentence,
        }
        problem |= {name: member for name, member in members.items() if member is not None}
        response = unkept(status, json.dumps(problem), PROBLEM)
    response.headers["Vary"] = "Accept"
    if request.method == "HEAD":
        strip(response)
    return response


def refused(request: HttpRequest, error: Exception) -> HttpResponse:
    """The refusal that an error is answered with."""
    status = STATUSES.get(type(error), 503)
    if status == 503:
        if isinstance(error, DatabaseError) and database.failed(error):
            # Only the admin needs them: who asks is an operator.
            sentence = database.sentence(error)
            if acquire("accounts"):
                log.error("%s", sentence)
        else:
            # The cause is the operator's to see and to mend, and not the client's.
            if acquire(type(error).__name__):
                log.error("%s failed: %s: %s", request.path, type(error).__name__, error)
            sentence = "The store cannot answer this now; please try again."
        response = refusal(request, 503, sentence)
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response
    facts = {name: getattr(error, name, None) for name in ("parameter", "value", "maximum")}
    response = refusal(request, status, str(error), **facts)
    if isinstance(error, NotAcceptable):
        response.headers["Vary"] = "Accept, Accept-Encoding"
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, RangeNotSatisfiable):
        # RFC 9110, section 14.4.
        response.headers["Content-Range"] = f"bytes */{error.length}"
    return response


def max_ranges(terms: Span) -> int:
    """How many ranges an answer about the terms may have: as many as cost little more than one."""
    return max(min(MAX_RANGE_DIGITS // digit_count(terms.stop), MAX_RANGES), 2)


def represent(request: HttpRequest, representation: Representation) -> Decided:
    """The response to a request for a representation; raises the errors of refusal."""
    format, terms = representation.format, representation.terms
    facts = (LAYOUT_VERSION, terms.start, terms.stop, format.name)
    codings = offered(request, representation)
    etags = {coding.name: strong_etag(*facts, coding.name, coding.version) for coding in codings}
    etags[IDENTITY] = strong_etag(*facts, IDENTITY)
    about = Metadata(
        representation.length,
        format.media_type,
        etags,
        file_name=representation.file_name,
        max_ranges=max_ranges(terms),
    )
    decided = answer(str(request.method), _headers(request), about)
    if decided.coding == IDENTITY:
        body = pieces(representation, decided.body)
    else:
        body = encode(decided, representation)
    return Decided(decided, primed(body), format.name)


def offered(request: HttpRequest, representation: Representation) -> list[Coding]:
    """The codings that the representation is offered in, the preferred one first."""
    # The end of a long encoded answer is told by its chunks, which HTTP/1.0 lacks.
    if representation.length < MIN_BYTES or request.META["SERVER_PROTOCOL"] < "HTTP/1.1":
        return []
    allowed = conf.encodings()
    return [coding for name, coding in CODINGS.items() if name in allowed and packer.available]


def encode(decided: Answer, representation: Representation) -> Iterator[bytes]:
    """The body of an encoded answer; a short one is encoded at once, and its length is told."""
    if decided.status != HTTPStatus.OK:
        return iter(())
    chunks = encoded(representation, CODINGS[decided.coding])
    if representation.length <= MAX_WHOLE_BYTES:
        content = b"".join(chunks)
        decided.headers["Content-Length"] = str(len(content))
        chunks = iter([content])
    return chunks if decided.body else iter(())


def small(
    request: HttpRequest, body: str, content_type: str, cache_control: str = IMMUTABLE
) -> HttpResponseBase:
    """The response of a few bytes, with its validator and ranges; raises the errors of refusal."""
    content = body.encode() + b"\n"
    etag = strong_etag(hashlib.sha256(content).hexdigest()[:32])
    about = Metadata(len(content), content_type, {IDENTITY: etag}, cache_control)
    decided = answer(str(request.method), _headers(request), about)
    parts = (
        content[part.start : part.stop] if isinstance(part, Span) else part for part in decided.body
    )
    response = Decided(decided, parts)
    response.headers["Vary"] = "Accept-Encoding, Accept"
    return response


# Django would look through all that the server tells of the request.
_META = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in HEADERS}


def _headers(request: HttpRequest) -> dict[str, str]:
    return {name: request.META[key] for name, key in _META.items() if key in request.META}


def preferred(request: HttpRequest, parameters: Mapping[str, str]) -> str:
    """TEXT, JSON or HTML: as the parameter `format` says, or else as Accept does."""
    named = {"text": TEXT, "json": JSON}
    if format := query.choice("format", parameters, named):
        return named[format]
    return media_type(request.META.get("HTTP_ACCEPT"), (TEXT, JSON, HTML))
