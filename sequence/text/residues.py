"""The terms of a window modulo a number, in any format, computed as they are sent."""

from collections.abc import Iterator
from itertools import chain

from sequence.text import facts
from sequence.text.format import NUMBER, Format
from sequence.text.span import Span

MAX_MODULUS = 2**128

CHUNK_TERMS = 4096
"""About 160 KB at most, in some 2 ms."""


def render(format: Format, terms: Span, modulus: int) -> Iterator[bytes]:
    """The residues of the terms in the format, with its header, in chunks of whole terms.

    A residue is plain decimal, from 0 to modulus - 1, and stands where the digits of the term
    stand in the format. Takes two doublings to begin, and an addition a term.
    """
    if format.header:
        yield format.header
    each = (format.before + b"%d" + format.after).decode()
    is_numbered = NUMBER in format.before
    a, b = (facts.residue(n, modulus) for n in (terms.start, terms.start + 1))
    for start in range(terms.start, terms.stop, CHUNK_TERMS):
        numbers = range(start, min(start + CHUNK_TERMS, terms.stop))
        residues = []
        for _ in numbers:
            residues.append(a)
            a, b = b, a + b
            if b >= modulus:
                b -= modulus
        # One operation writes them all.
        pairs = zip(numbers, residues, strict=True)
        values = chain.from_iterable(pairs) if is_numbered else residues
        yield (each * len(numbers) % tuple(values)).encode()
