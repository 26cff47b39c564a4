"""The right answer to a request for terms, slowly and obviously, cut out of whole bytes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl, urlsplit

from tests.support import coding_oracle, oracle

MAXIMUM = 100_000
TERMS = 5_000
"""Windows that are not empty end here at the latest, so that the terms fit in a test's memory."""

TYPES = {
    "text": "text/plain; charset=utf-8",
    "lines": "text/plain; charset=utf-8",
    "bfile": "text/plain; charset=utf-8",
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8; header=present",
}
CODINGS = ("zstd", "gzip", "identity")
"""In the order in which the service likes them."""
MIN_ENCODED = 1024
"""What has fewer bytes is sent as it is."""
MAX_WITH_LENGTH = 256 * 1024
"""What has no more bytes has a Content-Length in any coding."""

ACCEPTED = re.compile(
    # RFC 9110, 12.5.3 and 12.4.2: codings [ weight ]; a quoted string of ABNF has no case.
    r"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)
        (?:[ \t]*;[ \t]*[Qq]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?""",
    re.VERBOSE,
)
RANGE = re.compile(r"([0-9]*)-([0-9]*)")
# RFC 9110, 5.6.1 and 8.8.3: a comma inside of an opaque tag does not end it.
TAG = re.compile(r'(?:"[^"]*"|[^",])+')


@dataclass(frozen=True)
class Window:
    """The terms from `start` up to `start + sn` in one format."""

    sn: int
    start: int
    form: str


@dataclass(frozen=True)
class Part:
    """The bytes of one range of a representation, and what Content-Range says about them."""

    first: int
    last: int
    content: bytes
    content_range: str


@dataclass(frozen=True)
class Answer:
    """What must be answered; `body` is what is left when the coding is undone.

    `content_length` is None where it must be absent (a long encoded body) or where the answer's own
    words decide it (an error, several parts). An error's body is not said here.
    """

    status: int
    coding: str = "identity"
    body: bytes = b""
    content_length: int | None = None
    content_range: str | None = None
    parts: tuple[Part, ...] = ()


TagOf = Callable[[Window, str], str]
"""The strong ETag of a window in a coding."""


def answer(method: str, target: str, headers: Mapping[str, str], tag_of: TagOf) -> Answer:
    """The right answer to a GET or HEAD; the names of headers are spelled as in RFC 9110."""
    window = window_of(target)
    if window is None:
        return Answer(400)
    whole = representation(window)
    coding = coding_of(method, headers, offered(window))
    if coding is None:
        return Answer(406)
    # RFC 9110, 13.2.1: conditions are looked at only where the answer would be 2xx without them.
    refused = refusal(headers, lambda: tag_of(window, coding))
    if refused is not None:
        return Answer(refused, coding)
    if coding == "identity" and method == "GET" and whole and "Range" in headers:
        # RFC 9110, 13.1.5: a strong comparison; nothing here has a date to compare.
        wanted = headers.get("If-Range")
        if wanted is None or wanted == tag_of(window, coding):
            return ranged(headers["Range"], whole)
    return Answer(
        200,
        coding,
        body=whole if method == "GET" else b"",
        content_length=length_in(window, coding),
    )


def window_of(target: str) -> Window | None:
    """The window that the target asks for; None where it is not right (HOSTILE 1-5)."""
    pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    query = dict(pairs)
    if len(query) != len(pairs) or not {"sn"} <= set(query) <= {"sn", "start", "format"}:
        return None
    sn, start = plain_number(query["sn"]), plain_number(query.get("start", "0"))
    form = query.get("format", "text")
    if sn is None or start is None or sn + start > MAXIMUM or form not in TYPES:
        return None
    return Window(sn, start, form)


def plain_number(value: str) -> int | None:
    """The number that plain ASCII digits without leading zeros are."""
    if not re.fullmatch("[0-9]+", value) or str(int(value)) != value:
        return None
    return int(value)


@cache
def representation(window: Window) -> bytes:
    """All bytes of a window, before any coding."""
    if window.sn == 0:
        return b"n,value\r\n" if window.form == "csv" else b""
    stop = window.start + window.sn
    assert stop <= TERMS
    numbered = enumerate(oracle.terms(TERMS)[window.start : stop], window.start)
    rows = [(n, term.removesuffix(b" ")) for n, term in numbered]
    match window.form:
        case "text":
            return b"".join(b"%b " % digits for _, digits in rows)
        case "lines":
            return b"".join(b"%b\n" % digits for _, digits in rows)
        case "bfile":
            return b"".join(b"%d %b\n" % row for row in rows)
        case "jsonl":
            return b"".join(b'{"n": %d, "value": "%b"}\n' % row for row in rows)
        case _:
            return b"n,value\r\n" + b"".join(b"%d,%b\r\n" % row for row in rows)


def offered(window: Window) -> tuple[str, ...]:
    """The codings that there are; nothing has a length of 0 and no coding (HOSTILE 3)."""
    return CODINGS if len(representation(window)) >= MIN_ENCODED else ("identity",)


@cache
def length_in(window: Window, coding: str) -> int | None:
    """The Content-Length of the whole window in a coding."""
    content = representation(window)
    if coding == "identity":
        return len(content)
    if len(content) > MAX_WITH_LENGTH:
        return None
    if coding == "zstd":
        return len(coding_oracle.zstd(content))
    terms = oracle.terms(TERMS)[window.start : window.start + window.sn]
    return len(coding_oracle.gzip(content, sum(len(term) - 1 for term in terms)))


def coding_of(method: str, headers: Mapping[str, str], codings: tuple[str, ...]) -> str | None:
    """The coding to answer in, or None where nothing is acceptable (RFC 9110, 12.5.3)."""
    weights = weights_of(headers.get("Accept-Encoding", "identity"))
    best = max(codings, key=lambda coding: weights[coding])
    if weights[best] == 0:
        return None
    if method == "GET" and "Range" in headers and weights["identity"] > 0:
        return "identity"
    return best


def weights_of(accept_encoding: str) -> dict[str, float]:
    """How much each coding is liked; 0 where it is not acceptable."""
    named: dict[str, float] = {}
    for element in accept_encoding.split(","):
        if found := ACCEPTED.fullmatch(element.strip(" \t")):
            name = {"x-gzip": "gzip"}.get(found[1].lower(), found[1].lower())
            assert name not in named, "what a coding named twice means is not said"
            named[name] = 1.0 if found[2] is None else float(found[2])
    # Identity that is not named is acceptable, and liked less than all that is named.
    unnamed = {"zstd": 0.0, "gzip": 0.0, "identity": 0.0001}
    return {coding: named.get(coding, named.get("*", unnamed[coding])) for coding in CODINGS}


def refusal(headers: Mapping[str, str], tag: Callable[[], str]) -> int | None:
    """412 or 304 where a condition says so, in the order of RFC 9110, 13.2.2."""
    match, none_match = headers.get("If-Match"), headers.get("If-None-Match")
    if match is not None and match != "*" and tag() not in tags_of(match):
        return 412
    if none_match == "*":
        return 304
    if none_match is not None:
        weakly = [listed.removeprefix("W/") for listed in tags_of(none_match)]
        return 304 if tag() in weakly else None
    return None


def tags_of(listed: str) -> list[str]:
    """The elements of a list of entity tags, right or wrong."""
    return [element.strip(" \t") for element in TAG.findall(listed)]


def ranged(header: str, whole: bytes) -> Answer:
    """The answer to a Range that applies to these bytes (RFC 9110, 14; HOSTILE 10-14)."""
    unit, equals, listed = header.partition("=")
    if equals and unit.lower() != "bytes":
        return Answer(200, body=whole, content_length=len(whole))
    elements = [element.strip(" \t") for element in listed.split(",")]
    elements = [element for element in elements if element]
    pairs = [pair_of(element, len(whole)) for element in elements]
    parts = [
        Part(first, last, whole[first : last + 1], f"bytes {first}-{last}/{len(whole)}")
        for first, last in (pair for pair in pairs if pair is not None)
        if first < len(whole)
    ]
    if len(elements) > 16 or None in pairs or not parts:
        return Answer(416, content_range=f"bytes */{len(whole)}")
    if len(parts) == 1:
        (part,) = parts
        return Answer(
            206,
            body=part.content,
            content_length=len(part.content),
            content_range=part.content_range,
        )
    if sum(len(part.content) for part in parts) > len(whole):
        return Answer(200, body=whole, content_length=len(whole))
    return Answer(206, parts=tuple(parts))


def pair_of(element: str, length: int) -> tuple[int, int] | None:
    """First and last byte, clipped; the first is `length` or more where there is no such byte."""
    found = RANGE.fullmatch(element)
    if found is None or element == "-":
        return None
    if not found[1]:  # the last so many bytes
        return max(0, length - int(found[2])), length - 1
    first = int(found[1])
    if not found[2]:
        return first, length - 1
    return (first, min(int(found[2]), length - 1)) if first <= int(found[2]) else None
