"""The terms of a window modulo a number, in any format, computed as they are sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
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
        return self._ends[-1] if self.has_codings else None

    @property
    def has_codings(self) -> bool:
        """Whether they are coded: the codings need the length."""
        return self.terms.length <= MAX_COUNTED

    @property
    def digit_count(self) -> int:
        """How many digits the residues of up to MAX_COUNTED terms have together."""
        start, stop = map(self.format.frame_bytes, self.terms)
        return self._ends[-1] - len(self.format.header) - (stop - start)

    def chunks(self, span: Span) -> Iterator[bytes]:
        """Yield the bytes of the span, in chunks of whole terms but for its ends."""
        if not span.start:
            return cut(self._rendered(0), 0, span)
        first = sum(end <= span.start for end in self._ends[1:])
        return cut(self._rendered(first), self._ends[first], span)

    @cached_property
    def _ends(self) -> list[int]:
        """How many bytes stand before each chunk, and how many there are, from the header on."""
        return list(accumulate(map(len, self._rendered(0)), initial=0))

    def _rendered(self, first: int) -> Iterator[bytes]:
        """Yield the chunks from this one on. The first of all is the header, which may be empty.

        Takes two doublings to begin, and an addition a term.
        """
        if not first:
            yield self.format.header
        begin = self.terms.start + max(first - 1, 0) * CHUNK_TERMS
        each = (self.format.before + b"%d" + self.format.after).decode()
        is_numbered = NUMBER in self.format.before
        a, b = (facts.residue(n, self.modulus) for n in (begin, begin + 1))
        for start in range(begin, self.terms.stop, CHUNK_TERMS):
            numbers = range(start, min(start + CHUNK_TERMS, self.terms.stop))
            residues = []
            for _ in numbers:
                residues.append(a)
                a, b = b, a + b
                if b >= self.modulus:
                    b -= self.modulus
            # One operation writes them all.
            pairs = zip(numbers, residues, strict=True)
            values = chain.from_iterable(pairs) if is_numbered else residues
            yield (each * len(numbers) % tuple(values)).encode()
