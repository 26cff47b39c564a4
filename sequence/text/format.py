"""The formats: what stands before and after the digits of each term (docs/text-format.md, 5)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sequence.text.layout import digit_count, offset

LONG_DIGITS = 1000
"""From about so many digits on a view of them is faster than a copy."""

NUMBER = b"%d"
"""Where a format says the number of a term."""


@dataclass(frozen=True)
class Format:
    """A way to write terms: `before`, in which NUMBER stands for n, the digits, and `after`."""

    name: str
    media_type: str
    extension: str
    """Of its files; no two formats share one."""
    after: bytes
    before: bytes = b""
    header: bytes = b""

    @property
    def is_text(self) -> bool:
        """Whether it is the text itself: any bytes of the text stay as they are."""
        return not self.before and self.after == b" "

    def offset(self, n: int) -> int:
        """Return the bytes before term n, without the header; exact if `layout.offset` is."""
        return offset(n) - n + self.frame_bytes(n)

    def frame_bytes(self, n: int) -> int:
        """Return how many bytes the terms before n take besides their digits."""
        literal_bytes = len(self.before.replace(NUMBER, b"")) + len(self.after)
        return n * literal_bytes + (numerals_bytes(n) if self._numbered else 0)

    def lead(self, n: int) -> bytes:
        """Return what stands before the digits of term n."""
        return self.before % n if self._numbered else self.before

    def render(self, chunks: Iterator[bytes], n: int) -> Iterator[bytes]:
        """Yield chunks of the text in this format, from the digits of term n on.

        Each space of the text becomes what stands between the digits of two terms.
        """
        for chunk in chunks:
            # Only the chunk is held while its rendered form is sent.
            yield self._rendered(chunk, n)
            n += chunk.count(b" ")

    def _rendered(self, chunk: bytes, n: int) -> bytes:
        """Return one chunk in this format; it may begin and end anywhere, and begins in term n."""
        between = self.after + self.before
        if not self._numbered:
            return chunk if self.is_text else chunk.replace(b" ", between)
        long = digit_count(n) >= LONG_DIGITS
        digits = _views(chunk) if long else chunk.split(b" ")
        parts: list[bytes | memoryview] = [b""] * (2 * len(digits) - 1)
        parts[::2] = digits
        parts[1::2] = [between % number for number in range(n + 1, n + len(digits))]
        return b"".join(parts)

    @property
    def _numbered(self) -> bool:
        return NUMBER in self.before


def _views(chunk: bytes) -> Sequence[memoryview]:
    """Return what `chunk.split(b" ")` returns, as views of it."""
    view, start, parts = memoryview(chunk), 0, []
    while (stop := chunk.find(b" ", start)) >= 0:
        parts.append(view[start:stop])
        start = stop + 1
    return [*parts, view[start:]]


def numerals_bytes(n: int) -> int:
    """Return how many digits the numbers 0 … n-1 have together."""
    # Each has one digit, and one more for every power of ten that it reaches.
    powers = (int(10**k) for k in range(1, len(str(n))))
    return n + sum(n - power for power in powers)


PLAIN = "text/plain; charset=utf-8"

FORMATS = {
    format.name: format
    for format in (
        Format("text", PLAIN, "txt", after=b" "),
        Format("lines", PLAIN, "lines.txt", after=b"\n"),
        # https://oeis.org/SubmitB.html
        Format("bfile", PLAIN, "bfile.txt", before=b"%d ", after=b"\n"),
        # https://jsonlines.org; the values are strings, as few readers keep long numbers exact.
        Format(
            "jsonl", "application/jsonl", "jsonl", before=b'{"n": %d, "value": "', after=b'"}\n'
        ),
        # RFC 4180, section 2.
        Format(
            "csv",
            "text/csv; charset=utf-8; header=present",
            "csv",
            header=b"n,value\r\n",
            before=b"%d,",
            after=b"\r\n",
        ),
    )
}
"""By name, the default first."""
