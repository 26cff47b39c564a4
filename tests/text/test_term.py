"""Single terms against addition, GMP and fast doubling."""

import platform
import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from ctypes import addressof, c_char
from time import perf_counter, sleep

import gmpy2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sequence.errors import SumMismatch
from sequence.text import doubling, facts, term
from sequence.text.layout import MAX_TERMS, digit_count
from sequence.text.span import Span
from tests.support import oracle

RADICES = pytest.mark.parametrize("radix", [10, 16])
P = 2**64 - 2**32 + 1


@pytest.fixture(autouse=True)
def no_cache() -> None:
    term.digits.cache_clear()


@pytest.fixture(params=["compiled", "for the oldest processors", "uncompiled"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "for the oldest processors":
        plain = term.compiled("x86-64" if platform.machine() == "x86_64" else "generic")
        monkeypatch.setattr(term, "_compiled", plain)
    if request.param == "uncompiled":
        monkeypatch.setattr(term._compiled, "_available", False)
    else:
        assert term._compiled.available


def digits(n: int, radix: int = 10) -> bytes:
    """By transforms, however short."""
    if term._compiled.available:
        return term._transformed(n, radix)
    return term.digits(n, radix)


@pytest.mark.usefixtures("each_way")
def test_the_first_terms_are_those_of_addition() -> None:
    for n, value in zip(range(3000), oracle.fibonacci(), strict=False):
        assert digits(n) == b"%d" % value
        assert digits(n, 16) == b"%x" % value


@RADICES
@given(n=st.integers(0, 300_000))
def test_any_term_is_that_of_gmp(n: int, radix: int) -> None:
    assert digits(n, radix).decode() == gmpy2.fib(n).digits(radix)


@RADICES
@pytest.mark.parametrize("levels", range(4, 19))
def test_terms_that_just_fit_a_length_of_transform_and_just_do_not_are_right(
    levels: int, radix: int
) -> None:
    last = bisect_right(range(2 * MAX_TERMS), levels, key=term._levels) - 1
    for n in (last, last + 1):
        assert digits(n, radix).decode() == gmpy2.fib(n).digits(radix)


@RADICES
def test_the_last_term_is_that_of_gmp(radix: int) -> None:
    for n in (MAX_TERMS - 1, MAX_TERMS):
        assert digits(n, radix).decode() == gmpy2.fib(n).digits(radix)


@given(st.integers(0, 10**6))
@example(10**6)
def test_a_term_is_as_long_as_arithmetic_says(n: int) -> None:
    decimal, binary = digits(n), digits(n, 16)
    assert len(decimal) == digit_count(n)
    assert len(binary) == max(-(-facts.bit_length(n) // 4), 1)


def test_a_term_is_that_of_fast_doubling_by_decimal() -> None:
    assert term.digits(4_784_969) == doubling.pair(4_784_969)[0]


@pytest.mark.parametrize("limbs", term.LIMBS.values(), ids=str)
def test_no_sum_of_products_reaches_the_modulus(limbs: term.Limbs) -> None:
    """F(2k+1) is a² + 2ab + 2b²: five products of limbs for each limb."""
    count = term._limb_count(MAX_TERMS // 2)
    assert 5 * count * (limbs.base - 1) ** 2 < P
    assert limbs.base ** (term._limb_count(MAX_TERMS) - 1) > 2 ** facts.bit_length(MAX_TERMS)


residues = st.one_of(
    st.integers(0, P - 1),
    st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**32 + 1, 2**63, P - 2**32, P - 2, P - 1]),
)


@given(st.integers(3, 6), st.data())
def test_a_transform_evaluates_at_every_power_of_a_root_of_unity(
    levels: int, data: st.DataObject
) -> None:
    assert term._compiled.available
    count = 2**levels
    values = data.draw(st.lists(residues, min_size=count, max_size=count))
    roots, reciprocals = term._roots(levels)
    transformed = array("Q", values)
    term._compiled.transform(term._address(transformed), levels, term._address(roots))
    unit = pow(7, (P - 1) // count, P)
    points = [pow(unit, i, P) for i in range(count)]
    assert sorted(transformed) == sorted(
        sum(value * pow(point, i, P) for i, value in enumerate(values)) % P for point in points
    )
    term._compiled.inverse(term._address(transformed), levels, term._address(reciprocals))
    assert list(transformed) == [count * value % P for value in values]


@given(residues, residues, residues, st.booleans())
def test_arithmetic_at_a_point_is_that_modulo_p(a: int, b: int, scale: int, odd: bool) -> None:
    assert term._compiled.available
    before, value = array("Q", [a]), array("Q", [b])
    addresses = before.buffer_info()[0], value.buffer_info()[0]
    term._compiled.double(*addresses, 1, scale, odd)
    two = a * a + b * b, b * (2 * a + b)
    expected = (two[1], sum(two)) if odd else two
    assert (before[0], value[0]) == tuple(each * scale % P for each in expected)


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=40), st.sampled_from([10, 16]))
def test_carrying_keeps_the_number(sums: list[int], radix: int) -> None:
    assert term._compiled.available
    base = term.LIMBS[radix].base
    expected = sum(each * base**i for i, each in enumerate(sums))
    limbs = array("Q", sums)
    out = term._compiled.carry(limbs.buffer_info()[0], len(sums), base)
    assert sum(each * base**i for i, each in enumerate([*limbs, out])) == expected
    assert max(limbs) < base
    found = term._compiled.residue(limbs.buffer_info()[0], len(sums), base)
    assert found == (expected - out * base ** len(sums)) % (2**61 - 1)


@RADICES
def test_every_limb_is_written_with_all_its_digits(radix: int) -> None:
    assert term._compiled.available
    limbs = term.LIMBS[radix]
    values = array("Q", range(limbs.base))
    text = bytearray(limbs.base * limbs.width)
    address = addressof(c_char.from_buffer(text))
    term._compiled.digits(values.buffer_info()[0], limbs.base, limbs.width, radix, address)
    written = "%06d" if radix == 10 else "%05x"
    assert text.decode() == "".join(written % value for value in reversed(range(limbs.base)))


def test_a_wrong_term_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    right = term._limbs

    def wrong(n: int, limbs: term.Limbs) -> term.Numbers:
        number = right(n, limbs)
        number[17] ^= 1
        return number

    assert term._compiled.available
    monkeypatch.setattr(term, "_limbs", wrong)
    with pytest.raises(SumMismatch, match="5,000"):
        digits(5000)


@pytest.fixture
def computing() -> Iterator[threading.Thread]:
    """A thread that computes F(10^7)."""
    assert term._compiled.available
    thread = threading.Thread(target=term.digits, args=(MAX_TERMS,))
    thread.start()
    yield thread
    thread.join()


def test_other_threads_run_while_a_long_term_is_computed(computing: threading.Thread) -> None:
    """As the lock is released; with it, they would run a few dozen times."""
    turns, started = 0, perf_counter()
    while computing.is_alive():
        sleep(0.0005)
        turns += 1
    assert turns > 0.1 * (perf_counter() - started) / 0.0005


@RADICES
@given(n=st.integers(0, 2 * term.LONG))
@example(n=term.LONG - 1)
@example(n=term.LONG)
def test_short_and_long_terms_meet(n: int, radix: int) -> None:
    assert term.digits(n, radix).decode() == gmpy2.fib(n).digits(radix)


@RADICES
@given(n=st.integers(0, 3000), data=st.data())
def test_any_bytes_of_a_numeral_are_found(n: int, radix: int, data: st.DataObject) -> None:
    numeral = term.Numeral(n, radix)
    whole = gmpy2.fib(n).digits(radix).encode() + b"\n"
    assert (numeral.length, numeral.digit_count) == (len(whole), len(whole) - 1)
    first = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(first, len(whole)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(term, "CHUNK_BYTES", data.draw(st.sampled_from([1, 7, 10**6])))
        chunks = list(numeral.chunks(Span(first, stop)))
    assert b"".join(chunks) == whole[first:stop]


def test_a_reader_that_stalls_holds_one_chunk() -> None:
    """The digits are computed again if they are displaced from the cache before it reads on."""
    chunks = term.Numeral(3 * 10**6).chunks(Span(0, 626_965))
    begun = next(chunks)
    assert len(begun) == term.CHUNK_BYTES
    term.digits.cache_clear()
    assert begun + next(chunks) == gmpy2.fib(3 * 10**6).digits().encode() + b"\n"
    assert term.digits.cache_info().misses == 1
