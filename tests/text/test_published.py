"""What others have published of Fibonacci numbers, in tables that were not made here."""

import pytest

from sequence.text import facts, term
from sequence.text.format import FORMATS
from sequence.text.layout import digit_count
from sequence.text.residues import Residues
from sequence.text.span import Span

A068070 = [
    *(1, 2, 21, 209, 2090, 20899, 208988, 2089877, 20898764, 208987640, 2089876403, 20898764025),
    *(208987640250, 2089876402500, 20898764024998, 208987640249979, 2089876402499787),
    *(20898764024997874, 208987640249978734),
]
"""OEIS: how many digits F(10^k) has."""

A038546 = [
    *(0, 1, 5, 43, 48, 53, 3301, 48515, 348422, 406665, 1200207, 6698641, 190821326, 2292141445),
    *(257125021372, 5843866639660, 45173327533483, 46312809996150, 59358981837795),
    *(129408997210988, 1450344802530203, 5710154240910003),
]
"""OEIS: the n of which F(n) begins with n."""

A072354 = [
    *(1, 7, 12, 17, 21, 26, 31, 36, 40, 45, 50, 55, 60, 64, 69, 74, 79, 84, 88, 93, 98, 103, 107),
    *(112, 117, 122, 127, 131, 136, 141, 146, 151, 155, 160, 165, 170, 174, 179, 184, 189, 194),
    *(198, 203, 208, 213, 217, 222, 227, 232, 237),
]
"""OEIS: the first n of which F(n) has so many digits, from one on."""

A003893 = [
    *(0, 1, 1, 2, 3, 5, 8, 3, 1, 4, 5, 9, 4, 3, 7, 0, 7, 7, 4, 1, 5, 6, 1, 7, 8, 5, 3, 8, 1, 9, 0),
    *(9, 9, 8, 7, 5, 2, 7, 9, 6, 5, 1, 6, 7, 3, 0, 3, 3, 6, 9, 5, 4, 9, 3, 2, 5, 7, 2, 9, 1, 0, 1),
]
"""OEIS: F(n) modulo 10."""


@pytest.mark.parametrize(("exponent", "count"), [*enumerate(A068070)])
def test_powers_of_ten_have_as_many_digits(exponent: int, count: int) -> None:
    assert digit_count(10**exponent) == count
    if exponent <= 7:
        assert len(term.digits(10**exponent)) == count


@pytest.mark.parametrize("n", A038546)
def test_terms_begin_with_their_numbers(n: int) -> None:
    assert facts.first_digits(n, len(str(n))) == str(n)
    if n < 10**7:
        assert term.digits(n).startswith(b"%d" % n)


def test_no_other_term_of_the_first_ten_thousand_begins_with_its_number() -> None:
    beginning = [n for n in range(10**4) if facts.first_digits(n, len(str(n))) == str(n)]
    assert beginning == [n for n in A038546 if n < 10**4]


def test_the_first_terms_of_each_length_are_there() -> None:
    for count, n in enumerate(A072354, 1):
        assert len(term.digits(n)) == count
        assert count == 1 or len(term.digits(n - 1)) == count - 1


def test_residues_modulo_ten() -> None:
    text = Residues(FORMATS["text"], Span(0, len(A003893)), 10)
    assert text.length == 2 * len(A003893)
    assert [*map(int, b"".join(text.chunks(Span(0, text.length))).split())] == A003893


def test_the_ends_of_the_millionth_term() -> None:
    """M. Taktikos, MathGroup, 1 August 2004."""
    digits = term.digits(10**6).decode()
    assert digits.startswith("19532821287077577316320149475962563324")
    assert digits.endswith("684684301719893411568996526838242546875")
    assert len(digits) == 208_911 + 38 + 39
