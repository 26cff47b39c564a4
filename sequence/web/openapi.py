"""The service in the terms of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1)."""

from typing import Any

from sequence.protocol.query import MAX_MODULUS, MAX_VALUE_DIGITS
from sequence.text.format import FORMATS
from sequence.text.layout import MAX_N
from sequence.web.responses import HTML, JSON, PROBLEM

Object = dict[str, Any]

STRING = {"type": "string"}
DIGITS = {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}
TEXT = {"text/plain": {"schema": STRING}}
PAGE = {HTML: {"schema": STRING}}

HEADERS: Object = {
    "ETag": "Strong: made of what the bytes follow from.",
    "Cache-Control": "How long the answer may be kept; `immutable` where it can never change.",
    "Accept-Ranges": "`bytes`: ranges are answered, without a coding (RFC 9110, section 14).",
    "Vary": "Which headers of the request the answer depends on.",
}
LENGTH = {"Content-Length": "Exact. An encoded answer of more than 256 KiB of content has none."}
CONTENT_RANGE = {"Content-Range": "Which bytes these are of how many."}
NEXT = {"Link": "The next window as `rel=next`, where there is one; this as `rel=service-desc`."}

PROBLEM_SCHEMA: Object = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": STRING,
        "title": STRING,
        "status": {"type": "integer"},
        "detail": STRING | {"description": "What was found, and what is allowed."},
        "parameter": STRING,
        "value": STRING,
        "maximum": {"type": "integer"},
    },
}
TERM_SCHEMA: Object = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "digit_count": {"type": "integer"},
        "first_digits": DIGITS | {"description": "At most 20."},
        "last_digits": {"type": "string", "pattern": "^[0-9]{1,20}$"},
        "bit_length": {"type": "integer"},
        "offset": {"type": "integer", "description": "Bytes of the text before the term."},
        "segment": {"type": "integer", "description": "The stored segment that it belongs to."},
        "sha256": {
            "type": ["string", "null"],
            "description": "Of the digits; null where those cannot be had.",
        },
        "mod": {"type": "integer"},
        "residue": {"type": "integer", "description": "F(n) modulo `mod`."},
    },
    "required": [
        *("n", "digit_count", "first_digits", "last_digits"),
        *("bit_length", "offset", "segment", "sha256"),
    ],
}
VALUE_SCHEMA: Object = {
    "type": "object",
    "required": ["value", "n"],
    "properties": {"value": DIGITS, "n": {"type": "array", "items": {"type": "integer"}}},
}


