"""The digits of one term, however long, without holding the interpreter's lock.

`decimal` and `int` hold it during a product, which is most of the time that a long term takes. The
functions in term.ll do not, as ctypes calls release it, and are faster
(benchmarks/topics/check_values.py). A host that cannot run them falls back to the other two.
"""

from array import array
from collections.abc import Iterator
from ctypes import CFUNCTYPE, addressof, c_bool, c_char, c_int32, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from functools import lru_cache
from mmap import mmap
from typing import NamedTuple

from sequence.errors import SumMismatch
from sequence.text import doubling, facts
from sequence.text.compiler import Functions
from sequence.text.format import FORMATS, Format
from sequence.text.layout import digit_count
from sequence.text.representation import Formatted, file_name
from sequence.text.span import Span

LONG = 50_000
"""From this term on transforms are faster, and `decimal` would hold the lock for half a
millisecond (benchmarks/topics/check_values.py)."""

CHUNK_BYTES = 512 * 1024
"""How many digits are sent at once: a client that reads slowly holds no more of them."""

_P = 2**64 - 2**32 + 1
_GENERATOR = 7  # of the residues' multiplicative group, of order p - 1 = 2^32 (2^32 - 1)
_CHECKED_MODULO = 2**61 - 1


def compiled(processor: str = "") -> Functions:
    """Return the functions of term.ll, for this processor or for one that LLVM knows by name."""
    return Functions(
        __package__,
        "term.ll",
        without="Single terms are computed by decimal and int, which hold the interpreter's lock",
        processor=processor,
        roots=CFUNCTYPE(None, c_void_p, c_int64, c_void_p),
        transform=CFUNCTYPE(None, c_void_p, c_int64, c_void_p),
        inverse=CFUNCTYPE(None, c_void_p, c_int64, c_void_p),
        double=CFUNCTYPE(None, c_void_p, c_void_p, c_int64, c_uint64, c_bool),
        carry=CFUNCTYPE(c_int64, c_void_p, c_int64, c_int64),
        residue=CFUNCTYPE(c_int64, c_void_p, c_int64, c_int64),
        digits=CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_int32, c_void_p),
    )


_compiled = compiled()

Numbers = memoryview
"""Of 64 bits each, without a sign."""


