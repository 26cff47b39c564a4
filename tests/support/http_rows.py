"""Requests for `/?sn=10` and their right answers, each row with the clause that says so."""

from tests.support import http_oracle
from tests.support.http_oracle import (
    Answer,
    Part,
    Window,
)

WHOLE = b"0 1 1 2 3 5 8 13 21 34 "


LENGTH = len(WHOLE)


UNSATISFIED = Answer(416, content_range="bytes */23")


HUGE = "9" * 40


SOME_DATES = (
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Tue, 01 Jan 2999 00:00:00 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
)


def whole(coding: str = "identity") -> Answer:
    """The answer that is all of `/?sn=10`."""
    return Answer(200, coding, WHOLE, http_oracle.length_in(Window(10, 0, "text"), coding))


def one(content: bytes, span: str) -> Answer:
    """The answer that is one range of `/?sn=10`."""
    return Answer(206, "identity", content, len(content), f"bytes {span}/23")


def several(*parts: tuple[int, int, bytes]) -> Answer:
    """The answer that is several ranges of `/?sn=10`."""
    return Answer(206, parts=tuple(Part(*part, f"bytes {part[0]}-{part[1]}/23") for part in parts))


Row = tuple[str, dict[str, str], Answer]


# The name of a row is a clause of RFC 9110, or a row or the contract of docs/hostile-inputs.md.
RANGES: list[Row] = [
    ("HOSTILE 10, first byte", {"Range": "bytes=0-0"}, one(b"0", "0-0")),
    ("HOSTILE 10, suffix", {"Range": "bytes=-5"}, one(b"1 34 ", "18-22")),
    ("HOSTILE 10, open end", {"Range": "bytes=20-"}, one(b"34 ", "20-22")),
    ("HOSTILE 10, end past L", {"Range": f"bytes=22-{HUGE}"}, one(b" ", "22-22")),
    ("14.1.2, suffix past L", {"Range": f"bytes=-{HUGE}"}, one(WHOLE, "0-22")),
    ("14.1.2, 1*DIGIT", {"Range": "bytes=0000-0001"}, one(b"0 ", "0-1")),
    ("14.1, unit without case", {"Range": "BYTES=0-1"}, one(b"0 ", "0-1")),
    ("5.6.1.2, empty elements", {"Range": "bytes=, \t,0-1 ,"}, one(b"0 ", "0-1")),
    ("HOSTILE 11, at L", {"Range": "bytes=23-"}, UNSATISFIED),
    ("HOSTILE 11, empty suffix", {"Range": "bytes=-0"}, UNSATISFIED),
    ("HOSTILE 11, inverted", {"Range": "bytes=10-5"}, UNSATISFIED),
    ("HOSTILE 11, inverted past L", {"Range": "bytes=0-1,99-98"}, UNSATISFIED),
    ("HOSTILE 11, no range", {"Range": "alpha"}, UNSATISFIED),
    ("HOSTILE 11, malformed", {"Range": "bytes=10"}, UNSATISFIED),
    ("14.1.1, other digits", {"Range": "bytes=0-\xb2"}, UNSATISFIED),
    ("5.6.3, other white space", {"Range": "bytes=\xa00-1"}, UNSATISFIED),
    ("14.1.1, space inside", {"Range": "bytes=0 -1"}, UNSATISFIED),
    ("contract, no element", {"Range": "bytes= ,"}, UNSATISFIED),
    ("HOSTILE 12", {"Range": "items=0-1"}, whole()),
    ("HOSTILE 14, 16", {"Range": "bytes=" + "3-3," * 16}, several(*[(3, 3, b" ")] * 16)),
    ("HOSTILE 14, 17", {"Range": "bytes=" + "3-3," * 17}, UNSATISFIED),
    ("HOSTILE 13", {"Range": "bytes=8-9,0-0"}, several((8, 9, b"3 "), (0, 0, b"0"))),
    ("HOSTILE 13, sum is L", {"Range": "bytes=1-,0-0"}, several((1, 22, WHOLE[1:]), (0, 0, b"0"))),
    ("HOSTILE 13, sum above L", {"Range": "bytes=1-,0-1"}, whole()),
    ("15.3.7, one is left", {"Range": "bytes=0-0,23-"}, one(b"0", "0-0")),
]


