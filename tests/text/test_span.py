from hypothesis import given
from hypothesis import strategies as st

from sequence.text.span import Span

SPANS = st.builds(Span, st.integers(0, 50), st.integers(0, 50))


def members(span: Span) -> set[int]:
    return set(range(span.start, span.stop))


@given(SPANS)
def test_length_is_how_many_it_holds(span: Span) -> None:
    assert span.length == len(members(span))


@given(SPANS, SPANS)
def test_within_is_what_both_hold(a: Span, b: Span) -> None:
    assert members(a.within(b)) == members(a) & members(b)


@given(SPANS, st.integers(0, 50))
def test_less_moves_the_origin(span: Span, origin: int) -> None:
    assert members(span.less(origin)) == {n - origin for n in members(span)}