@dataclass(frozen=True)
class Numeral(Formatted):
    """The digits of F(n), 0 <= n <= layout.MAX_TERMS, in decimal or hexadecimal, and a line feed.

    Computed when they are sent, and again when a slow reader asks for more after others' terms have
    displaced them from the cache of `digits`.
    """

    n: int
    radix: int = 10
    # Decimal digits are the same representation as a window of this term.
    format: Format = FORMATS["lines"]

    @property
    def terms(self) -> Span:
        """The window of the term alone."""
        return Span(self.n, self.n + 1)

    @property
    def file_name(self) -> str:
        """The name for a download."""
        kind = "" if self.radix == 10 else "hex."
        return file_name(self.terms, kind + self.format.extension)

    @property
    def key(self) -> tuple[object, ...]:
        """All facts that the bytes depend on."""
        base = () if self.radix == 10 else (f"base-{self.radix}",)
        return (self.n, self.n + 1, self.name, *base)

    @property
    def has_codings(self) -> bool:
        """Whether the content codings have codes for the digits."""
        return self.radix == 10

    @property
    def digit_count(self) -> int:
        """How many digits F(n) has in the radix, in closed form."""
        if self.radix == 10:
            return digit_count(self.n)
        return max(-(-facts.bit_length(self.n) // 4), 1)

    @property
    def length(self) -> int:
        """How many bytes the digits and the line feed take."""
        return self.digit_count + 1

    def chunks(self, span: Span) -> Iterator[bytes]:
        """Yield the bytes of the span; raises SumMismatch."""
        for start in range(span.start, span.stop, CHUNK_BYTES):
            # Not held while the chunk is sent.
            yield (digits(self.n, self.radix) + b"\n")[start : min(start + CHUNK_BYTES, span.stop)]


class Limbs(NamedTuple):
    """How numbers are cut: into limbs of so many digits in a radix."""

    radix: int
    width: int

    @property
    def base(self) -> int:
        """The radix of the limbs."""
        return int(self.radix**self.width)


LIMBS = {10: Limbs(10, 6), 16: Limbs(16, 5)}
"""By radix. A digit more would be too wide: a sum of products, at most 5 · base² for each limb of
F(MAX_TERMS / 2), must stay below p (`test_no_sum_of_products_reaches_the_modulus`)."""


def _limb_count(n: int) -> int:
    """Return no fewer limbs than F(n) has: a term adds 0.0349 limbs of 10^6, 0.0348 of 16^5."""
    return n * 35 // 1000 + 2


@lru_cache(maxsize=4)
def digits(n: int, radix: int = 10) -> bytes:
    """Return F(n) in ASCII, in decimal or lower-case hexadecimal, for 0 <= n <= layout.MAX_TERMS.

    Raises SumMismatch if F(n) is wrong modulo 2^61 - 1, which no product is computed by.
    """
    if n >= LONG and _compiled.available:
        return _transformed(n, radix)
    return doubling.pair(n)[0] if radix == 10 else _hexadecimal(n)


def _transformed(n: int, radix: int) -> bytes:
    """Return F(n) by number-theoretic transforms."""
    limbs = LIMBS[radix]
    number = _limbs(n, limbs)
    count = _limb_count(n)
    if _compiled.residue(_address(number), count, limbs.base) != facts.residue(n, _CHECKED_MODULO):
        raise SumMismatch(n)
    text = bytearray(count * limbs.width)
    _compiled.digits(_address(number), count, limbs.width, radix, _address(text))
    return bytes(text.lstrip(b"0")) or b"0"


def _limbs(n: int, limbs: Limbs) -> Numbers:
    """Return the limbs of F(n), the lowest first, by fast doubling."""
    levels = _levels(n)
    roots, reciprocals = _roots(levels)
    before, value = _zeros(1 << levels), _zeros(1 << levels)
    before[0], k = 1, 0  # F(-1), and F(0) = 0
    for bit in f"{n:b}":
        k = 2 * k + (bit == "1")
        levels = _levels(k)
        for number in (before, value):
            _compiled.transform(_address(number), levels, _address(roots))
        scale = pow(2, -levels, _P)
        _compiled.double(_address(before), _address(value), 1 << levels, scale, bit == "1")
        # The one before the last term is not needed.
        for number in (value, before) if k < n else (value,):
            _compiled.inverse(_address(number), levels, _address(reciprocals))
            _compiled.carry(_address(number), 1 << levels, limbs.base)
    return value


def _levels(n: int) -> int:
    """Return the binary logarithm of a length that a product for F(n) has room in."""
    return (_limb_count(n) + 2).bit_length()


def _roots(levels: int) -> tuple[Numbers, Numbers]:
    """Return the roots for transforms of up to 2^levels values, and their reciprocals."""
    units = [pow(_GENERATOR, (_P - 1) >> (k + 2), _P) for k in range(levels - 1)]
    tables = []
    for each in (units, [pow(unit, -1, _P) for unit in units]):
        table, given = _zeros(1 << (levels - 1)), array("Q", each)
        _compiled.roots(_address(table), levels - 1, _address(given))
        tables.append(table)
    return tables[0], tables[1]


def _zeros(count: int) -> Numbers:
    """Return memory that the system clears when it is used: in a call, without the lock."""
    return memoryview(mmap(-1, 8 * count)).cast("Q")


def _address(memory: "Numbers | array[int] | bytearray") -> int:
    return addressof(c_char.from_buffer(memory))


def _hexadecimal(n: int) -> bytes:
    """Return F(n) by Python's integers, which hold the lock."""
    before, value = 1, 0
    for bit in f"{n:b}":
        odd, even = before * before + value * value, value * (2 * before + value)
        before, value = (even, odd + even) if bit == "1" else (odd, even)
    return b"%x" % value
