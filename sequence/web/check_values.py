"""Values to check an implementation with, computed when they are asked for."""

import struct
from bisect import bisect_right
from functools import cache
from typing import NamedTuple

from sequence.text import facts
from sequence.text.residues import MAX_MODULUS

PAGE = "check-your-arithmetic"
"""The guide that they belong to."""
TERMS = {"100": 100, "10⁵": 10**5, "10⁶": 10**6, "10¹⁸": 10**18}
"""The n of the residues, by how they are written."""
ROWS = (8, 2**10, 2**16, 2**20)
"""The lengths of the traces."""

_BN = 4965661367192848881
_BLS = -0xD201000000010000
"""The numbers from which two families of curves follow."""


class Kind(NamedTuple):
    """A type of machine numbers, and what its terms wrap or are rounded to."""

    name: str
    bits: int
    """Of the largest number up to which it has every whole one."""
    signed: bool = False
    rounded: str = ""
    """The format of `struct` of a floating-point number."""


class Fit(NamedTuple):
    """The last term that a type holds, and what it makes of the next one."""

    name: str
    n: int
    value: int
    following: int


class Modulus(NamedTuple):
    """A modulus that programs use."""

    name: str
    written: str
    number: int
    used_by: str


class Residue(NamedTuple):
    """F(n) by some modulus."""

    written: str
    n: int
    value: int


KINDS = (
    Kind("int32", 31, signed=True),
    Kind("uint32", 32),
    Kind("int64", 63, signed=True),
    Kind("uint64", 64),
    Kind("int128", 127, signed=True),
    Kind("uint128", 128),
    Kind("uint256", 256),
    Kind("float32", 24, rounded="f"),
    Kind("float64, JavaScript’s Number", 53, rounded="d"),
)
MODULI = (
    Modulus("Ten to the nine and seven", "10⁹ + 7", 10**9 + 7, "programming contests"),
    Modulus("998244353", "119 · 2²³ + 1", 119 * 2**23 + 1, "number-theoretic transforms"),
    Modulus("Mersenne-31", "2³¹ − 1", 2**31 - 1, "circle STARKs"),
    Modulus("BabyBear", "2³¹ − 2²⁷ + 1", 2**31 - 2**27 + 1, "STARKs"),
    Modulus("KoalaBear", "2³¹ − 2²⁴ + 1", 2**31 - 2**24 + 1, "STARKs"),
    Modulus("Mersenne-61", "2⁶¹ − 1", 2**61 - 1, "hashing"),
    Modulus("Goldilocks", "2⁶⁴ − 2³² + 1", 2**64 - 2**32 + 1, "STARKs, Plonky2"),
    Modulus("32 bits", "2³²", 2**32, "unsigned integers that wrap"),
    Modulus("64 bits", "2⁶⁴", 2**64, "unsigned integers that wrap"),
    Modulus("Mersenne-127", "2¹²⁷ − 1", 2**127 - 1, "hashing"),
    Modulus(
        "BN254, scalar field",
        "36x⁴ + 36x³ + 18x² + 6x + 1, x = 4965661367192848881",
        36 * _BN**4 + 36 * _BN**3 + 18 * _BN**2 + 6 * _BN + 1,
        "Groth16 and PLONK on Ethereum",
    ),
    Modulus(
        "BLS12-381, scalar field",
        "x⁴ − x² + 1, x = −0xd201000000010000",
        _BLS**4 - _BLS**2 + 1,
        "KZG commitments, Zcash, Ethereum",
    ),
)
TRACED = [each for each in MODULI if "STARKs" in each.used_by]


@cache
def fits() -> list[Fit]:
    """Return the last term that each type of numbers holds, and what becomes of the next one."""
    return [_fit(kind) for kind in KINDS]


@cache
def residues() -> list[tuple[Modulus, list[Residue], bool]]:
    """Return some residues by each modulus, and whether clients may ask for others."""
    return [
        (modulus, _residues(modulus.number), modulus.number <= MAX_MODULUS) for modulus in MODULI
    ]


@cache
def traces() -> list[tuple[Modulus, list[tuple[int, list[int]]]]]:
    """Return F(N - 1), F(N) and F(N + 1) by the fields of proof systems, for traces of N rows."""
    return [(field, [(rows, _last_of(rows, field.number)) for rows in ROWS]) for field in TRACED]


def _fit(kind: Kind) -> Fit:
    # Each term has log2 φ = 0.69 of a bit more.
    n = bisect_right(range(2 * kind.bits), kind.bits, key=facts.bit_length) - 1
    # It is less than this, so its residue is itself.
    value = facts.residue(n, 2**kind.bits)
    return Fit(kind.name, n, value, _held(kind, value + facts.residue(n - 1, 2**kind.bits)))


def _held(kind: Kind, number: int) -> int:
    """Return what the type has for a number, which may be too large for it."""
    if kind.rounded:
        rounded: float = struct.unpack(kind.rounded, struct.pack(kind.rounded, number))[0]
        return int(rounded)
    wrapped = number % (1 << kind.bits + kind.signed)
    return wrapped - (1 << kind.bits + 1) if wrapped >> kind.bits else wrapped


def _residues(modulus: int) -> list[Residue]:
    return [Residue(written, n, facts.residue(n, modulus)) for written, n in TERMS.items()]


def _last_of(rows: int, modulus: int) -> list[int]:
    return [facts.residue(n, modulus) for n in (rows - 1, rows, rows + 1)]
