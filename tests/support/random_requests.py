"""Random requests by a seed, and every difference between a reply and the oracle's answer."""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPMessage
from random import Random

import zstandard

from tests.support import oracle
from tests.support.decoding import decoded
from tests.support.http_oracle import (
    MAXIMUM,
    TERMS,
    TYPES,
    Answer,
    Window,
    coding_of,
    offered,
    representation,
    window_of,
)

WINDOWS = 600
HUGE = "9" * 40
SOME_DATES = (
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Tue, 01 Jan 2999 00:00:00 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
)


@dataclass(frozen=True)
class Request:
    """A request; printed, it can be sent again by hand (headers are latin-1)."""

    method: str
    target: str
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.target} {self.headers}"


@dataclass(frozen=True)
class Reply:
    """What came back, the body as it was on the wire but for its chunks."""

    status: int
    headers: HTTPMessage
    body: bytes


def asked(connection: HTTPConnection, request: Request) -> Reply:
    """The reply on a connection that is kept."""
    connection.putrequest(request.method, request.target, skip_accept_encoding=True)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    with connection.getresponse() as response:
        return Reply(response.status, response.headers, response.read())


STRONG_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')  # RFC 9110, 8.8.3


class Tags:
    """The ETags that were met, each for one coding of one string of bytes."""

    def __init__(self, ask: Callable[[Request], Reply]) -> None:
        self.ask = ask
        self.known: dict[tuple[Window, str], str] = {}
        self.meaning: dict[str, tuple[str, bytes]] = {}

    def of(self, window: Window, coding: str) -> str:
        """The ETag of a window in a coding, asked for when it is not known."""
        if (window, coding) not in self.known:
            target = f"/?sn={window.sn}&start={window.start}&format={window.form}"
            request = Request("HEAD", target, {"Accept-Encoding": coding})
            reply = self.ask(request)
            assert reply.status == 200, f"{request}: {reply.status}"
            assert reply.headers.get("Content-Encoding", "identity") == coding, request
            self.meet(window, coding, reply, request)
        return self.known[window, coding]

    def meet(self, window: Window, coding: str, reply: Reply, request: Request) -> None:
        """Learns an ETag; complains where it is weak, has changed or means something else."""
        tag = str(reply.headers["ETag"])
        assert STRONG_TAG.fullmatch(tag), f"{request}: no strong ETag: {tag}"
        known = self.known.setdefault((window, coding), tag)
        assert known == tag, f"{request}: the ETag of {window} in {coding} was {known}, is {tag}"
        met = (coding, representation(window))
        kept = self.meaning.setdefault(tag, met)
        assert kept == met, f"{request}: {tag} was met for other bytes or in {kept[0]}"


