"""Whole answers: what tests/support/http_rows.py says, and what only shows inside."""

from email import message_from_bytes
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.errors import FiboError, NotAcceptable, PreconditionFailed, RangeNotSatisfiable
from sequence.protocol.answer import (
    IMMUTABLE,
    MAX_INLINE_BYTES,
    Answer,
    Metadata,
    decide,
    strong_etag,
)
from sequence.text.format import FORMATS, Format
from sequence.text.span import Span
from tests.support import http_rows

WHOLE = b"n,value\r\n0,0\r\n1,1\r\n2,1\r\n3,2\r\n4,3\r\n5,5\r\n6,8\r\n7,13\r\n"
LENGTH = len(WHOLE)
TYPE = "text/csv; charset=utf-8; header=present"
ETAGS = {"zstd": '"a-zstd"', "gzip": '"a-gzip"', "identity": '"a-identity"'}
ETAG, OTHER = ETAGS["identity"], '"b-identity"'
ABOUT = Metadata(LENGTH, TYPE, ETAGS)

Headers = dict[str, str]


def asked(method: str = "GET", about: Metadata = ABOUT, /, **headers: str) -> Answer:
    """The answer to a request; the names of headers have _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return decide(method, named, about)


def body(found: Answer) -> bytes:
    """The bytes that the answer's body stands for, before any coding."""
    return b"".join(
        WHOLE[part.start : part.stop] if isinstance(part, Span) else part for part in found.body
    )


# Section 15.3.1: the headers of a 200, of which all other answers have some.
VALIDATED = {"Cache-Control": IMMUTABLE, "Vary": "Accept-Encoding"}
DESCRIBED = VALIDATED | {"Content-Type": TYPE, "Accept-Ranges": "bytes"}


def test_the_whole() -> None:
    found = asked()
    assert found == Answer(
        200,
        DESCRIBED | {"ETag": ETAG, "Content-Length": str(LENGTH)},
        "identity",
        (Span(0, LENGTH),),
    )


def test_one_range() -> None:
    """Section 15.3.7.1."""
    found = asked(Range="bytes=9-13")
    assert found == Answer(
        206,
        DESCRIBED | {"ETag": ETAG, "Content-Length": "5", "Content-Range": f"bytes 9-13/{LENGTH}"},
        "identity",
        (Span(9, 14),),
    )
    assert body(found) == b"0,0\r\n"


def test_several_ranges() -> None:
    """Section 15.3.7.2: each part has its Content-Range, and the answer has none."""
    found = asked(Range="bytes=-6,0-0")
    boundary = found.headers["Content-Type"].partition("boundary=")[2]
    expected = (
        f"\r\n--{boundary}\r\nContent-Type: {TYPE}\r\nContent-Range: bytes 44-49/50\r\n\r\n"
        "7,13\r\n"
        f"\r\n--{boundary}\r\nContent-Type: {TYPE}\r\nContent-Range: bytes 0-0/50\r\n\r\n"
        "n"
        f"\r\n--{boundary}--\r\n"
    ).encode()
    assert body(found) == expected
    assert (found.status, found.coding) == (206, "identity")
    assert found.headers == DESCRIBED | {
        "ETag": ETAG,
        "Content-Type": f"multipart/byteranges; boundary={boundary}",
        "Content-Length": str(len(expected)),
    }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_not_modified(method: str) -> None:
    """Section 15.4.5: a 304 says what is needed to update what was kept, and has no body."""
    assert asked(method, If_None_Match=ETAG) == Answer(304, VALIDATED | {"ETag": ETAG})


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
def test_encoded(coding: str) -> None:
    """Section 8.4; without Content-Length, which is not known here, and with ranges (14.3)."""
    found = asked(Accept_Encoding=coding)
    headers = DESCRIBED | {"Content-Encoding": coding, "ETag": ETAGS[coding]}
    assert found == Answer(200, headers, coding, (Span(0, LENGTH),))


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
def test_not_modified_in_a_coding(coding: str) -> None:
    found = asked(Accept_Encoding=coding, If_None_Match=ETAGS[coding])
    assert (found.status, found.body) == (304, ())
    assert found.headers == VALIDATED | {"ETag": ETAGS[coding]}


def test_a_download_has_the_name_that_is_given() -> None:
    """RFC 6266, section 4; a 304 has none."""
    about = ABOUT._replace(file_name="fibonacci-1000.txt")
    found = decide("GET", {}, about)
    assert found.headers["Content-Disposition"] == 'inline; filename="fibonacci-1000.txt"'
    assert "Content-Disposition" not in decide("GET", {"If-None-Match": "*"}, about).headers


@pytest.mark.parametrize(
    ("length", "how"), [(MAX_INLINE_BYTES, "inline"), (MAX_INLINE_BYTES + 1, "attachment")]
)
def test_a_long_answer_is_to_be_saved_and_not_shown(length: int, how: str) -> None:
    about = ABOUT._replace(length=length, file_name="x.txt")
    assert decide("GET", {}, about).headers["Content-Disposition"] == f'{how}; filename="x.txt"'


