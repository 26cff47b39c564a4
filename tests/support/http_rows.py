"""The headers of one request for terms, and the right answers: rows for the whole HTTP of it.

The same rows are put to `protocol.answer` (tests/protocol/test_answer.py), to a server over a
socket (tests/server/test_downloading.py) and to the slow oracle (test_random_requests.py). The name
of a row begins with a clause of RFC 9110, or with a row (HOSTILE) or the contract of
docs/hostile-inputs.md.
"""

from typing import NamedTuple

from tests.support import oracle
from tests.support.http_oracle import Answer, Part, Window, length_in

WINDOW = Window(2000, 0, "text")
TARGET = f"/?sn={WINDOW.sn}"
TEXT = oracle.text(0, WINDOW.sn)
L = len(TEXT)
"""419 kB: more than a block, and too long for a Content-Length in a coding."""
ETAGS = {
    "zstd": f'"1-0-{WINDOW.sn}-text-zstd-1"',
    "gzip": f'"1-0-{WINDOW.sn}-text-gzip-1"',
    "identity": f'"1-0-{WINDOW.sn}-text-identity"',
}
ETAG, OTHER = ETAGS["identity"], '"other"'

NINES, NOUGHTS = "9" * 31, "0" * 31
PAST = "Sun, 06 Nov 1994 08:49:37 GMT"
FUTURE = "Tue, 01 Jan 2999 00:00:00 GMT"


class Right(NamedTuple):
    """What a request must be answered with, whoever answers it."""

    status: int
    coding: str = "identity"
    pairs: tuple[tuple[int, int], ...] = ()
    """First and last byte of each range, in their order."""


Headers = dict[str, str]
Row = tuple[Headers, Right]

WHOLE, NOT_MODIFIED, NOTHING_ACCEPTABLE = Right(200), Right(304), Right(406)
PRECONDITION_FAILED, UNSATISFIABLE = Right(412), Right(416)
GZIP, ZSTD = Right(200, "gzip"), Right(200, "zstd")


def part(first: int, last: int) -> Right:
    """One range, both ends included."""
    return Right(206, pairs=((first, last),))


def parts(*pairs: tuple[int, int]) -> Right:
    """Several ranges."""
    return Right(206, pairs=pairs)


def in_full(right: Right) -> Answer:
    """The right answer with its bytes, as the oracle says it."""
    if right.status == 416:
        return Answer(416, content_range=f"bytes */{L}")
    if right.status == 200:
        return Answer(200, right.coding, TEXT, length_in(WINDOW, right.coding))
    if right.status != 206:
        return Answer(right.status, right.coding)
    found = [
        Part(first, last, TEXT[first : last + 1], f"bytes {first}-{last}/{L}")
        for first, last in right.pairs
    ]
    if len(found) > 1:
        return Answer(206, parts=tuple(found))
    (only,) = found
    return Answer(206, "identity", only.content, len(only.content), only.content_range)


