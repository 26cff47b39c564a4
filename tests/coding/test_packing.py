"""What the packers make, bit by bit, however they are given it."""

import hashlib
import platform
import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequence.coding import coder, gzip, zstd
from sequence.coding.coding import CODINGS, GZIP, ZSTD, Coding
from sequence.errors import BodyShort
from sequence.text.compute import compute_bytes
from sequence.text.format import FORMATS
from sequence.text.layout import digit_count
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import coding_oracle, oracle

TERMS = 1200

every_coding = pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS)
every_format = pytest.mark.parametrize("format", FORMATS)

windows = st.tuples(st.sampled_from(list(FORMATS)), st.integers(0, TERMS), st.integers(0, 200)).map(
    lambda window: (window[0], window[1], min(window[1] + window[2], TERMS))
)


def representation(format: str, start: int, stop: int) -> Representation:
    return Representation(FORMATS[format], Span(start, stop))


def coded(coding: Coding, of: Representation, pieces: Iterable[bytes | memoryview]) -> bytes:
    coder = coding.coder(of)
    return b"".join([*map(coder.pack, pieces), coder.finish()])


def whole(coding: Coding, format: str, start: int, stop: int) -> bytes:
    """The coded form, of the oracle's bytes in one piece."""
    return coded(coding, representation(format, start, stop), [oracle.written(format, start, stop)])


def expected(coding: Coding, content: bytes, start: int, stop: int) -> bytes:
    """The coded form, by the oracle."""
    if coding is ZSTD:
        return coding_oracle.zstd(content)
    return coding_oracle.gzip(content, sum(digit_count(n) for n in range(start, stop)))


@every_coding
@given(windows)
def test_every_bit_is_that_of_the_specification(
    coding: Coding, window: tuple[str, int, int]
) -> None:
    format, start, stop = window
    content = oracle.written(format, start, stop)
    assert whole(coding, format, start, stop) == expected(coding, content, start, stop)


@every_coding
@pytest.mark.parametrize(
    ("format", "start", "stop"),
    [
        ("text", 9_780, 9_830),  # from stretches to long runs
        ("jsonl", 9_780, 9_830),
        ("csv", 9_797, 9_798),
        ("text", 0, 2_000),  # stretches of 131,072 bytes
        ("bfile", 0, 2_000),
    ],
)
def test_every_bit_of_longer_ones_is_too(
    coding: Coding, format: str, start: int, stop: int
) -> None:
    content = oracle.written(format, start, stop)
    assert whole(coding, format, start, stop) == expected(coding, content, start, stop)