CONDITIONS: list[Row] = [
    ("HOSTILE 16", {"Range": "bytes=0-0", "If-Range": '"identity"'}, one(b"0", "0-0")),
    ("13.1.5, weak", {"Range": "bytes=0-0", "If-Range": 'W/"identity"'}, whole()),
    ("13.1.5, date", {"Range": "bytes=0-0", "If-Range": SOME_DATES[0]}, whole()),
    ("13.2.2, If-Range first", {"Range": "bytes=10-5", "If-Range": '"x"'}, whole()),
    ("13.1.5, no Range", {"If-Range": '"x"'}, whole()),
    ("HOSTILE 17", {"If-None-Match": '"identity"', "Range": "bytes=99-"}, Answer(304)),
    ("HOSTILE 17, weak", {"If-None-Match": 'W/"identity"'}, Answer(304)),
    ("HOSTILE 17, list", {"If-None-Match": ', "a,b" ,, "identity"'}, Answer(304)),
    ("HOSTILE 17, any", {"If-None-Match": "*"}, Answer(304)),
    ("8.8.3, comma inside", {"If-None-Match": '"x,identity"'}, whole()),
    ("8.8.3, W has a case", {"If-None-Match": 'w/"identity"'}, whole()),
    ("8.8.3.3", {"If-None-Match": '"identity"', "Accept-Encoding": "gzip"}, whole("gzip")),
    ("13.1.2", {"If-None-Match": '"gzip"', "Accept-Encoding": "gzip"}, Answer(304, "gzip")),
    ("HOSTILE 18", {"If-Match": '"x"', "If-None-Match": "*"}, Answer(412)),
    ("HOSTILE 18, weak", {"If-Match": 'W/"identity"'}, Answer(412)),
    ("HOSTILE 18, any", {"If-Match": "*", "Range": "bytes=0-0"}, one(b"0", "0-0")),
    ("13.2.2", {"If-Match": '"x", "identity"', "If-None-Match": '"identity"'}, Answer(304)),
    ("contract, dates", {"If-Modified-Since": SOME_DATES[1]}, whole()),
    ("13.2.1, bad coding", {"Accept-Encoding": "*;q=0", "If-Match": '"x"'}, Answer(406)),
]


ACCEPTED: list[Row] = [
    ("contract, absent", {}, whole()),
    ("12.5.3, empty", {"Accept-Encoding": ""}, whole()),
    ("contract, equal", {"Accept-Encoding": "identity, gzip, zstd"}, whole("zstd")),
    ("12.4.2", {"Accept-Encoding": "zstd;q=0.5, gzip"}, whole("gzip")),
    ("12.4.2, least", {"Accept-Encoding": "gzip;q=0.001"}, whole("gzip")),
    ("12.4.2, identity first", {"Accept-Encoding": "gzip;q=0.9, identity"}, whole()),
    ("8.4.1.3", {"Accept-Encoding": "X-GZIP ; Q=1.000"}, whole("gzip")),
    ("12.5.3, any", {"Accept-Encoding": "zstd;q=0, *;q=0.1"}, whole("gzip")),
    ("HOSTILE 19", {"Accept-Encoding": "gzip;q=0"}, whole()),
    ("HOSTILE 19, identity named", {"Accept-Encoding": "*;q=0, identity"}, whole()),
    ("contract, malformed", {"Accept-Encoding": "gzip;q=1.001, zstd;q=.5, *;q"}, whole()),
    ("12.5.3, nothing", {"Accept-Encoding": "br, identity;q=0"}, Answer(406)),
    ("HOSTILE 20", {"Accept-Encoding": "gzip", "Range": "bytes=0-0"}, one(b"0", "0-0")),
    (
        "contract, identity refused",
        {"Accept-Encoding": "gzip, identity;q=0.", "Range": "bytes=99-"},
        whole("gzip"),
    ),
]


HEADERS = RANGES + CONDITIONS + ACCEPTED


TARGETS: list[tuple[str, dict[str, str], Answer]] = [
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
    (f"GET /?sn={'9' * 5000}", {}, Answer(400)),
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
    ("HEAD /?sn=10", {}, Answer(200, content_length=LENGTH)),
    ("HEAD /?sn=10", {"Range": "bytes=99-"}, Answer(200, content_length=LENGTH)),
    (
        "HEAD /?sn=10",
        {"Range": "bytes=0-0", "Accept-Encoding": "gzip"},
        Answer(200, "gzip", b"", 46),
    ),
    ("HEAD /?sn=3000", {"Accept-Encoding": "gzip"}, Answer(200, "gzip")),
    ("HEAD /?sn=10", {"If-None-Match": "*"}, Answer(304)),
]


def named_for_coding(window: Window, coding: str) -> str:
    """An ETag for the tables."""
    return f'"{coding}"'
