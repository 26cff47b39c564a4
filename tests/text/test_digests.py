"""The digest lines against hashlib, term by term, and against sha256sum."""

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.text import compute, digests
from sequence.text.digests import Digests
from sequence.text.layout import MAX_N
from sequence.text.span import Span
from tests.support import oracle

TERMS = 1200
LINES = [
    f"{sha256(term.rstrip()).hexdigest()}  F({n})\n".encode()
    for n, term in enumerate(oracle.terms(TERMS))
]


@given(st.integers(0, TERMS), st.integers(0, 100), st.sampled_from([1, 1000, 10**6]))
def test_any_window_is_that_of_the_terms(start: int, count: int, piece_bytes: int) -> None:
    window = Span(start, min(start + count, TERMS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digests, "PIECE_BYTES", piece_bytes)
        found = b"".join(digests._lines(window))
    assert found == b"".join(LINES[start : start + count])
    assert len(found) == Digests(window).length


@given(st.integers(0, TERMS - 1), st.integers(1, 60), st.data())
def test_any_bytes_of_a_window_are_found(start: int, count: int, data: st.DataObject) -> None:
    whole = b"".join(LINES[start : start + count])
    first = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(first, len(whole)))
    window = Span(start, min(start + count, TERMS))
    found = b"".join(Digests(window).chunks(Span(first, stop)))
    assert found == whole[first:stop]


@given(st.integers(0, MAX_N - 1))
def test_a_line_takes_the_digits_of_its_number_and_70_bytes(n: int) -> None:
    assert digests.offset(n + 1) - digests.offset(n) == 70 + len(str(n))
    assert digests._term_at(digests.offset(n)) == n
    assert digests._term_at(digests.offset(n + 1) - 1) == n


def test_no_more_terms_are_computed_than_the_bytes_need(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Span] = []
    right = compute.compute_terms

    def noted(terms: Span, piece_bytes: int) -> object:
        asked.append(terms)
        return right(terms, piece_bytes)

    monkeypatch.setattr("sequence.text.digests.compute_terms", noted)
    start = digests.offset(500)
    assert b"".join(Digests(Span(0, TERMS)).chunks(Span(start, start + 1))) == LINES[500][:1]
    assert asked == [Span(500, 501)]


def test_sha256sum_accepts_the_lines(tmp_path: Path) -> None:
    for n in range(100):
        (tmp_path / f"F({n})").write_bytes(oracle.terms(100)[n].rstrip())
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet"],  # noqa: S607
        input=b"".join(digests._lines(Span(0, 100))),
        cwd=tmp_path,
        check=True,
    )