@every_coding
@pytest.mark.parametrize("digits", [2_047, 2_048, 131_072, 131_073, 133_119, 133_120, 264_193])
def test_runs_are_cut_alike_however_long_they_are(
    coding: Coding, digits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terms of so many digits come late: here any digits stand for them."""
    run = bytes(random.Random(digits).choices(b"0123456789", k=digits))
    content = run + b" " + run + b" 12 "
    like = representation("text", 100, 1_100)
    monkeypatch.setattr(type(like), "length", len(content))
    size = 60_000
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    assert coded(coding, like, pieces) == coded(coding, like, [content])
    assert coded(coding, like, pieces) == expected(coding, content, 100, 1_100)


@every_coding
@every_format
@pytest.mark.parametrize(("start", "stop"), [(0, 40), (0, 0), (0, 1), (90, 92), (400, 403)])
def test_a_cut_at_any_byte_changes_nothing(
    coding: Coding, format: str, start: int, stop: int
) -> None:
    content, like = oracle.written(format, start, stop), representation(format, start, stop)
    bodies = {coded(coding, like, [content[:at], content[at:]]) for at in range(len(content) + 1)}
    bodies.add(coded(coding, like, [content[at : at + 1] for at in range(len(content))]))
    assert bodies == {whole(coding, format, start, stop)}


@every_coding
@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1_000_000), max_size=8), st.booleans())
def test_cuts_anywhere_change_nothing_of_a_longer_one(
    coding: Coding, cuts: list[int], writable: bool
) -> None:
    """Windows of terms with runs of both kinds, in bytes or in memory that may be written."""
    content, like = oracle.written("jsonl", 9_700, 9_900), representation("jsonl", 9_700, 9_900)
    places = [0, *sorted(min(at, len(content)) for at in cuts), len(content)]
    memory = memoryview(bytearray(content)) if writable else content
    pieces = [memory[start:stop] for start, stop in pairwise(places)]
    assert coded(coding, like, pieces) == whole(coding, "jsonl", 9_700, 9_900)


@every_coding
def test_every_processor_makes_the_same(coding: Coding, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [whole(coding, name, 9_700, 9_900) for name in FORMATS]
    plain = coder.compiled("x86-64" if platform.machine() == "x86_64" else "generic")
    for module in (gzip, zstd):
        monkeypatch.setattr(module, "packer", plain)
    assert [whole(coding, name, 9_700, 9_900) for name in FORMATS] == ours


@every_coding
@every_format
def test_every_byte_of_every_format_has_a_code(coding: Coding, format: str) -> None:
    found = set(oracle.written(format, 0, 20)) - {
        symbol for symbol in coding_oracle.DEFLATE if isinstance(symbol, int)
    }
    assert not found


@every_coding
@pytest.mark.parametrize(
    ("format", "terms", "most"),
    [
        ("text", 1_000, 0.46),
        ("jsonl", 1_000, 0.56),
        ("text", 100, 0.55),
        ("lines", 1_000, 0.46),
        ("bfile", 1_000, 0.46),
        ("csv", 1_000, 0.46),
    ],
)
def test_short_answers_take_no_more_than_this(
    coding: Coding, format: str, terms: int, most: float
) -> None:
    assert len(whole(coding, format, 0, terms)) <= most * len(oracle.written(format, 0, terms))


@pytest.mark.parametrize(("coding", "frame"), [(GZIP, 10 + 5 + 8), (ZSTD, 14 + 3 + 3)], ids=CODINGS)
@every_format
def test_none_is_longer_than_identity_by_more_than_the_frame(
    coding: Coding, frame: int, format: str
) -> None:
    for terms in range(150):
        for start in (0, 1, 30, 1_000):
            length = representation(format, start, start + terms).length
            assert len(whole(coding, format, start, start + terms)) <= length + frame


@pytest.mark.parametrize(
    ("coding", "format", "most"),
    [
        (ZSTD, "text", 0.428),
        (GZIP, "text", 0.438),
        *((ZSTD, format, 0.44) for format in FORMATS),
        *((GZIP, format, 0.445) for format in FORMATS),
    ],
)
def test_a_hundred_thousand_terms_take_no_more_than_this(
    coding: Coding, format: str, most: float
) -> None:
    """Of their middle, whose share is that of all."""
    like = representation(format, 70_000, 70_300)
    text = like.excerpt(Span(0, like.length))
    body = coded(coding, like, list(text.render(compute_bytes(text.text))))
    assert len(body) <= most * like.length


@pytest.mark.parametrize(
    ("coding", "version", "sha256"),
    [
        (GZIP, 1, "e40140e3aa0f5e8e669cca8818a8a8ab625e2b6087f0101506edb705311e1e9c"),
        (ZSTD, 1, "432e3362da466683b760cef889b1985fa303eb49f242305e819e2b476b3d22b6"),
    ],
    ids=["gzip", "zstd"],
)
def test_a_version_is_the_same_bytes_for_good(coding: Coding, version: int, sha256: str) -> None:
    """Other bytes need another version: strong ETags tell it."""
    assert coding.version == version
    body = whole(coding, "csv", 0, 10_000)
    assert hashlib.sha256(body).hexdigest() == sha256


@every_coding
def test_a_content_cut_short_is_not_finished(coding: Coding) -> None:
    coder = coding.coder(representation("text", 0, 100))
    coder.pack(oracle.text(0, 99))
    with pytest.raises(BodyShort):
        coder.finish()


@every_coding
def test_what_waits_does_not_grow(coding: Coding) -> None:
    """A term and what stands before it, wherever a piece ends."""
    like = representation("text", 10_000, 10_100)
    coder, text = coding.coder(like), oracle.text(10_000, 10_100)
    for at in range(0, len(text), 7_001):
        coder.pack(text[at : at + 7_001])
        assert len(coder._waiting) < digit_count(10_100) + 64