@cache
def starts() -> list[int]:
    """Terms near which the digit count of n or of F(n) changes."""
    terms = oracle.terms(TERMS)
    longer = [n for n in range(1, TERMS - 200) if len(terms[n]) != len(terms[n - 1])]
    return longer + [9, 10, 99, 100, 999, 1000] * (len(longer) // 6)


def some_windows(rng: Random) -> list[Window]:
    """Windows to ask for again and again: most small, some large or empty."""
    spans = [
        *((rng.randint(1, 200), rng.randrange(500)) for _ in range(WINDOWS // 3)),
        *((rng.randint(1, 12), rng.randrange(40)) for _ in range(WINDOWS // 6)),
        *(
            (rng.randint(1, 40), max(0, rng.choice(starts()) - rng.randrange(3)))
            for _ in range(WINDOWS // 3)
        ),
        *((rng.randint(1000, 3000), rng.randrange(1500)) for _ in range(WINDOWS // 30)),
        *((0, rng.choice((0, 10, MAXIMUM))) for _ in range(WINDOWS // 50)),
    ]
    return [Window(sn, start, rng.choice(list(TYPES))) for sn, start in spans]


def spelled(rng: Random, window: Window) -> list[str]:
    """The parameters of a window; those that may be left out may be."""
    pairs = [f"sn={window.sn}"]
    if window.start or rng.random() < 0.3:
        pairs.append(f"start={window.start}")
    if window.form != "text" or rng.random() < 0.3:
        pairs.append(f"format={window.form}")
    return rng.sample(pairs, len(pairs))


BAD_NUMBERS = [
    *("", "+5", "%2B5", "%205", "5%20", "5%0A", "%D9%A3", "%EF%BC%95", "1_000", "1e3", "0x10"),
    *("5.0", "%C2%B2", "%ff", "%00", "%zz", "-0", "-5", "00005", "00", HUGE, "9" * 3000),
    str(MAXIMUM + 1),
]


BAD_PARAMETERS = [
    *("SN=5", "sn[]=5", "Start=1", "x=", "n=5", "modulo=3", "sn%00=1", "%20sn=5", "sn", "start"),
    *("format=TEXT", "format=", "format=json", "format=text%20", "format=lines%00"),
    *(f"{name}={number}" for name in ("sn", "start") for number in BAD_NUMBERS),
]


def bad_target(rng: Random, window: Window) -> str:
    """A target with one fault."""
    pairs = spelled(rng, window)
    match rng.randrange(6):
        case 0:
            pairs = [pair for pair in pairs if not pair.startswith("sn=")]
        case 1:
            pairs = [f"sn={window.sn + 1}", f"start={MAXIMUM - window.sn}"]
        case 2:
            pairs.append(rng.choice(pairs))
        case _:
            bad = rng.choice(BAD_PARAMETERS)
            name = bad.partition("=")[0]
            pairs = [pair for pair in pairs if pair.partition("=")[0] != name]
            pairs.insert(rng.randint(0, len(pairs)), bad)
    return "/?" + "&".join(pairs)


def listed(rng: Random, elements: list[str]) -> str:
    """A list as RFC 9110, 5.6.1.2 lets a recipient meet it: white space and empty elements."""
    commas = (",", ",", ", ", ", ", " ,\t", ",,", " , , ")
    text = rng.choice(("", "", "", ",", ", "))
    for element in elements:
        text += element + rng.choice(commas)
    return text if rng.random() < 0.1 else text.rstrip(", \t")


def position(rng: Random, content: bytes) -> int:
    """A byte to begin or to end at: mostly where something is near."""
    match rng.randrange(10):
        case 0 | 1 | 2:
            return rng.randrange(6)
        case 3 | 4 | 5:
            return max(0, len(content) + rng.randint(-8, 2))
        case 6 | 7:
            border = content.find(rng.choice((b" ", b"\n")), rng.randrange(len(content)))
            return max(0, border + rng.randint(-1, 2))
        case 8:
            return rng.randrange(len(content))
        case _:
            return rng.randrange(10**39, 10**40) if rng.random() < 0.3 else rng.randrange(30)


def good_range(rng: Random, content: bytes, count: int) -> str:
    """A range of RFC 9110, 14.1.1; it need not be satisfiable."""
    first = position(rng, content)
    zeros = "0" * (rng.randrange(40) if rng.random() < 0.05 else 0)
    match rng.randrange(8):
        case 0:
            return f"{zeros}{first}-"
        case 1:
            return f"-{zeros}{position(rng, content)}"
        case 2:
            return f"{first}-{max(first, position(rng, content))}"
        case _:
            return f"{first}-{zeros}{first + rng.randrange(1 + len(content) // count)}"


BAD_RANGES = [
    *("10-5", "1-0", f"{HUGE}-0", "alpha", "10", "-", "--5", "5--", "0x1-2", "1.0-2", "+1-5"),
    *("5 - 6", "5- 6", "0 -5", "0-5-6", "1_0-20", "0-\xb2", "\xa00-5", "0-5\x85", "\xb9-5", "*"),
    *("0-5;q=1", '"0-5"', "0-5/23", "a-b", "0-z", "=0-5"),
]


ODD_RANGES = [
    *("bytes", "bytes 0-5", "bytes:0-5", "0-5", "alpha", "", "bytes=", "bytes=, ,", "10"),
    "bytes=" + "0-," * 2000,
]


def some_range(rng: Random, content: bytes) -> str:
    """A Range header, good or bad."""
    if rng.random() < 0.05:
        return rng.choice(ODD_RANGES)
    if rng.random() < 0.05:  # all bytes, or one more or less
        middle = rng.randrange(1, len(content) + 2)
        return f"bytes={middle}-,0-{max(0, middle + rng.randint(-2, 0))}"
    most = rng.choice((1, 1, 3, 5, 16, 17, 20))
    count = rng.choice((1, rng.randint(1, most), most))
    elements = [good_range(rng, content or b" ", count) for _ in range(count)]
    if rng.random() < 0.12:
        elements[rng.randrange(count)] = rng.choice(BAD_RANGES)
    units = ["bytes"] * 12 + ["Bytes", "BYTES", "bYtEs", "items", "byte", "bytesx", "x-bytes"]
    return f"{rng.choice(units)}={listed(rng, elements)}"


WEIGHTS = [
    *("", "", "", ";q=1", ";q=1.", ";q=1.000", ";q=0", ";q=0.", ";q=0.0", ";q=0.000", ";q=0.001"),
    *(";q=0.5", ";Q=0.5", " ; q=0.5", ";\tq=0.499", "; q=0.9", ";q=0.99", ";q=0"),
]


BAD_WEIGHTS = [
    *("q=2", "q=-1", "q=0.1234", "q=.5", "q = 1", "q=", "q", "level=3", "", "q=1.001", "q=0.0000"),
    *("q=nan", "q=inf", "q=1e-3", "q=+1", "q=1_0", "q=0.\xb2", "q=0\xa0", "q=0;q=1", "q=00"),
    *("q=1.0000", "q=01"),
]


SOME_ACCEPTED = (
    *("", "*", "*;q=0", "identity;q=0", "gzip, deflate, br, zstd", "gzip;q=0", "*;q=0, identity"),
    *("gzip, identity;q=0", "zstd, *;q=0", "br;q=1, identity;q=0", "identity;q=0.5, *;q=0"),
)


def some_accepted(rng: Random) -> str:
    """An Accept-Encoding header; what is well-formed in it names no coding twice."""
    if rng.random() < 0.15:
        return rng.choice(SOME_ACCEPTED)
    names = ["zstd", rng.choice(("gzip", "gzip", "x-gzip")), "identity", "*", "br", "xgzip"]
    elements = [
        rng.choice((name, name, name, name.upper(), name.title())) + rng.choice(WEIGHTS)
        for name in rng.sample(names, rng.randint(1, 5))
    ]
    if rng.random() < 0.3:
        bad = f"{rng.choice(names)};{rng.choice(BAD_WEIGHTS)}"
        elements.append(rng.choice((bad, bad, "zst d", '"gzip"', "gzip=0", ";q=0", "\xe9")))
    return listed(rng, rng.sample(elements, len(elements)))


def some_tags(rng: Random, mine: str, others: list[str]) -> str:
    """A list of entity tags: all of them well-formed, or none of them this one."""
    if rng.random() < 0.1:
        return "*"
    inner = mine.strip('"')
    foreign = [*others, '"x"', '""', '"a,b"', '"*"', '"\xe9"', f'"{inner}x"', f'"x,{inner}"']
    foreign += [f"W/{tag}" for tag in foreign]
    bad = [inner, f"w/{mine}", f"{mine}x", f"'{inner}'", "W/", "W/*", f"W/W/{mine}", mine[:-1]]
    elements = rng.sample(foreign, rng.randint(0, 3))
    if not elements or rng.random() < 0.6:
        elements.append(rng.choice((mine, mine, f"W/{mine}")))
    elif rng.random() < 0.3:
        elements.append(rng.choice(bad))
    if len(elements) == 1 and rng.random() < 0.1:
        return rng.choice(bad)
    return listed(rng, rng.sample(elements, len(elements)))


def some_request(rng: Random, windows: list[Window], tags: Tags) -> Request:
    """The next request."""
    window = rng.choice(windows)
    target = "/?" + "&".join(spelled(rng, window))
    method = rng.choice(("GET", "GET", "GET", "GET", "HEAD"))
    headers: dict[str, str] = {}
    if rng.random() < 0.55:
        headers["Range"] = some_range(rng, representation(window))
    # Whether a Range that is ignored for there being no bytes keeps the coding away is not said.
    if rng.random() < 0.5 and (representation(window) or "Range" not in headers):
        headers["Accept-Encoding"] = some_accepted(rng)
    coding = coding_of(method, headers, offered(window)) or "identity"
    headers |= some_conditions(rng, window, tags, coding)
    if rng.random() < 0.05:
        target = bad_target(rng, window)
    return Request(method, target, dict(rng.sample(list(headers.items()), len(headers))))


def some_conditions(rng: Random, window: Window, tags: Tags, coding: str) -> dict[str, str]:
    """Conditional headers, for an answer in this coding."""
    makers: dict[str, tuple[float, Callable[[str, list[str]], str]]] = {
        "If-Match": (0.15, lambda mine, others: some_tags(rng, mine, others)),
        "If-None-Match": (0.12, lambda mine, others: some_tags(rng, mine, others)),
        "If-Range": (0.2, lambda mine, others: some_if_range(rng, mine, others)),
        "If-Modified-Since": (0.04, lambda *_: rng.choice(SOME_DATES)),
        "If-Unmodified-Since": (0.04, lambda *_: rng.choice(SOME_DATES)),
    }
    names = [name for name, (chance, _) in makers.items() if rng.random() < chance]
    if not names:
        return {}
    mine = tags.of(window, coding)
    others = [tags.of(window, other) for other in offered(window) if other != coding]
    return {name: makers[name][1](mine, others) for name in names}


def some_if_range(rng: Random, mine: str, others: list[str]) -> str:
    """An If-Range header, often this one."""
    bad = [f"W/{mine}", mine[1:-1], mine[1:], f'{mine}, "x"', f"{mine},", "*", ""]
    return rng.choice((mine, mine, rng.choice([*bad, *others, *SOME_DATES])))


Comparison = tuple[str, object, object]


BOUNDARY = re.compile(
    r"""multipart/byteranges[ ]?;[ ]?boundary=
        (?:"([0-9A-Za-z'()+_,./:=?-]{1,70})"|([0-9A-Za-z'+_.-]{1,70}))""",
    re.VERBOSE,
)


def parts_of(content_type: str, body: bytes) -> list[tuple[str | None, str | None, bytes]]:
    """Content-Type, Content-Range and content of each part (RFC 2046, 5.1.1)."""
    found = BOUNDARY.fullmatch(content_type)
    assert found, f"Content-Type is {content_type}"
    boundary = (found[1] or found[2]).encode()
    before, *parts, after = (b"\r\n" + body).split(b"\r\n--" + boundary)
    assert before in (b"", b"\r\n"), before
    assert after in (b"--", b"--\r\n"), after
    split = []
    for part in parts:
        head, blank, content = part.partition(b"\r\n\r\n")
        assert blank, part[:200]
        assert head.startswith(b"\r\n"), part[:200]
        fields = {}
        for line in head[2:].decode().split("\r\n"):
            name, _, value = line.partition(":")
            assert name.lower() not in fields, line
            fields[name.lower()] = value.strip()
        split.append((fields.get("content-type"), fields.get("content-range"), content))
    return split


def words(headers: HTTPMessage, name: str) -> set[str]:
    """The elements of a list in lower case."""
    return {word.strip().lower() for word in ",".join(headers.get_all(name, [])).split(",")} - {""}


def comparisons(request: Request, right: Answer, reply: Reply) -> Iterator[Comparison]:
    """What is found and what it must be, under names."""
    headers = reply.headers
    yield "status", reply.status, right.status
    if reply.status == right.status:
        yield "Content-Range", headers["Content-Range"], right.content_range
        yield "Last-Modified", headers["Last-Modified"], None
        counted = Counter(name.lower() for name in headers)
        yield "repeated", [name for name in counted if counted[name] > 1 and name != "vary"], []
        if right.status >= 400:
            yield from comparisons_of_an_error(request, reply)
        else:
            yield "Vary", words(headers, "Vary"), {"accept-encoding"}
            cached = "public, max-age=31536000, immutable"
            yield "Cache-Control", headers["Cache-Control"], cached
            yield from comparisons_of_content(request, right, reply)


def comparisons_of_an_error(request: Request, reply: Reply) -> Iterator[Comparison]:
    """One plain sentence that nobody keeps."""
    headers = reply.headers
    yield "Cache-Control", headers["Cache-Control"], "no-store"
    yield "Vary", words(headers, "Vary") >= {"accept"}, True
    yield "Content-Encoding", headers["Content-Encoding"], None
    yield "Content-Type", headers["Content-Type"], "text/plain; charset=utf-8"
    if request.method == "HEAD":
        yield "body", reply.body, b""
    else:
        yield "Content-Length", headers["Content-Length"], str(len(reply.body))
        yield "one line", bool(re.fullmatch(rb"[^\r\n]+\n", reply.body)), True


def comparisons_of_content(request: Request, right: Answer, reply: Reply) -> Iterator[Comparison]:
    """The representation, some of it, or none."""
    headers, window = reply.headers, window_of(request.target)
    assert window is not None
    if right.status == 304:
        yield "body", reply.body, b""
        # RFC 9110, 8.6: if it is there, it is that of the 200.
        length = str(len(representation(window))) if right.coding == "identity" else None
        yield "Content-Length", headers.get("Content-Length", length), length
        return
    yield "Content-Encoding", headers.get("Content-Encoding", "identity"), right.coding
    if right.parts:
        kind = TYPES[window.form]
        wanted = [(kind, part.content_range, part.content) for part in right.parts]
        yield "parts", parts_of(str(headers["Content-Type"]), reply.body), wanted
        yield "Content-Length", headers["Content-Length"], str(len(reply.body))
        return
    length = None if right.content_length is None else str(right.content_length)
    yield "Content-Length", headers["Content-Length"], length
    yield "Content-Type", headers["Content-Type"], TYPES[window.form]
    if right.coding == "identity" or request.method == "HEAD":
        yield "body", reply.body, right.body
    elif headers["Content-Encoding"] == right.coding:
        yield "decoded body", decoded(reply.body, right.coding), right.body
    if right.status == 200:
        onward = 0 < window.sn < MAXIMUM - window.start
        links = ", ".join(headers.get_all("Link", []))
        yield 'rel="next"', 'rel="next"' in links, onward
        yield 'rel="service-desc"', 'rel="service-desc"' in links, True
        yield "Accept-Ranges", headers["Accept-Ranges"], "bytes"


def faults_of(request: Request, right: Answer, reply: Reply, tags: Tags) -> list[str]:
    """What is wrong with a reply."""
    try:
        faults = [
            f"{name} is {found!r:.200} and must be {wanted!r:.200}"
            for name, found, wanted in comparisons(request, right, reply)
            if found != wanted
        ]
        window = window_of(request.target)
        if window is not None and right.status < 400 and not faults:
            tags.meet(window, right.coding, reply, request)
    except (AssertionError, zlib.error, zstandard.ZstdError) as error:
        return [f"{type(error).__name__}: {error}"]
    return faults