HEADS: dict[str, Headers] = {
    "HOSTILE 7": {},
    "HOSTILE 7, zstd": {"Accept_Encoding": "zstd"},
    "HOSTILE 7, gzip": {"Accept_Encoding": "gzip"},
    "13.1.2": {"If_None_Match": ETAG},
    "13.1.1": {"If_Match": "*"},
    "13.1.5, If-Range alone": {"If_Range": OTHER},
}


@pytest.mark.parametrize("headers", HEADS.values(), ids=HEADS)
def test_head_has_the_headers_of_get_and_no_body(headers: Headers) -> None:
    """Section 9.3.2."""
    head, get = asked("HEAD", **headers), asked("GET", **headers)
    assert head.body == ()
    assert head == get._replace(body=())


@pytest.mark.parametrize("range_", ["bytes=0-0", "bytes=0-0,2-2", "bytes=99-", "alpha"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("if_range", [ETAG, OTHER])
def test_head_ignores_range(range_: str, coding: str, if_range: str) -> None:
    """HOSTILE 15; section 14.2: Range is defined for GET only."""
    found = asked("HEAD", Range=range_, Accept_Encoding=coding, If_Range=if_range)
    assert found == asked("HEAD", Accept_Encoding=coding)
    assert found.status == 200


EMPTY = Metadata(0, TYPE, {"identity": ETAG})


@pytest.mark.parametrize("range_", [None, "bytes=0-", "bytes=0-0", "bytes=-5", "bytes=5-1", "x"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_has_no_bytes_has_no_ranges(method: str, range_: str | None) -> None:
    """HOSTILE 3."""
    headers = {} if range_ is None else {"Range": range_}
    found = asked(method, EMPTY, **headers)
    assert found == Answer(200, DESCRIBED | {"ETag": ETAG, "Content-Length": "0"})


def test_what_has_no_bytes_has_an_etag_to_match() -> None:
    assert asked("GET", EMPTY, If_None_Match=ETAG).status == 304
    with pytest.raises(PreconditionFailed):
        asked("GET", EMPTY, If_Match=OTHER)


def test_what_has_no_bytes_is_as_empty_when_encoded() -> None:
    found = asked("GET", ABOUT._replace(length=0), Accept_Encoding="gzip", Range="bytes=0-0")
    assert (found.status, found.coding, found.body) == (200, "gzip", ())


def test_its_own_cache_control_is_kept() -> None:
    about = ABOUT._replace(cache_control="no-cache")
    for headers in (
        {},
        {"Range": "bytes=0-0"},
        {"If_None_Match": ETAG},
        {"Accept_Encoding": "gzip"},
    ):
        assert asked("GET", about, **headers).headers["Cache-Control"] == "no-cache"


REFUSALS: dict[int, type[FiboError]] = {
    406: NotAcceptable,
    412: PreconditionFailed,
    416: RangeNotSatisfiable,
}


@pytest.mark.parametrize(("headers", "right"), http_rows.ROWS.values(), ids=http_rows.ROWS)
def test_headers_are_answered_as_the_rows_say(headers: Headers, right: http_rows.Right) -> None:
    about = Metadata(http_rows.L, TYPE, http_rows.ETAGS)
    if refusal := REFUSALS.get(right.status):
        with pytest.raises(refusal):
            decide("GET", headers, about)
        return
    found = decide("GET", headers, about)
    assert found.status == right.status
    # Sections 15.3.7 and 15.4.5: ETag, Cache-Control and Vary go with 200, 206 and 304.
    assert found.headers.items() >= VALIDATED.items()
    assert found.headers["ETag"] == http_rows.ETAGS[right.coding]
    if right.status == 304:
        assert found.body == ()
        return
    assert found.coding == right.coding
    coded = None if right.coding == "identity" else right.coding
    assert found.headers.get("Content-Encoding") == coded
    spans = [(first, last + 1) for first, last in right.pairs] or [(0, http_rows.L)]
    assert [part for part in found.body if isinstance(part, Span)] == spans
    # Sections 8.6 and 14.4.
    length = sum(part.length if isinstance(part, Span) else len(part) for part in found.body)
    assert found.headers.get("Content-Length") == (None if coded else str(length))
    only = right.pairs[0] if len(right.pairs) == 1 else None
    described = f"bytes {only[0]}-{only[1]}/{http_rows.L}" if only else None
    assert found.headers.get("Content-Range") == described


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions_hold_for_head_as_for_get(method: str) -> None:
    """Section 13.2.2."""
    assert asked(method, If_None_Match="*").status == 304
    assert asked(method, If_Match=ETAG).status == 200
    with pytest.raises(PreconditionFailed):
        asked(method, If_Match=OTHER, If_None_Match=ETAG)
    with pytest.raises(NotAcceptable):
        asked(method, Accept_Encoding="*;q=0")


def test_each_coding_has_a_strong_etag_of_its_own() -> None:
    """HOSTILE 21."""
    sent = [asked(Accept_Encoding=coding).headers["ETag"] for coding in ETAGS]
    assert sent == list(ETAGS.values())
    assert len(set(sent)) == len(sent)


def test_an_etag_says_all_facts() -> None:
    """Section 8.8.3: quoted, not weak, without white space."""
    assert strong_etag(1, 0, 10, "text", "identity") == '"1-0-10-text-identity"'
    assert strong_etag(1, 10, 0) != strong_etag(1, 1, 0)
    assert strong_etag() == '""'


def parts(found: Answer) -> list[tuple[str, str, bytes]]:
    """Content-Type, Content-Range and content of each part, as the standard library reads them."""
    content_type = found.headers["Content-Type"].encode()
    message = message_from_bytes(b"Content-Type: " + content_type + b"\r\n\r\n" + body(found))
    assert message.get_content_type() == "multipart/byteranges"
    read = message.get_payload()
    assert isinstance(read, list)
    # Nothing but line ends stands around the parts.
    assert not f"{message.preamble or ''}{message.epilogue or ''}".strip("\r\n")
    found_parts = []
    for part in read:
        assert isinstance(part, Message)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        assert part.keys() == ["Content-Type", "Content-Range"]
        assert not part.defects
        found_parts.append((part["Content-Type"], part["Content-Range"], content))
    assert not message.defects
    return found_parts


SEVERAL: dict[str, tuple[str, list[tuple[int, int]]]] = {
    "HOSTILE 13": ("bytes=0-0,9-13", [(0, 0), (9, 13)]),
    "15.3.7.2, in the order asked": ("bytes=40-40,0-0,20-21", [(40, 40), (0, 0), (20, 21)]),
    "15.3.7.2, overlapping": ("bytes=0-9,5-14", [(0, 9), (5, 14)]),
    "15.3.7.2, one is left out": ("bytes=0-0,50-,1-1", [(0, 0), (1, 1)]),
    "14.1.2, clipped": ("bytes=48-99,-1", [(48, 49), (49, 49)]),
    "14.6, line ends at the end": ("bytes=0-8,9-13", [(0, 8), (9, 13)]),
    "14.6, line ends only": ("bytes=7-8,7-7,8-8", [(7, 8), (7, 7), (8, 8)]),
    "14.6, line ends at the start": ("bytes=7-10,8-9", [(7, 10), (8, 9)]),
    "HOSTILE 13, sum is L": ("bytes=25-,0-24", [(25, 49), (0, 24)]),
    "HOSTILE 14, 16": ("bytes=" + "3-3," * 16, [(3, 3)] * 16),
}


@pytest.mark.parametrize(("header", "pairs"), SEVERAL.values(), ids=SEVERAL)
def test_a_parser_reads_the_parts(header: str, pairs: list[tuple[int, int]]) -> None:
    assert parts(asked(Range=header)) == [
        (TYPE, f"bytes {first}-{last}/{LENGTH}", WHOLE[first : last + 1]) for first, last in pairs
    ]


@pytest.mark.parametrize(("header", "pairs"), SEVERAL.values(), ids=SEVERAL)
def test_the_length_of_several_ranges_is_exact(header: str, pairs: list[tuple[int, int]]) -> None:
    found = asked(Range=header)
    assert found.headers["Content-Length"] == str(len(body(found)))
    assert [part for part in found.body if isinstance(part, Span)] == [
        (first, last + 1) for first, last in pairs
    ]


def test_several_ranges_of_much_are_as_spans_and_few_bytes() -> None:
    """The body holds no more than the lines between the parts, however long those are."""
    found = asked("GET", ABOUT._replace(length=10**12), Range="bytes=0-99999999999,-5")
    literal = sum(len(part) for part in found.body if not isinstance(part, Span))
    assert literal < 500
    assert found.headers["Content-Length"] == str(10**11 + 5 + literal)


spans = st.tuples(st.integers(0, LENGTH - 1), st.integers(0, 20))


@given(st.lists(spans, min_size=2, max_size=16))
def test_any_several_ranges_are_read_by_a_parser(asked_for: list[tuple[int, int]]) -> None:
    pairs = [(first, min(first + more, LENGTH - 1)) for first, more in asked_for]
    found = asked(Range="bytes=" + ",".join(f"{first}-{last}" for first, last in pairs))
    if sum(last + 1 - first for first, last in pairs) > LENGTH:
        assert found == asked()
    else:
        assert parts(found) == [
            (TYPE, f"bytes {first}-{last}/{LENGTH}", WHOLE[first : last + 1])
            for first, last in pairs
        ]
        assert found.headers["Content-Length"] == str(len(body(found)))


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_no_format_can_hold_the_boundary(format: Format) -> None:
    """RFC 2046, section 5.1.1: the delimiter stands in no part; digits have no letters."""
    boundary = asked(Range="bytes=0-0,2-2").headers["Content-Type"].partition("boundary=")[2]
    assert 1 <= len(boundary) <= 70
    assert boundary.replace("-", "").isalpha()
    assert boundary.encode() not in format.header + format.before + format.after
