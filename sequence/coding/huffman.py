"""Huffman codes: their lengths, their bits, and tables of them for packer.ll.

A code is an int: its length in the lowest 7 bits, its bits above, the first to be written lowest.
"""

from collections.abc import Iterator, Mapping
from ctypes import Structure, c_int64, c_uint8, c_uint32
from typing import NamedTuple

ZERO = ord("0")

END = 256
"""Deflate's end of a block, as a symbol."""

_COMMON = {
    **dict.fromkeys(b"01234", 3),
    **dict.fromkeys(b"56789", 4),
    **dict.fromkeys(b' "', 6),
    **dict.fromkeys(b":,\n", 8),
    **dict.fromkeys(b"{}nvalue", 9),
}

DEFLATE_LENGTHS = {**_COMMON, ord("\r"): 9, END: 9}
WIDE_LENGTHS = {**_COMMON, ord("\r"): 8}
"""zstd has no symbol for the end: what it takes in deflate is given to one other."""

COMPLETE_LENGTHS = {**dict.fromkeys(b"012345", 3), **dict.fromkeys(b"6789", 4)}
"""Those of digits alone, which take a sixteenth less than what leaves room for anything else."""

_LENGTHS_OF_LENGTHS = {9: 2, **dict.fromkeys((0, 3, 4, 17), 3), **dict.fromkeys((1, 6, 8, 18), 4)}
"""In which deflate describes its lengths; 17 and 18 are runs of zeros."""


def deflate_codes(lengths: Mapping[int, int]) -> dict[int, int]:
    """The codes of these lengths (RFC 1951, section 3.2.2): the shortest first, from 0 on."""
    codes, value, last = {}, 0, 0
    for symbol, length in sorted(lengths.items(), key=lambda item: (item[1], item[0])):
        value <<= length - last
        # Its first bit is the highest, and is written first.
        codes[symbol] = int(f"{value:0{length}b}"[::-1], 2) << 7 | length
        value, last = value + 1, length
    return codes


def zstd_codes(lengths: Mapping[int, int]) -> dict[int, int]:
    """The codes of these lengths (RFC 8878, section 4.2.1): the longest first, from 0 on."""
    codes, value, last = {}, 0, max(lengths.values())
    for symbol, length in sorted(lengths.items(), key=lambda item: (-item[1], item[0])):
        value >>= last - length
        # Its first bit is the highest, and is read first: the decoder begins at the end.
        codes[symbol] = value << 7 | length
        value, last = value + 1, length
    return codes


def deflate_description(lengths: Mapping[int, int]) -> Iterator[int]:
    """What describes these lengths at the start of a block, as codes (RFC 1951, section 3.2.7).

    Of distances there is one code, of one bit, which is not used: not every decoder takes none.
    """
    every = [lengths.get(symbol, 0) for symbol in range(END + 1)] + [1]
    codes = deflate_codes(_LENGTHS_OF_LENGTHS)
    order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    described = [_LENGTHS_OF_LENGTHS.get(symbol, 0) for symbol in order]
    while not described[-1]:
        described.pop()
    yield from (code(0, 5), code(0, 5), code(len(described) - 4, 4))
    yield from (code(length, 3) for length in described)
    at = 0
    while at < len(every):
        zeros = next((k for k, length in enumerate(every[at : at + 138]) if length), 138)
        if zeros >= 11:
            yield from (codes[18], code(zeros - 11, 7))
        elif zeros >= 3:
            yield from (codes[17], code(zeros - 3, 3))
        else:
            yield codes[every[at]]
        at += zeros if zeros >= 3 else 1


def zstd_description(lengths: Mapping[int, int]) -> bytes:
    """Weights of four bits, up to that of the last symbol but one (RFC 8878, section 4.2.1.1).

    That of the last symbol follows from the others.
    """
    longest, last = max(lengths.values()), max(lengths)
    weights = [longest + 1 - lengths[s] if s in lengths else 0 for s in range(last)]
    even = [*weights, 0] if last % 2 else weights
    pairs = zip(even[::2], even[1::2], strict=True)
    return bytes([127 + last, *(first << 4 | second for first, second in pairs)])


class Table(Structure):
    """Codes as packer.ll takes them: those of digits by arithmetic, the others one by one."""

    _fields_ = [
        ("description_bytes", c_int64),
        ("description", c_uint8 * 64),
        ("codes", c_uint32 * 256),
        ("long_from", c_uint8),
        ("base", c_uint8),
        ("drop", c_uint8),
    ]

    @classmethod
    def of(cls, codes: Mapping[int, int], description: bytes = b"") -> "Table":
        """The table of these codes, in which digits have 3 bits, and from one on 4."""
        long_from = next(digit for digit in range(10) if codes[ZERO + digit] & 127 == 4)
        base = codes[ZERO] >> 7
        drop = base + long_from - (codes[ZERO + long_from] >> 7)
        every = (c_uint32 * 256)(*(codes.get(byte, 0) for byte in range(256)))
        return cls(
            len(description), (c_uint8 * 64)(*description), every, long_from, base, drop % 256
        )


class Bits(NamedTuple):
    """Bits in the order in which they are written, the first one lowest."""

    value: int
    length: int

    @classmethod
    def of(cls, content: bytes) -> "Bits":
        """The bits of whole bytes."""
        return cls(int.from_bytes(content, "little"), 8 * len(content))

    def then(self, *codes: int) -> "Bits":
        """These bits, and the codes after them."""
        value, length = self
        for code in codes:
            value |= code >> 7 << length
            length += code & 127
        return Bits(value, length)

    def to_bytes(self) -> bytes:
        """The bytes that hold them, the last one filled up with zeros."""
        return self.value.to_bytes((self.length + 7) // 8, "little")


def code(value: int, count: int) -> int:
    """The code of that value, lowest bit first, in so many bits."""
    return value << 7 | count
