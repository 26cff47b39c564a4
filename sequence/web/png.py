"""Pictures in a few colours, written as PNG (RFC 2083)."""

import struct
import zlib
from dataclasses import dataclass, field

from sequence.web.strokes import LEVELS, LINES, Point, advance, ascent, chord, covered, glyph

Colour = tuple[int, int, int]

PNG = "image/png"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
PEN = 12
"""The width of the pen, in hundredths of the height of a capital."""


@dataclass
class Picture:
    """Rows of pixels, each a number of a colour; strokes in one of the inks are drawn on it.

    Ink k has the colours from `LEVELS`·k on: from the paper's to its own.
    """

    width: int
    height: int
    paper: Colour
    inks: list[Colour]
    rows: list[bytearray] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [bytearray(self.width) for _ in range(self.height)]
        # What shifts the levels of coverage to the colours of an ink.
        self.shifts = [
            bytes((level + LEVELS * ink if level else 0) % 256 for level in range(256))
            for ink in range(len(self.inks))
        ]

    def digits(self, text: str, left: int, base: int, cell: tuple[int, int], inks: bytes) -> None:
        """Write digits in cells of a width, as high as said, each in its ink."""
        width, height = cell
        cells = [
            [row.translate(self.shifts[ink]) for row in glyph(digit, height, width, PEN).rows]
            for digit, ink in zip(text, inks, strict=True)
        ]
        self._paste([b"".join(row) for row in zip(*cells, strict=True)], left, base, height)

    def words(self, text: str, left: int, base: int, height: int, ink: int) -> int:
        """Write words with capitals so many pixels high; return where they end."""
        for letter in text:
            width = round(advance(letter) * height / 100)
            rows = glyph(letter, height, width, PEN).rows
            self._paste([row.translate(self.shifts[ink]) for row in rows], left, base, height)
            left += width
        return left

    def line(self, start: Point, stop: Point, pen: float, ink: int) -> None:
        """Draw a straight line over what there is, y being downwards."""
        across = chord(start, stop, pen / 2)
        for number, row in enumerate(self.rows):
            parts = [across(number + (part + 0.5) / LINES) for part in range(LINES)]
            if found := [part for part in parts if part]:
                left = max(int(min(part[0] for part in found)), 0)
                width = int(max(part[1] for part in found)) + 1 - left
                levels = covered([[(x - left, to - left)] for x, to in found], width)
                row[left : left + width] = levels.translate(self.shifts[ink])

    def written(self) -> bytes:
        """Return the picture as PNG."""
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        # Each row says first that it is not filtered: that packs flat colours best. Level 4 takes a
        # third of the time of 6, and a tenth more bytes.
        content = zlib.compress(b"".join(b"\0" + row for row in self.rows), 4)
        chunks = ((b"IHDR", header), (b"PLTE", self._palette()), (b"IDAT", content), (b"IEND", b""))
        return SIGNATURE + b"".join(_chunk(*chunk) for chunk in chunks)

    def _paste(self, rows: list[bytes], left: int, base: int, height: int) -> None:
        for number, row in enumerate(rows, base - ascent(height)):
            if any(row):  # what is blank may lie over another line's letters
                self.rows[number][left : left + len(row)] = row

    def _palette(self) -> bytes:
        return bytes(
            round(paper + (full - paper) * level / (LEVELS - 1))
            for ink in self.inks
            for level in range(LEVELS)
            for paper, full in zip(self.paper, ink, strict=True)
        )


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
