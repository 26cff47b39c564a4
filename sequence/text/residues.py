"""The terms of a window modulo a number, in any format, computed as they are sent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain

from sequence.text import facts
from sequence.text.format import NUMBER, Format
from sequence.text.representation import Formatted, file_name
from sequence.text.span import Span, cut

MAX_MODULUS = 2**128

MAX_COUNTED = 100_000
"""Of up to so many residues the length is known before they are sent: they are computed twice, in
some 0.03 s each time. Memory would hold them for each client that reads slowly."""

CHUNK_TERMS = 4096
"""About 160 KB at most, in some 2 ms."""


@dataclass(frozen=True)
class Residues(Formatted):
    """The terms modulo the number: each stands where its digits would, in plain decimal."""

    format: Format
    terms: Span
    modulus: int

    @property
    def file_name(self) -> str:
        """The name for a download, which no other representation has."""
        return file_name(self.terms, f"mod-{self.modulus}.{self.format.extension}")

    @property
    def key(self) -> tuple[object, ...]:
        """All facts that the bytes depend on."""
        return (self.terms.start, self.terms.stop, self.format.name, f"mod-{self.modulus}")

    @property
    def length(self) -> int | None:
        """How many bytes there are; None for more than MAX_COUNTED terms."""
        return _ends(self)[-1] if self.has_codings else None

    @property
    def has_codings(self) -> bool:
        """Whether they are coded: the codings need the length."""
        return self.terms.length <= MAX_COUNTED

    @property
    def digit_count(self) -> int:
        """How many digits the residues of up to MAX_COUNTED terms have together."""
        start, stop = map(self.format.frame_bytes, self.terms)
        return _ends(self)[-1] - len(self.format.header) - (stop - start)

    def chunks(self, span: Span) -> Iterator[bytes]:
        """Yield the bytes of the span, in chunks of whole terms but for its ends."""
        if not span.start:
            return cut(self.rendered(0), 0, span)
        ends = _ends(self)
        first = sum(end <= span.start for end in ends[1:])
        return cut(self.rendered(first), ends[first], span)

    def rendered(self, first: int) -> Iterator[bytes]:
        """Yield the chunks from this one on. The first of all is the header, which may be empty.

        Takes two doublings to begin, and an addition a term.
        """
        if not first:
            yield self.format.header
        begin = self.terms.start + max(first - 1, 0) * CHUNK_TERMS
        pair = facts.residue(begin, self.modulus), facts.residue(begin + 1, self.modulus)
        for start in range(begin, self.terms.stop, CHUNK_TERMS):
            terms = Span(start, min(start + CHUNK_TERMS, self.terms.stop))
            chunk, pair = self._chunk(terms, *pair)
            yield chunk

    def _chunk(self, terms: Span, a: int, b: int) -> tuple[bytes, tuple[int, int]]:
        """Return the residues, of which the first two are given, and the next two."""
        residues = []
        for _ in range(terms.length):
            residues.append(a)
            a, b = b, a + b
            if b >= self.modulus:
                b -= self.modulus
        each = (self.format.before + b"%d" + self.format.after).decode()
        values: Iterable[int] = residues
        if NUMBER in self.format.before:
            values = chain.from_iterable(zip(range(*terms), residues, strict=True))
        # One operation writes them all.
        return (each * terms.length % tuple(values)).encode(), (a, b)


@lru_cache(maxsize=64)
def _ends(residues: Residues) -> list[int]:
    """Return the bytes before each chunk, and those of all, from the header on."""
    return list(accumulate(map(len, residues.rendered(0)), initial=0))
