"""docs/check-values.md: its values, and the tests that it names."""

import re
from hashlib import sha256

import gmpy2
import pytest

from sequence.text import facts, term
from tests.support.matrix import residue
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "check-values.md").read_text()
ROWS = [
    [cell.strip(" `") for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
]
TERMS = [row for row in ROWS if row[0].isdigit() and len(row[3]) == 64]
MODULI = {
    "10^9 + 7": 10**9 + 7,
    "998244353": 998244353,
    "2^61 − 1": 2**61 - 1,
    "2^64 − 2^32 + 1": 2**64 - 2**32 + 1,
    "2^127 − 1": 2**127 - 1,
}
RESIDUES = {row[0]: [*map(int, row[1:])] for row in ROWS if row[0] in MODULI}


@pytest.mark.parametrize("row", TERMS, ids=lambda row: f"F({row[0]})")
def test_every_term_of_the_page_is_that_of_gmp_and_ours(row: list[str]) -> None:
    n, digits, bits = map(int, row[:3])
    value = gmpy2.fib(n)
    assert value.bit_length() == facts.bit_length(n) == bits
    assert len(value.digits()) == digits
    for radix, expected in ((10, row[3]), (16, row[4])):
        assert sha256(value.digits(radix).encode()).hexdigest() == expected
        assert sha256(term.digits(n, radix)).hexdigest() == expected


@pytest.mark.parametrize("name", MODULI)
def test_every_residue_of_the_page_is_that_of_a_matrix_power_and_ours(name: str) -> None:
    modulus = MODULI[name]
    for n, expected in zip((100, 10**5, 10**7, 10**18), RESIDUES[name], strict=True):
        assert residue(n, modulus) == facts.residue(n, modulus) == expected
        assert n > 10**7 or gmpy2.fib(n) % modulus == expected


def test_every_file_that_the_page_names_is_there() -> None:
    assert len(TERMS) == 7
    for name in re.findall(r"`((?:tests|benchmarks|sequence)/[\w./]+)`", PAGE):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(test_\w+\.py)`", PAGE):
        assert (ROOT / "tests" / "text" / name).exists(), name