RANGES: dict[str, tuple[str, Right]] = {
    "HOSTILE 10, first byte": ("bytes=0-0", part(0, 0)),
    "HOSTILE 10, last byte": (f"bytes={L - 1}-", part(L - 1, L - 1)),
    "HOSTILE 10, suffix": ("bytes=-5", part(L - 5, L - 1)),
    "HOSTILE 10, open end": ("bytes=5-", part(5, L - 1)),
    "HOSTILE 10, end past L": (f"bytes=5-{L + 100}", part(5, L - 1)),
    "HOSTILE 10, end of 31 digits": (f"bytes=7-{NINES}", part(7, L - 1)),
    "HOSTILE 10, 31 noughts before": (f"bytes={NOUGHTS}7-8", part(7, 8)),
    "HOSTILE 10, suffix of 31 digits": (f"bytes=-{NINES}", part(0, L - 1)),
    "HOSTILE 10, past a block of 256 KiB": ("bytes=1000-300000", part(1000, 300_000)),
    "14.1.2, suffix past L": (f"bytes=-{L + 1}", part(0, L - 1)),
    "14.1.2, 1*DIGIT": ("bytes=0000-0001", part(0, 1)),
    "14.1, unit without case": ("BYTES=0-1", part(0, 1)),
    "5.6.1.2, empty elements": ("bytes=, \t,0-1 ,", part(0, 1)),
    "15.3.7, the whole as a range": ("bytes=0-", part(0, L - 1)),
    "15.3.7, one is left": (f"bytes={L}-,3-4", part(3, 4)),
    "HOSTILE 11, at L": (f"bytes={L}-", UNSATISFIABLE),
    "HOSTILE 11, empty suffix": ("bytes=-0", UNSATISFIABLE),
    "HOSTILE 11, inverted": ("bytes=10-5", UNSATISFIABLE),
    "HOSTILE 11, inverted past L": (f"bytes=0-1,{L + 9}-{L + 8}", UNSATISFIABLE),
    "HOSTILE 11, first of 31 digits": (f"bytes={NINES}-", UNSATISFIABLE),
    "HOSTILE 11, both of 31 digits": (f"bytes={NINES}-{NINES}9", UNSATISFIABLE),
    "HOSTILE 11, inverted in 31 digits": (f"bytes={NINES}-5", UNSATISFIABLE),
    "HOSTILE 11, no unit": ("alpha", UNSATISFIABLE),
    "HOSTILE 11, no unit but a number": ("10", UNSATISFIABLE),
    "HOSTILE 11, letters": ("bytes=alpha", UNSATISFIABLE),
    "HOSTILE 11, no dash": ("bytes=10", UNSATISFIABLE),
    "HOSTILE 11, dash alone": ("bytes=-", UNSATISFIABLE),
    "HOSTILE 11, malformed among others": ("bytes=1-2,x", UNSATISFIABLE),
    "14.1.1, digits of Latin-1": ("bytes=0-\xb2", UNSATISFIABLE),
    "14.1.1, digits of other scripts": (
        "bytes=٣-5".encode().decode("latin-1"),
        UNSATISFIABLE,
    ),
    "14.1.1, space inside": ("bytes=0 -1", UNSATISFIABLE),
    "5.6.1, parted by a semicolon": ("bytes=0-0;5-6", UNSATISFIABLE),
    "5.6.3, other white space": ("bytes=\xa00-1", UNSATISFIABLE),
    "contract, nothing listed": ("bytes=", UNSATISFIABLE),
    "contract, no element": ("bytes= ,", UNSATISFIABLE),
    "HOSTILE 12": ("items=0-5", WHOLE),
    "HOSTILE 12, without its s": ("BYTE=0-5", WHOLE),
    "HOSTILE 13": ("bytes=0-0, 5-9", parts((0, 0), (5, 9))),
    "HOSTILE 13, in the order asked": ("bytes=5-9,0-0", parts((5, 9), (0, 0))),
    "HOSTILE 13, overlapping": ("bytes=3-7,5-9", parts((3, 7), (5, 9))),
    "HOSTILE 13, sum is L": ("bytes=1-,0-0", parts((1, L - 1), (0, 0))),
    "HOSTILE 13, sum is L + 1": ("bytes=1-,0-1", WHOLE),
    "HOSTILE 13, sum above L": (f"bytes=0-,0-{L // 2}", WHOLE),
    "HOSTILE 13, all in two halves": (
        f"bytes=0-{L // 2 - 1},{L // 2}-",
        parts((0, L // 2 - 1), (L // 2, L - 1)),
    ),
    "HOSTILE 14, 16": ("bytes=" + "3-3," * 16, parts(*[(3, 3)] * 16)),
    "HOSTILE 14, 16 far apart": (
        "bytes=" + ",".join(f"{at}-{at + 999}" for at in range(0, 320_000, 20_000)),
        parts(*((at, at + 999) for at in range(0, 320_000, 20_000))),
    ),
    "HOSTILE 14, 17": ("bytes=" + "3-3," * 17, UNSATISFIABLE),
    "HOSTILE 14, 2,700": ("bytes=" + ",".join(["0-"] * 2700), UNSATISFIABLE),
    "HOSTILE 14, 8,000 commas": ("bytes=" + "," * 8000, UNSATISFIABLE),
}
IF_RANGE: dict[str, tuple[str, Right]] = {
    "HOSTILE 16, strong match": (ETAG, part(3, 7)),
    "HOSTILE 16, mismatch": (OTHER, WHOLE),
    "HOSTILE 16, weak": (f"W/{ETAG}", WHOLE),
    "HOSTILE 16, date": (PAST, WHOLE),
    "13.1.5, any": ("*", WHOLE),
    "13.1.5, no list": (f"{ETAG}, {ETAG}", WHOLE),
}
IF_NONE_MATCH: dict[str, tuple[str, Right]] = {
    "HOSTILE 17, match": (ETAG, NOT_MODIFIED),
    "HOSTILE 17, weak": (f"W/{ETAG}", NOT_MODIFIED),
    "HOSTILE 17, list": (f', "a,b" ,, W/"b" ,{ETAG}', NOT_MODIFIED),
    "HOSTILE 17, any": ("*", NOT_MODIFIED),
    "13.2.2, step 3, false": (OTHER, part(3, 7)),
    "8.8.3, no quotes": (ETAG.strip('"'), part(3, 7)),
    "8.8.3, comma inside": (f'"x,{ETAG[1:]}', part(3, 7)),
    "8.8.3, W has a case": (f"w/{ETAG}", part(3, 7)),
}
IF_MATCH: dict[str, tuple[str, Right]] = {
    "HOSTILE 18, mismatch": (OTHER, PRECONDITION_FAILED),
    "HOSTILE 18, weak": (f"W/{ETAG}", PRECONDITION_FAILED),
    "HOSTILE 18, malformed": ("garbage", PRECONDITION_FAILED),
    "HOSTILE 18, match": (ETAG, part(3, 7)),
    "HOSTILE 18, list": (f"{OTHER}, {ETAG}", part(3, 7)),
    "HOSTILE 18, any": ("*", part(3, 7)),
}
ACCEPT_ENCODING: dict[str, tuple[str, Right]] = {
    "HOSTILE 19": ("gzip;q=0", WHOLE),
    "HOSTILE 19, all but identity": ("*;q=0, identity", WHOLE),
    "12.5.3, empty": ("", WHOLE),
    "12.5.3, unknown": ("deflate, br", WHOLE),
    "12.5.3, any": ("zstd;q=0, *;q=0.1", GZIP),
    "12.5.3, gzip": ("gzip", GZIP),
    "8.4.1, case": ("GZIP", GZIP),
    "8.4.1.3, x-gzip": ("X-GZIP ; Q=1.000", GZIP),
    "contract, zstd before gzip": ("gzip, zstd", ZSTD),
    "contract, equal": ("identity, gzip, deflate, br, zstd", ZSTD),
    "contract, malformed": ("gzip;q=1.001, zstd;q=.5, *;q", WHOLE),
    "12.4.2, highest wins": ("gzip;q=1, zstd;q=0.9", GZIP),
    "12.4.2, identity wins": ("gzip;q=0.9, identity", WHOLE),
    "12.4.2, least weight is no refusal": ("identity;q=0, gzip;q=0.001", GZIP),
    "contract, nothing acceptable": ("br, identity;q=0", NOTHING_ACCEPTABLE),
}
RANGE = {"Range": "bytes=3-7"}
BAD = {"Range": "bytes=9-5"}
TOGETHER: dict[str, Row] = {
    "contract, no header": ({}, WHOLE),
    "contract, date in the future": (RANGE | {"If-Modified-Since": FUTURE}, part(3, 7)),
    "contract, date in the past": (RANGE | {"If-Unmodified-Since": PAST}, part(3, 7)),
    "13.1.3, date beside another ETag": (
        {"If-Modified-Since": FUTURE, "If-None-Match": OTHER},
        WHOLE,
    ),
    "13.2.2, step 1, then no other": ({"If-Match": ETAG}, WHOLE),
    "13.2.2, step 1 before 3": ({"If-Match": OTHER, "If-None-Match": "*"}, PRECONDITION_FAILED),
    "13.2.2, step 1, then 3": (
        {"If-Match": f"{OTHER}, {ETAG}", "If-None-Match": ETAG},
        NOT_MODIFIED,
    ),
    "13.2.2, step 1, then 3, false": ({"If-Match": ETAG, "If-None-Match": OTHER}, WHOLE),
    "13.2.2, step 1 before a bad Range": (BAD | {"If-Match": OTHER}, PRECONDITION_FAILED),
    "13.2.2, step 1, then a bad Range": (BAD | {"If-Match": ETAG}, UNSATISFIABLE),
    "13.2.2, step 1 before 5": (RANGE | {"If-Match": OTHER, "If-Range": ETAG}, PRECONDITION_FAILED),
    "13.2.2, step 1, then 5, false": (RANGE | {"If-Match": ETAG, "If-Range": OTHER}, WHOLE),
    "13.2.2, step 3 alone, false": ({"If-None-Match": OTHER}, WHOLE),
    "HOSTILE 17, before a bad Range": (BAD | {"If-None-Match": ETAG}, NOT_MODIFIED),
    "HOSTILE 17, before Range at L": (
        {"If-None-Match": ETAG, "Range": f"bytes={L}-"},
        NOT_MODIFIED,
    ),
    "13.2.2, step 3, then a bad Range": (BAD | {"If-None-Match": OTHER}, UNSATISFIABLE),
    "13.2.2, step 3 before 5": (RANGE | {"If-None-Match": ETAG, "If-Range": OTHER}, NOT_MODIFIED),
    "13.2.2, all true": (
        RANGE | {"If-Match": ETAG, "If-None-Match": OTHER, "If-Range": ETAG},
        part(3, 7),
    ),
    "HOSTILE 16, several": (
        {"If-Range": ETAG, "Range": "bytes=0-0,2-2"},
        parts((0, 0), (2, 2)),
    ),
    "14.2, If-Range true, a bad Range": (BAD | {"If-Range": ETAG}, UNSATISFIABLE),
    "14.2, If-Range false, a bad Range": (BAD | {"If-Range": OTHER}, WHOLE),
    "14.2, If-Range false, Range at L": ({"If-Range": OTHER, "Range": f"bytes={L}-"}, WHOLE),
    "13.1.5, If-Range without Range": ({"If-Range": OTHER}, WHOLE),
    "13.1.5, If-Range of the coding that is not sent": (
        RANGE | {"If-Range": ETAGS["gzip"], "Accept-Encoding": "gzip"},
        WHOLE,
    ),
    "HOSTILE 20": (RANGE | {"Accept-Encoding": "gzip, zstd"}, part(3, 7)),
    "HOSTILE 20, identity liked less": (
        RANGE | {"Accept-Encoding": "gzip, identity;q=0.001"},
        part(3, 7),
    ),
    "HOSTILE 20, of any coding": (RANGE | {"Accept-Encoding": "*"}, part(3, 7)),
    "HOSTILE 20, a bad Range": (BAD | {"Accept-Encoding": "gzip"}, UNSATISFIABLE),
    "HOSTILE 20, another unit": ({"Accept-Encoding": "gzip", "Range": "items=0-0"}, WHOLE),
    "HOSTILE 20, If-Range false": (RANGE | {"Accept-Encoding": "gzip", "If-Range": OTHER}, WHOLE),
    "contract, identity refused, Range": (
        RANGE | {"Accept-Encoding": "gzip, identity;q=0."},
        GZIP,
    ),
    "contract, identity refused, a bad Range": (BAD | {"Accept-Encoding": "gzip, *;q=0"}, GZIP),
    "contract, identity refused, Range, If-Range": (
        RANGE | {"Accept-Encoding": "gzip, *;q=0", "If-Range": ETAGS["gzip"]},
        GZIP,
    ),
    "contract, nothing acceptable, Range": (
        RANGE | {"Accept-Encoding": "*;q=0"},
        NOTHING_ACCEPTABLE,
    ),
    # Conditions are for what would be sent without them.
    "13.2.1, nothing acceptable, If-Match": (
        {"Accept-Encoding": "*;q=0", "If-Match": OTHER},
        NOTHING_ACCEPTABLE,
    ),
    "13.2.1, nothing acceptable, If-None-Match": (
        {"Accept-Encoding": "*;q=0", "If-None-Match": "*"},
        NOTHING_ACCEPTABLE,
    ),
    "8.8.3.3, the ETag of another coding": (
        {"Accept-Encoding": "gzip", "If-None-Match": ETAG},
        GZIP,
    ),
    "13.1.2, the ETag of a coding that is not sent": ({"If-None-Match": ETAGS["gzip"]}, WHOLE),
    "13.1.2, the ETags of all codings": (
        {"Accept-Encoding": "gzip", "If-None-Match": ", ".join(ETAGS.values())},
        Right(304, "gzip"),
    ),
    "13.1.1, the ETag of another coding": (
        {"Accept-Encoding": "gzip", "If-Match": ETAG},
        Right(412, "gzip"),
    ),
    "13.1.1, the ETag of identity, for its Range": (
        RANGE | {"Accept-Encoding": "gzip", "If-Match": ETAG},
        part(3, 7),
    ),
    "13.1.2, the ETag of another coding, before Range": (
        RANGE | {"Accept-Encoding": "gzip", "If-None-Match": ETAGS["gzip"]},
        part(3, 7),
    ),
}


def with_header(header: str, table: dict[str, tuple[str, Right]], also: Headers) -> dict[str, Row]:
    """Rows of whole headers from those of one header's values."""
    return {name: (also | {header: value}, right) for name, (value, right) in table.items()}


ROWS: dict[str, Row] = (
    with_header("Range", RANGES, {})
    | with_header("If-Range", IF_RANGE, RANGE)
    | with_header("If-None-Match", IF_NONE_MATCH, RANGE)
    | with_header("If-Match", IF_MATCH, RANGE)
    | with_header("Accept-Encoding", ACCEPT_ENCODING, {})
    | TOGETHER
)
"""Headers of a GET for TARGET, and the right answer."""

TARGETS: list[tuple[str, Headers, Answer]] = [
    # HOSTILE 1 to 5
    ("GET /", {}, Answer(400)),
    ("GET /?sn", {}, Answer(400)),
    *(
        (f"GET /?sn={number}", {}, Answer(400))
        for number in ("%D9%A3", "%C2%B2", "5%0A", "1_0", "-0", "00005", "%ff", "%zz", "1e3")
    ),
    ("GET /?sn=0", {"Range": "bytes=0-"}, Answer(200, content_length=0)),
    ("GET /?sn=0&start=100000", {}, Answer(200, content_length=0)),
    ("GET /?sn=1&start=100000", {}, Answer(400)),
    (f"GET /?sn={'9' * 3000}", {}, Answer(400)),
    ("GET /?sn=1&sn=1", {}, Answer(400)),
    ("GET /?sn=1&SN=1", {}, Answer(400)),
    # RFC 9110, 13.2.1
    ("GET /?sn=+5", {"If-Match": '"x"'}, Answer(400)),
    # the formats of docs/text-format.md, section 5
    ("GET /?format=lines&sn=2", {}, Answer(200, "identity", b"0\n1\n", 4)),
    ("GET /?sn=1&start=7&format=bfile", {}, Answer(200, "identity", b"7 13\n", 5)),
    (
        "GET /?sn=1&start=7&format=jsonl",
        {},
        Answer(200, "identity", b'{"n": 7, "value": "13"}\n', 24),
    ),
    ("GET /?sn=1&start=7&format=csv", {}, Answer(200, "identity", b"n,value\r\n7,13\r\n", 15)),
    ("GET /?sn=0&format=csv", {}, Answer(200, "identity", b"n,value\r\n", 9)),
    # HOSTILE 7 and 15, RFC 9110, 9.3.2 and 13.1.2
    ("HEAD /?sn=10", {}, Answer(200, content_length=23)),
    ("HEAD /?sn=10", {"Range": "bytes=99-"}, Answer(200, content_length=23)),
    (f"HEAD {TARGET}", {"Range": "bytes=0-0", "Accept-Encoding": "gzip"}, Answer(200, "gzip")),
    ("HEAD /?sn=3000", {"Accept-Encoding": "gzip"}, Answer(200, "gzip")),
    ("HEAD /?sn=10", {"If-None-Match": "*"}, Answer(304)),
]
"""Request lines and headers, and the oracle's answers to them."""