def document(max_sn: int) -> Object:
    """The OpenAPI document of a service that answers for up to `max_sn` terms, as for JSON."""
    formats = {each.media_type.partition(";")[0]: {"schema": STRING} for each in FORMATS.values()}
    parts = {"multipart/byteranges": {"schema": STRING}}
    digits = {
        200: _response("What was asked for.", formats, HEADERS | LENGTH | NEXT),
        206: _response("The ranges of it.", formats | parts, HEADERS | LENGTH | CONTENT_RANGE),
        304: _response("If-None-Match names it.", {}, {}),
        406: _refusal("Accept-Encoding refuses every coding that there is."),
        412: _refusal("If-Match does not name it."),
        416: _refusal("Range asks for nothing that there is, or is malformed.", CONTENT_RANGE),
        503: _refusal("The store cannot answer now."),
    }
    page = _response("As it is.", TEXT, {})
    unready = {503: _refusal("The store cannot be read now.")}
    json_or_text = _parameter("format", {"enum": ["text", "json"]}, "Or `Accept` says it.")
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "FiboService",
            "version": "1",
            "summary": "The first N Fibonacci numbers, exact, at the speed of the wire.",
            "description": (
                "F(0) = 0, F(1) = 1. `start` and `sn` together may be at most "
                f"{max_sn}; n must be less than that where its digits are asked for. "
                "Range, If-Range, If-Match, If-None-Match and Accept-Encoding (zstd, gzip) are "
                "heeded as RFC 9110 has them."
            ),
        },
        "paths": {
            "/": _path(
                "Terms of the sequence, in one of several formats.",
                {
                    **digits,
                    200: _response(
                        "What was asked for; a page without a query, for those who prefer HTML.",
                        formats | PAGE,
                        HEADERS | LENGTH | NEXT,
                    ),
                    400: _refusal("The query is not what it may be."),
                },
                _parameter("sn", _whole(0, max_sn), "How many terms.", required=True),
                _parameter("start", _whole(0, max_sn) | {"default": 0}, "The first of them."),
                _parameter("format", {"enum": list(FORMATS), "default": "text"}, "How written."),
            ),
            "/terms/{n}": _path(
                "One term: its digits, or in JSON or as a page what is known of it.",
                {
                    **digits,
                    200: _response(
                        "The digits, the residue, or facts.",
                        TEXT | PAGE | {JSON: {"schema": TERM_SCHEMA}},
                        HEADERS,
                    ),
                    400: _refusal("n, or a parameter, is not what it may be."),
                },
                _parameter("n", _whole(0, MAX_N), "Which term.", place="path", required=True),
                _parameter("mod", _whole(1, MAX_MODULUS), "Asks for F(n) modulo this."),
                json_or_text,
            ),
            "/terms": _path(
                "Which terms have a value: two for 1.",
                {
                    **digits,
                    200: _response(
                        "Their n.",
                        TEXT | PAGE | {JSON: {"schema": VALUE_SCHEMA}},
                        HEADERS | LENGTH,
                    ),
                    400: _refusal("The query is not what it may be."),
                    404: _refusal("It is no Fibonacci number."),
                },
                _parameter("value", DIGITS, f"At most {MAX_VALUE_DIGITS} digits.", required=True),
                json_or_text,
            ),
            "/plots": _path(
                "Plots of the first terms and of the store, as a page.",
                {
                    **digits,
                    200: _response("It.", PAGE, HEADERS | LENGTH),
                    400: _refusal("The query is not what it may be."),
                },
                _parameter("sn", _whole(1, MAX_N), "Of how many terms."),
            ),
            "/openapi.json": _path(
                "This description.",
                {**digits, 200: _response("It.", {JSON: {"schema": {"type": "object"}}}, HEADERS)},
            ),
            "/metrics": _path("What Prometheus scrapes.", {200: page, **unready}),
            "/livez": _path("Whether the process answers.", {200: page}),
            "/readyz": _path(
                "Whether the store and its index can be read and go together.",
                {200: page, **unready},
            ),
        },
    }


def _path(summary: str, responses: dict[int, Object], *parameters: Object) -> Object:
    """An address with GET, and with HEAD, whose responses have no content."""
    known = responses | {405: _refusal("The method is not GET, HEAD or OPTIONS.")}
    bare = {status: known[status] | {"content": {}} for status in known}
    return {
        "parameters": list(parameters),
        "get": {"summary": summary, "responses": _by_status(known)},
        "head": {"summary": f"{summary} The headers alone.", "responses": _by_status(bare)},
    }


def _by_status(responses: dict[int, Object]) -> Object:
    return {str(status): responses[status] for status in sorted(responses)}


def _response(description: str, content: Object, headers: dict[str, str]) -> Object:
    described = {
        name: {"description": text, "schema": STRING} for name, text in sorted(headers.items())
    }
    return {"description": description, "headers": described, "content": content}


def _refusal(description: str, headers: dict[str, str] | None = None) -> Object:
    content = TEXT | PAGE | {PROBLEM: {"schema": PROBLEM_SCHEMA}}
    return _response(description, content, headers or {})


def _parameter(
    name: str, schema: Object, description: str, place: str = "query", *, required: bool = False
) -> Object:
    return {
        "name": name,
        "in": place,
        "description": description,
        "required": required,
        "schema": {"type": "string"} | schema if "enum" in schema else schema,
    }


def _whole(least: int, most: int) -> Object:
    return {"type": "integer", "minimum": least, "maximum": most}
