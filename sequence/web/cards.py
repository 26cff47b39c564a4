"""Pictures for those who preview a link (https://ogp.me): a term's digits, or rows of terms."""

from dataclasses import dataclass
from functools import cache

from sequence.text import facts
from sequence.text.layout import digit_count
from sequence.web import drawing
from sequence.web.png import Colour, Picture
from sequence.web.strokes import advance

WIDTH, HEIGHT = 1200, 630
MARGIN = 60

PAPER: Colour = (16, 24, 27)
WHITE, QUIET, LAW = 0, 1, 2
WORDS: list[Colour] = [(238, 243, 244), (163, 176, 179), (255, 154, 143)]
"""The inks of words and of the edge."""
ACCENT: Colour = (108, 199, 209)
SHADES = 6
"""Of digits, from faint to bright: more of them weigh more."""

FRONT_STEP, FRONT_ROWS = 14, 21
FRONT_LEFT, FRONT_TOP, FRONT_CELL, FRONT_PITCH = 44, 64, (18, 20), 27

AREA, AREA_TOP = (WIDTH - 2 * MARGIN, 344), 204
"""For the digits of a term."""
PITCHES = range(200, 24, -2)
"""From line to line of a term's digits: the largest with which it has room, or else the last."""


@dataclass(frozen=True)
class Block:
    """How so many digits are written: in how many lines, and how large."""

    count: int
    pitch: int

    @property
    def width(self) -> int:
        """Return the width of a digit."""
        return self.pitch * 62 // 100

    @property
    def height(self) -> int:
        """Return the height of a digit."""
        return self.width

    @property
    def columns(self) -> int:
        """Return how many digits a line has."""
        return AREA[0] // self.width

    @property
    def has_room(self) -> bool:
        """Return whether all digits are written."""
        return self.count <= AREA[1] // self.pitch * self.columns

    @property
    def half(self) -> int:
        """Return how many lines are written from each end, if not all are."""
        return (AREA[1] // self.pitch - 1) // 2

    @property
    def bases(self) -> list[int]:
        """Return the base of each line, with one between the ends; as a whole they are centred."""
        lines = -(-self.count // self.columns) if self.has_room else 2 * self.half + 1
        top = AREA_TOP + (AREA[1] - lines * self.pitch) // 2
        return [top + line * self.pitch + (self.pitch + self.height) // 2 for line in range(lines)]


def block(count: int) -> Block:
    """Return how so many digits are written, as large as there is room for."""
    blocks = [Block(count, pitch) for pitch in PITCHES]
    return next((block for block in blocks if block.has_room), blocks[-1])


@cache
def front() -> bytes:
    """Return the picture of the service: rows of digits whose edge is log10 φ."""
    picture = _empty()
    rows = drawing.every(FRONT_STEP, FRONT_ROWS)
    for number, (_, digits) in enumerate(rows):
        inks = bytes(_ink((at + 1) / len(digits)) for at in range(len(digits)))
        base = FRONT_TOP + number * FRONT_PITCH
        picture.digits(digits, FRONT_LEFT, base, FRONT_CELL, inks)
    # At the tops of the rows, so that it touches no digit.
    start, stop = (
        (
            FRONT_LEFT + FRONT_CELL[0] * drawing.real_digits(rows[number][0]),
            FRONT_TOP + (number - 1) * FRONT_PITCH + 2,
        )
        for number in (0, FRONT_ROWS - 1)
    )
    picture.line(start, stop, 3, LAW)
    _right_aligned(picture, "The Fibonacci numbers,", 110, 46, WHITE)
    _right_aligned(picture, "exactly", 190, 46, WHITE)
    _right_aligned(picture, "FiboService", 254, 24, QUIET)
    return picture.written()


def term(n: int) -> bytes:
    """Return the picture of F(n), n up to MAX_N: all its digits, or those from both ends."""
    picture = _empty()
    count = digit_count(n)
    name = f"F({n:,})"
    height = next(height for height in range(64, 20, -2) if _width(name, height) <= AREA[0])
    picture.words(name, MARGIN - height // 8, 104, height, WHITE)
    picture.words(f"{count:,} digit{'s' * (count > 1)}", MARGIN - 3, 162, 28, QUIET)
    if block(count).has_room:
        _write_all(picture, n, block(count))
    else:
        _write_ends(picture, n, block(count))
    _right_aligned(picture, "FiboService", HEIGHT - 36, 24, QUIET)
    return picture.written()


def _write_all(picture: Picture, n: int, block: Block) -> None:
    for base, digits in zip(
        block.bases, _lines(facts.first_digits(n, block.count), block), strict=True
    ):
        _write(picture, digits, base, block, 1)


def _write_ends(picture: Picture, n: int, block: Block) -> None:
    """Write the lines from both ends, which fade to what is left out between them."""
    count = block.half * block.columns
    first, last = (_lines(end(n, count), block) for end in (facts.first_digits, facts.last_digits))
    *above, between = block.bases[: block.half + 1]
    below = block.bases[block.half + 1 :]
    for line in range(block.half):
        shade = 1 - line / block.half
        _write(picture, first[line], above[line], block, shade)
        _write(picture, last[-1 - line], below[-1 - line], block, shade)
    hidden = f"{block.count - 2 * count:,} more digits"
    picture.words(hidden, MARGIN, between, block.height, QUIET)


def _write(picture: Picture, digits: str, base: int, block: Block, shade: float) -> None:
    inks = bytes([_ink(shade)]) * len(digits)
    picture.digits(digits, MARGIN, base, (block.width, block.height), inks)


def _lines(digits: str, block: Block) -> list[str]:
    return [digits[at : at + block.columns] for at in range(0, len(digits), block.columns)]


def _empty() -> Picture:
    parts = [0.25 + 0.75 * shade / (SHADES - 1) for shade in range(SHADES)]
    return Picture(WIDTH, HEIGHT, PAPER, [*WORDS, *(_mixed(part) for part in parts)])


def _mixed(part: float) -> Colour:
    """Return the paper's colour with so much of the accent's."""
    red, green, blue = (
        round(paper + (accent - paper) * part) for paper, accent in zip(PAPER, ACCENT, strict=True)
    )
    return red, green, blue


def _ink(part: float) -> int:
    """Return the ink of a digit, from 0 for the faintest to 1."""
    return len(WORDS) + round(part * (SHADES - 1))


def _width(words: str, height: int) -> int:
    return sum(round(advance(letter) * height / 100) for letter in words)


def _right_aligned(picture: Picture, words: str, base: int, height: int, ink: int) -> None:
    picture.words(words, WIDTH - MARGIN - _width(words, height), base, height, ink)
