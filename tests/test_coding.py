"""Coded pieces, joined, against the decoders of other libraries."""

import hashlib
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sequence.coding import CODINGS, GZIP, ZSTD, Coding, crc32, joined_crc32
from tests import oracle

pieces_of_text = st.lists(
    st.tuples(st.integers(0, 900), st.integers(0, 100)).map(lambda w: oracle.text(w[0], sum(w))),
    max_size=5,
)


def joined(coding: Coding, pieces: list[bytes]) -> bytes:
    """The pieces, each coded by itself, as one body."""
    body, crc, length = coding.head, 0, 0
    for piece in pieces:
        coder = coding.coder()
        body += coder.compress(piece) + coder.flush()
        crc, length = joined_crc32(crc, crc32(piece), len(piece)), length + len(piece)
    return body + coding.tail(crc, length)


@given(pieces_of_text)
def test_gzip_pieces_join_to_one_member(pieces: list[bytes]) -> None:
    member = zlib.decompressobj(wbits=31)  # checks the CRC and the length
    assert member.decompress(joined(GZIP, pieces)) == b"".join(pieces)
    assert member.eof
    assert member.unused_data == b""


@given(pieces_of_text)
def test_zstd_pieces_join_to_frames(pieces: list[bytes]) -> None:
    rest, found = joined(ZSTD, pieces), b""
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        found += frame.decompress(rest)
        assert frame.eof
        rest = frame.unused_data
    assert found == b"".join(pieces)


def test_a_zstd_frame_needs_no_more_than_the_window_that_browsers_have() -> None:
    """RFC 9659, section 3: at most 8 MiB, however long the piece is."""
    coder = ZSTD.coder()
    frame = b"".join(coder.compress(b"0123456789" * 100_000) for _ in range(20)) + coder.flush()
    assert zstandard.get_frame_parameters(frame).window_size <= 8 * 1024 * 1024


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_checksums_join(first: bytes, second: bytes) -> None:
    joined_by_arithmetic = joined_crc32(zlib.crc32(first), zlib.crc32(second), len(second))
    assert joined_by_arithmetic == zlib.crc32(first + second)


@pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS)
def test_digits_take_at_most_0_44_of_their_bytes(coding: Coding) -> None:
    text = oracle.text(2000, 6000)
    assert len(joined(coding, [text])) <= 0.44 * len(text)


@pytest.mark.parametrize(
    ("coding", "recipe", "sha256"),
    [
        (GZIP, "huffman", "687132660732f4a76aeb3276e8c64c3adf2fc04abd89d2f38855094920ebd739"),
        (ZSTD, "level1", "1fc586ddc4c1b3d26f376f8d8ee7f1151174ea3939cc004ba7d7e3b5552ef9ac"),
    ],
    ids=["gzip", "zstd"],
)
def test_a_recipe_makes_the_same_bytes_for_good(coding: Coding, recipe: str, sha256: str) -> None:
    """Where another version of a library makes others, the recipe needs another name.

    The strong ETags tell the recipe.
    """
    assert coding.recipe == recipe
    body = joined(coding, [oracle.text(0, 3000), oracle.text(3000, 3001)])
    assert hashlib.sha256(body).hexdigest() == sha256


@pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS)
def test_coded_bytes_do_not_depend_on_the_chunks(coding: Coding) -> None:
    text, bodies = oracle.text(0, 3000), set()
    for chunk_bytes in (999, 65_536, len(text)):
        coder = coding.coder()
        chunks = (text[at : at + chunk_bytes] for at in range(0, len(text), chunk_bytes))
        bodies.add(b"".join(coder.compress(chunk) for chunk in chunks) + coder.flush())
    assert len(bodies) == 1
