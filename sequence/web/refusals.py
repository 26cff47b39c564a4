"""What clients get instead of what they asked for: one table maps errors to statuses."""

import json
import logging
from contextlib import suppress
from http import HTTPStatus

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from sequence.accounts import database
from sequence.coding.coding import GZIP
from sequence.errors import (
    Busy,
    MethodNotAllowed,
    NotAcceptable,
    NotContained,
    NotFibonacci,
    ParameterError,
    PreconditionFailed,
    RangeNotSatisfiable,
    SearchCancelled,
    UnknownParameter,
)
from sequence.index.ratelimit import acquire
from sequence.protocol.negotiate import IDENTITY, codings, media_type
from sequence.text.format import PLAIN
from sequence.web import compression, pages

log = logging.getLogger(__name__)

TEXT = "text/plain"
HTML = "text/html"
JSON = "application/json"
PAGE = f"{HTML}; charset=utf-8"
PROBLEM = "application/problem+json"
RETRY_AFTER_S = 5

STATUSES = {
    ParameterError: 400,
    UnknownParameter: 400,
    SearchCancelled: 400,
    NotFibonacci: 404,
    NotContained: 404,
    MethodNotAllowed: 405,
    NotAcceptable: 406,
    PreconditionFailed: 412,
    RangeNotSatisfiable: 416,
    Busy: 503,
}
"""The errors that are told as they are. All others are of the store, the index or the accounts:
503, and the operator's to repair."""


def refuse_for(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the response to a request that raised the error."""
    status = STATUSES.get(type(error), 503)
    if type(error) not in STATUSES:
        response = refuse(request, status, _unavailable(request, error))
    else:
        if isinstance(error, Busy) and acquire(type(error).__name__):
            log.warning("%s was refused: %s", request.path, error)
        facts = {name: getattr(error, name, None) for name in ("parameter", "value", "maximum")}
        response = refuse(request, status, str(error), **facts)
    match error:
        case MethodNotAllowed():
            response.headers["Allow"] = ", ".join(error.allowed)
        case RangeNotSatisfiable():  # RFC 9110, section 14.4
            response.headers["Content-Range"] = f"bytes */{error.length}"
        case _ if status == 503:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
            # Django would log each again, and clients could fill the disk.
            response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _unavailable(request: HttpRequest, error: Exception) -> str:
    """Log what failed, for the operator, who has to repair it; return what the client is told."""
    if isinstance(error, DatabaseError) and database.failed(error):
        # Only the admin needs the accounts, so the client is an operator.
        if acquire("accounts"):
            log.error("%s", database.sentence(error))
        return database.sentence(error)
    if acquire(type(error).__name__):
        log.error("%s failed: %s: %s", request.path, type(error).__name__, error)
    return "The store cannot answer this now; please try again."


def refuse(request: HttpRequest, status: int, sentence: str, **members: object) -> HttpResponse:
    """Return an error in one sentence; as a page or a problem (RFC 9457, section 3) if preferred.

    `members` are further ones of the problem; those that are None are left out.
    """
    kind = media_type(request.META.get("HTTP_ACCEPT"), (TEXT, PROBLEM, JSON, HTML))
    title = HTTPStatus(status).phrase
    if kind == TEXT:
        response = negotiated(request, status, sentence)
    elif kind == HTML:
        sent = request.META.get("QUERY_STRING", "")
        named = str(members.get("parameter", ""))
        html = pages.refusal(title, sentence, request.path, sent, named)
        response = negotiated(request, status, html, PAGE)
    else:
        problem = {"type": "about:blank", "title": title, "status": status, "detail": sentence}
        problem |= {name: member for name, member in members.items() if member is not None}
        response = negotiated(request, status, json.dumps(problem), PROBLEM)
    if request.method == "HEAD":
        strip_body(response)
    return response


def negotiated(
    request: HttpRequest, status: int, body: str, content_type: str = PLAIN
) -> HttpResponse:
    """Return a response that no cache may keep, in gzip if the client prefers that.

    One that accepts no coding at all is told what it is told without any.
    """
    response = uncached(status, body, content_type)
    response.headers["Vary"] = "Accept, Accept-Encoding"
    if compression.is_offered(response.content):
        with suppress(NotAcceptable):
            accepted = codings(request.META.get("HTTP_ACCEPT_ENCODING"), (GZIP.name, IDENTITY))
            if accepted[0] == GZIP.name:
                response.content = compression.compressed(response.content)
                response.headers["Content-Encoding"] = GZIP.name
                response.headers["Content-Length"] = str(len(response.content))
    return response


def uncached(status: int, body: str, content_type: str = PLAIN) -> HttpResponse:
    """Return a response that no cache may keep."""
    content = body.encode() + b"\n"
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "no-store",
        # Django's middleware sets none if a layer above it refuses, as for a foreign Host.
        "Content-Length": str(len(content)),
    }
    return HttpResponse(content, status=status, headers=headers)


def strip_body(response: HttpResponse) -> None:
    """Remove the body, for HEAD, and leave its length: gunicorn would log that there is a body."""
    response.headers.setdefault("Content-Length", str(len(response.content)))
    response.content = b""
