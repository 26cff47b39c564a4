import hashlib
import subprocess
import sys
from array import array
from ctypes import addressof, c_char

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.text import adder
from sequence.text.layout import digit_count, offset
from sequence.text.span import Span
from tests.support import oracle
from tests.support.processes import ROOT

pytestmark = pytest.mark.usefixtures("each_addition")


@given(st.integers(0, 10**7), st.integers(0, 300))
def test_positions_are_those_of_the_layout(first: int, count: int) -> None:
    positions = adder.positions(Span(first, first + count))
    assert list(positions) == [offset(first + i) - offset(first) for i in range(count + 1)]


def test_positions_are_right_from_the_first_term_on() -> None:
    assert list(adder.positions(Span(0, 8))) == [0, 2, 4, 6, 8, 10, 12, 14, 17]
    assert adder.positions(Span(0, 100_000))[-1] == offset(100_000)


def test_positions_are_exact_where_fixed_point_is() -> None:
    first = 10**18
    one, two = adder.positions(Span(first, first + 2))[1:]
    assert (one, two - one) == (digit_count(first) + 1, digit_count(first + 1) + 1)


def added(a: int, b: int) -> bytes:
    """The text of b + a that the adder writes after that of a and b, with whatever lay around."""
    a_text, b_text, expected = b"%d " % a, b"%d " % b, b"%d " % (a + b)
    before = b"9" * adder.READ_BEFORE_BYTES
    buffer = bytearray(before + a_text + b_text + b"8" * len(expected))
    positions = array("q", [0])
    for term in (a_text, b_text, expected):
        positions.append(positions[-1] + len(term))
    address = addressof(c_char.from_buffer(buffer)) + len(before)
    adder.append(address, positions, Span(2, 3))
    assert buffer.startswith(before + a_text + b_text)
    return bytes(buffer[-len(expected) :])


DIGITS = st.integers(1, 260)


@given(DIGITS, st.data())
def test_the_sum_of_any_two_terms_is_that_of_integers(digits: int, data: st.DataObject) -> None:
    """As in the sequence b is at least a, and has at most a digit more."""
    a = data.draw(st.integers(10 ** (digits - 1), 10**digits - 1))
    b = data.draw(st.integers(a, min(2 * a, 10**digits * 10 - 1)))
    assert added(a, b) == b"%d " % (a + b)


@pytest.mark.parametrize("digits", range(1, 200))
def test_a_carry_ripples_through_nines_of_any_length(digits: int) -> None:
    nines = 10**digits - 1
    assert added(nines, nines) == b"%d " % (2 * nines)
    assert added(10 ** (digits - 1), nines) == b"%d " % (nines + 10 ** (digits - 1))
    assert added(5 * 10**digits + 1, 5 * 10**digits - 1 + 10**digits) == b"%d " % (11 * 10**digits)


def test_oracle_terms_follow_one_another() -> None:
    terms = [int(term) for term in oracle.terms(700)]
    for a, b, total in zip(terms, terms[1:], terms[2:], strict=False):
        assert added(a, b) == b"%d " % total


OBSTACLES = {
    "the system forbids executable memory": "assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0",
    "llvmlite is not installed": "sys.modules['llvmlite'] = None",
    "its library cannot be loaded": "binding(OSError('Could not find shared object file'))",
    "it knows no such machine": "binding(RuntimeError('No available targets'))",
}
PROGRAM = """
import ctypes, hashlib, logging, sys, types
from sequence.text import compute
from sequence.text.span import Span

def binding(error):
    class Binding(types.ModuleType):
        def __getattr__(self, name):
            raise error
    sys.modules['llvmlite'] = types.ModuleType('llvmlite')
    sys.modules['llvmlite'].binding = Binding('llvmlite.binding')

logging.basicConfig(format="%(message)s")
{obstacle}
for _ in range(2):
    print(hashlib.sha256(b"".join(map(bytes, compute.compute_terms(Span(0, 3000))))).hexdigest())
"""


@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES)
def test_a_host_that_cannot_compile_computes_by_decimal_and_says_so_once(obstacle: str) -> None:
    program = PROGRAM.replace("{obstacle}", obstacle)
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    right = hashlib.sha256(oracle.text(0, 3000)).hexdigest()
    assert found.stdout.split() == [right, right]
    assert found.stderr.count("The text is computed by decimal, which is slower: ") == 1
    assert len(found.stderr.splitlines()) == 1
