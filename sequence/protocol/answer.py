"""What to answer to a request for a representation: status, headers, and which bytes."""

import sys
from collections.abc import Mapping
from typing import NamedTuple

from sequence.protocol import conditions, ranges
from sequence.protocol.negotiate import IDENTITY, codings
from sequence.text.span import Span

IMMUTABLE = "public, max-age=31536000, immutable"
"""For what cannot change (RFC 9111, section 5.2.2; RFC 8246)."""

MAX_INLINE_BYTES = 5_000_000
"""The longest answer that a browser is to show: one of a gigabyte takes 9 GB of its memory.

The length decides alone, so that no cache has to tell browsers from others."""

HEADERS = ("Accept-Encoding", "If-Match", "If-None-Match", "If-Range", "Range")
"""The headers of a request on which the answer depends."""

_BOUNDARY = "between-the-ranges"
"""Stands in no representation: none of them has a word of these letters."""


class Metadata(NamedTuple):
    """What is known of a representation before it exists."""

    length: int | None
    """In bytes, before any coding; None if that is not known yet, and there are no ranges."""
    media_type: str
    etags: Mapping[str, str]
    """A strong one for each coding that is offered, the preferred first and identity among them."""
    cache_control: str = IMMUTABLE
    file_name: str = ""
    max_ranges: int = ranges.MAX_RANGES


WHOLE = Span(0, sys.maxsize)
"""All bytes of a representation whose length is not known yet."""


class Answer(NamedTuple):
    """A status, headers, and a body of literal bytes and of spans of the representation."""

    status: int
    headers: dict[str, str]
    coding: str = IDENTITY
    body: tuple[bytes | Span, ...] = ()


def strong_etag(*facts: object) -> str:
    """Return an ETag made of all facts that the bytes depend on (section 8.8.3)."""
    return f'"{"-".join(str(fact) for fact in facts)}"'


def decide(method: str, headers: Mapping[str, str], about: Metadata) -> Answer:
    """Return the answer to GET or HEAD; `headers` are those of HEADERS that the request has.

    An encoded answer is one of the whole, and has no Content-Length here; HEAD's has GET's headers
    and no body. Raises NotAcceptable, PreconditionFailed and RangeNotSatisfiable.
    """
    length = about.length
    wanted = headers.get("Range") if method == "GET" and length else None
    accepted = codings(headers.get("Accept-Encoding"), about.etags)
    # Ranges are of identity. If that is refused they are ignored, as section 14.2 allows.
    coding = IDENTITY if wanted is not None and IDENTITY in accepted else accepted[0]
    etag = about.etags[coding]
    fields = {"ETag": etag, "Cache-Control": about.cache_control, "Vary": "Accept-Encoding"}
    if conditions.not_modified(headers, etag):
        return Answer(304, fields)
    fields["Content-Type"] = about.media_type
    if about.file_name:
        # RFC 6266, section 4.
        how = "attachment" if length is None or length > MAX_INLINE_BYTES else "inline"
        fields["Content-Disposition"] = f'{how}; filename="{about.file_name}"'
    # Section 14.3, of the address: a request with a Range gets identity.
    fields["Accept-Ranges"] = "none" if length is None else "bytes"
    if length is None:
        return Answer(200, fields, body=(WHOLE,) if method == "GET" else ())
    whole = (Span(0, length),) if method == "GET" and length else ()
    if coding != IDENTITY:
        return Answer(200, fields | {"Content-Encoding": coding}, coding, whole)
    if wanted is not None and conditions.range_is_meant(headers, etag):
        spans = ranges.spans(wanted, length, about.max_ranges)
        if spans:
            return _partial(spans, fields, length)
    return Answer(200, fields | {"Content-Length": str(length)}, body=whole)


def _partial(spans: list[Span], fields: dict[str, str], length: int) -> Answer:
    """Return a 206 of one span or of several (section 15.3.7)."""
    if len(spans) == 1:
        (span,) = spans
        fields["Content-Range"] = ranges.content_range(span, length)
        fields["Content-Length"] = str(span.length)
        return Answer(206, fields, body=(span,))
    # Section 14.6, and RFC 2046, section 5.1.1, for the lines around the parts.
    body: list[bytes | Span] = []
    for span in spans:
        lines = (
            f"\r\n--{_BOUNDARY}",
            f"Content-Type: {fields['Content-Type']}",
            f"Content-Range: {ranges.content_range(span, length)}",
            "\r\n",
        )
        body += ["\r\n".join(lines).encode(), span]
    body.append(f"\r\n--{_BOUNDARY}--\r\n".encode())
    fields["Content-Type"] = f"multipart/byteranges; boundary={_BOUNDARY}"
    fields["Content-Length"] = str(
        sum(part.length if isinstance(part, Span) else len(part) for part in body)
    )
    return Answer(206, fields, body=tuple(body))
