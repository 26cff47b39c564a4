import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.errors import SumMismatch
from sequence.text import adder, compute, doubling
from sequence.text.layout import Layout, offset
from sequence.text.span import Span
from tests.support import oracle

pytestmark = pytest.mark.usefixtures("each_addition")


def computed(start: int, stop: int) -> bytes:
    return b"".join(map(bytes, compute.compute_terms(Span(start, stop))))


def test_every_span_of_the_first_terms_is_the_oracle_s() -> None:
    for start in range(70):
        for stop in range(start, 70):
            assert computed(start, stop) == oracle.text(start, stop)


@given(st.integers(0, 4000), st.integers(0, 4000), st.integers(1, 100_000))
def test_any_span_in_pieces_of_any_length_is_the_oracle_s(a: int, b: int, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compute, "PIECE_BYTES", piece)
        assert computed(min(a, b), max(a, b)) == oracle.text(min(a, b), max(a, b))


@given(st.integers(10**4, 2 * 10**6))
def test_a_far_span_is_that_of_fast_doubling(start: int) -> None:
    first, second = doubling.pair(start)
    third = doubling.pair(start + 2)[0]
    assert computed(start, start + 3) == b"%b %b %b " % (first, second, third)


def test_a_hundred_thousand_terms_have_the_hash_that_the_text_format_states() -> None:
    digest = hashlib.sha256()
    for piece in compute.compute_terms(Span(0, 100_000)):
        digest.update(piece)
    assert digest.hexdigest() == "5942de99973c024e6d435cb587078b2cfbc673d387644bdc7f6cd47383852c8f"


def test_segments_that_threads_make_together_join_to_the_text() -> None:
    layout = Layout(20_000)
    numbers = range(layout.segment_of(4000))
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda number: computed(*layout.terms(number)), numbers))
    assert b"".join(texts) == oracle.text(0, layout.terms(numbers[-1]).stop)


@pytest.mark.parametrize(
    ("terms", "pairs"),
    [
        (Span(70_000, 70_001), [70_000]),
        (Span(70_000, 70_002), [70_000]),
        (Span(70_000, 70_003), [69_998, 70_001]),
        (Span(70_000, 70_500), [69_998, 70_498]),
        (Span(0, 500), [0, 498]),
    ],
)
def test_fast_doubling_is_asked_for_as_few_pairs_as_can_be(
    monkeypatch: pytest.MonkeyPatch, terms: Span, pairs: list[int]
) -> None:
    asked: list[int] = []
    right = doubling.pair

    def noted(n: int) -> tuple[bytes, bytes]:
        asked.append(n)
        return right(n)

    monkeypatch.setattr(doubling, "pair", noted)
    assert len(computed(*terms)) == offset(terms.stop) - offset(terms.start)
    assert asked == pairs


def test_memory_does_not_grow_with_the_span() -> None:
    for piece in compute.compute_terms(Span(50_000, 53_000)):
        assert len(piece) <= compute.PIECE_BYTES + 4 * 12_000


def test_a_wrong_sum_is_found_and_its_piece_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fast doubling is made to start one term late, and addition goes on from there."""
    right = doubling.pair
    monkeypatch.setattr(doubling, "pair", lambda n: right(n + (n < 2000)))
    pieces = compute.compute_terms(Span(1500, 2100))
    with pytest.raises(SumMismatch, match="term 2,098"):
        list(pieces)


def test_the_last_term_ends_where_the_layout_says() -> None:
    assert len(computed(30_000, 30_050)) == offset(30_050) - offset(30_000)
    assert adder.READ_BEFORE_BYTES == 64
