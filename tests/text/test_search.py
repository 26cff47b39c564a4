"""The search for digits against one by `str.find`, term by term."""

import platform
import threading
from collections.abc import Iterator
from ctypes import addressof, c_char
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sequence.errors import SearchCancelled
from sequence.text import search
from sequence.text.compute import compute_terms
from sequence.text.layout import offset
from sequence.text.search import MAX_DIGITS, MIN_DIGITS, first_place
from sequence.text.span import Span
from tests.support import oracle, search_oracle

TERMS = 2000
BYTES = offset(TERMS)

pieces = st.sampled_from([1, 100, 1000, 10_000, 0])


@pytest.fixture(scope="module", params=["compiled", "for the oldest processors", "uncompiled"])
def each_search(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "for the oldest processors":
            plain = search.compiled("x86-64" if platform.machine() == "x86_64" else "generic")
            patch.setattr(search, "_compiled", plain)
        if request.param == "uncompiled":
            patch.setattr(search._compiled, "_available", False)
        else:
            assert search._compiled.available
        yield


pytestmark = pytest.mark.usefixtures("each_search")


@given(st.integers(0, BYTES - MAX_DIGITS), st.integers(MIN_DIGITS, MAX_DIGITS), pieces)
@example(offset(1000) - 9, 8, 1)  # the last digits of a term
@example(offset(1000), 8, 1)  # the first
def test_digits_of_the_text_are_found_where_they_stand_first(
    start: int, length: int, piece_bytes: int
) -> None:
    digits = oracle.text(0, TERMS)[start : start + length].decode().split()
    for each in digits:
        if len(each) >= MIN_DIGITS:
            found = first_place(each, TERMS, piece_bytes=piece_bytes)
            assert found == search_oracle.first_place(each, TERMS)
            assert found


@given(st.text("0123456789", min_size=MIN_DIGITS, max_size=7), pieces)
def test_any_digits_are_found_or_are_not_there(digits: str, piece_bytes: int) -> None:
    found = first_place(digits, TERMS, piece_bytes=piece_bytes)
    assert found == search_oracle.first_place(digits, TERMS)


def test_digits_that_only_two_terms_together_have_are_not_found() -> None:
    terms = [term.decode().rstrip() for term in oracle.terms(400)]
    for before, after in pairwise(terms[100:]):
        digits = before[-10:] + after[:10]
        assert first_place(digits, 400) is None


@pytest.mark.parametrize("n", [*range(17, 60), 478, 1234])
def test_a_whole_term_is_found_with_nothing_around(n: int) -> None:
    digits = oracle.terms(1500)[n].decode().rstrip()[:MAX_DIGITS]
    found = first_place(digits, 1500)
    assert found == search_oracle.first_place(digits, 1500)
    if len(oracle.terms(1500)[n]) <= MAX_DIGITS:
        assert found == (n, 0, "", "")


def test_terms_beyond_the_first_ones_are_not_searched() -> None:
    digits = oracle.terms(1000)[999].decode().rstrip()[-30:]
    assert first_place(digits, 999) is None
    found = first_place(digits, 1000)
    assert found
    assert found.n == 999
    for count in range(4):
        assert first_place(digits, count) is None


@given(st.integers(0, 3000), st.integers(0, 300), st.sampled_from([1, 1000, 0]))
def test_pieces_of_the_text_are_whole_terms(start: int, count: int, piece_bytes: int) -> None:
    """Else digits over the end of a piece would be missed."""
    for piece in compute_terms(Span(start, start + count), piece_bytes):
        assert bytes(piece[-1:]) in (b" ", b"")


@given(st.text("01", min_size=1, max_size=400), st.text("01", min_size=2, max_size=12))
def test_many_candidates_are_told_apart(text: str, wanted: str) -> None:
    assert search._find(memoryview(bytearray(text.encode())), wanted.encode()) == text.find(wanted)


@pytest.mark.parametrize("length", [2, 3, 4, 8, 40, 64, 65])
def test_every_place_of_any_text_is_searched_and_nothing_around(length: int) -> None:
    wanted = b"7" * (length - 1) + b"8"
    for around in range(200):
        for at in range(around - length + 1):
            text = bytearray(b"1" * around)
            text[at : at + length] = wanted
            assert search._find(memoryview(text), wanted) == at
        buffer = bytearray(b"1" * around + wanted)
        for cut in range(1, length):
            assert search._find(memoryview(buffer)[:-cut], wanted) == -1
            if cut < around + length:
                assert search._find(memoryview(buffer)[around + cut :], wanted) == -1


@pytest.mark.parametrize("asked", [0, 1, 7])
def test_a_search_that_is_cancelled_stops_before_the_next_piece(asked: int) -> None:
    answers = iter([False] * asked + [True])
    with pytest.raises(SearchCancelled):
        first_place("1" * 40, 10_000, lambda: next(answers), piece_bytes=1000)
    assert next(answers, None) is None


def test_searches_in_threads_do_not_meet() -> None:
    digits = [oracle.terms(TERMS)[n].decode().rstrip()[-20:] for n in range(1900, 1908)]
    found: dict[str, object] = {}

    def run(each: str) -> None:
        found[each] = first_place(each, TERMS, piece_bytes=1000)

    threads = [threading.Thread(target=run, args=(each,)) for each in digits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {each: search_oracle.first_place(each, TERMS) for each in digits}


def test_a_birthday_is_in_the_first_100_000_terms() -> None:
    """The digits around are those that GMP prints for F(18437)."""
    found = first_place("19840615", 100_000)
    assert found == (18_437, 3186, "75316165310601877825", "05982842620377413473")


def test_an_address_is_not_held_when_a_search_is_done() -> None:
    """An exported buffer cannot be resized: that of the piece is free again."""
    buffer = bytearray(b"12345678")
    with memoryview(buffer) as view:
        assert search._find(view, b"45") == 3
    buffer.extend(b"9")
    assert addressof(c_char.from_buffer(buffer))
