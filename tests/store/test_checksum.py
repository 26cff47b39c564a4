import zlib

from hypothesis import given
from hypothesis import strategies as st

from sequence.store import checksum
from sequence.store.checksum import BlockChecksums


def slow(content: bytes) -> bytes:
    size = checksum.BLOCK_BYTES
    blocks = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join(zlib.crc32(block).to_bytes(4, "big") for block in blocks)


@given(st.lists(st.binary(max_size=3000), max_size=8), st.integers(1, 2000))
def test_checksums_do_not_depend_on_where_pieces_end(pieces: list[bytes], scale: int) -> None:
    checksums = BlockChecksums()
    for piece in pieces:
        checksums.update(piece * scale)
    assert checksums.digest() == slow(b"".join(piece * scale for piece in pieces))
