"""The pictures of terms: read back, digit by digit, from their pixels."""

import struct
import zlib
from time import process_time

import pytest
from django.test import Client

from sequence.text import facts
from sequence.text.layout import MAX_N, digit_count
from sequence.web import cards, png, strokes
from tests.support import oracle

Chunks = dict[bytes, bytes]


def chunks(picture: bytes) -> Chunks:
    """The chunks of a PNG by name; checks each one's length and CRC."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = {}, 8
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        content = picture[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + content) == int.from_bytes(picture[at + 8 + length :][:4], "big")
        found[kind] = content
        at += length + 12
    assert list(found) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    return found


def pixels(picture: bytes) -> list[bytes]:
    """The rows of a PNG of 8 bits a pixel, none of them filtered."""
    found = chunks(picture)
    width, height, *kind = struct.unpack(">IIBBBBB", found[b"IHDR"])
    assert (width, height, kind) == (1200, 630, [8, 3, 0, 0, 0])
    content = zlib.decompress(found[b"IDAT"])
    rows = [content[start : start + width + 1] for start in range(0, len(content), width + 1)]
    assert len(rows) == height
    assert {row[0] for row in rows} == {0}
    assert max(max(row[1:]) for row in rows) < len(found[b"PLTE"]) // 3
    return [row[1:] for row in rows]


def read(rows: list[bytes], left: int, base: int, width: int, height: int) -> str:
    """The digits that are written from a place on, by comparing each cell with each digit."""
    known = {}
    for digit in "0123456789":
        shape = strokes.glyph(digit, height, width, png.PEN).rows
        known[tuple(row for row in shape if any(row))] = digit
    top = base - strokes.ascent(height)
    lines = rows[top : top + len(strokes.glyph("0", height, width, png.PEN).rows)]
    found = ""
    for start in range(left, cards.WIDTH - width, width):
        cell = [bytes(level % 16 for level in line[start : start + width]) for line in lines]
        cell = cell[: strokes.ascent(height) + height // 8]  # the next line begins below
        found += known.get(tuple(row for row in cell if any(row)), "")
    return found


@pytest.mark.parametrize("n", [0, 1, 2, 12, 20, 50, 90, 100, 123, 200, 300, 500, 777, 1000, 2999])
def test_every_digit_of_a_term_is_in_its_picture(n: int) -> None:
    digits = oracle.terms(3000)[n].strip().decode()
    rows = pixels(cards.term(n))
    block = cards.block(len(digits))
    found = "".join(
        read(rows, cards.MARGIN, base, block.width, block.height) for base in block.bases
    )
    assert found == digits


@pytest.mark.parametrize("n", [5000, 10**6, MAX_N])
def test_a_long_term_has_as_many_digits_from_each_end(n: int) -> None:
    rows = pixels(cards.term(n))
    block = cards.block(digit_count(n))
    first, last = (
        "".join(read(rows, cards.MARGIN, base, block.width, block.height) for base in bases)
        for bases in (block.bases[: block.half], block.bases[block.half + 1 :])
    )
    assert len(first) == len(last) == block.half * block.columns > 300
    assert first == facts.first_digits(n, len(first))
    assert last == facts.last_digits(n, len(last))


@pytest.mark.parametrize("count", [1, 2, 10, 100, 500, 800, 900, 10**6, 10**17])
def test_the_digits_stay_within_their_area(count: int) -> None:
    block = cards.block(count)
    assert block.columns * block.width <= cards.AREA[0]
    assert block.bases[0] - block.height >= cards.AREA_TOP
    assert block.bases[-1] <= cards.AREA_TOP + cards.AREA[1]


def test_the_picture_of_the_service_has_the_rows_of_the_drawing() -> None:
    rows = pixels(cards.front())
    width, height = cards.FRONT_CELL
    for number in range(cards.FRONT_ROWS):
        base = cards.FRONT_TOP + number * cards.FRONT_PITCH
        digits = oracle.terms(3000)[cards.FRONT_STEP * (number + 1)].strip().decode()
        # Words stand to the right of the upper rows.
        assert read(rows, cards.FRONT_LEFT, base, width, height)[: len(digits)] == digits


@pytest.mark.parametrize("n", [None, 0, 1000, MAX_N])
def test_a_picture_weighs_little_and_takes_little_time(n: int | None) -> None:
    def made() -> bytes:
        return cards.front() if n is None else cards.term(n)

    made()
    times = []
    for _ in range(5):
        started = process_time()
        made()
        times.append(process_time() - started)
    assert min(times) < 0.05
    assert len(made()) < 70_000


def test_letters_are_told_apart() -> None:
    shapes = {strokes.glyph(letter, 40, 60, png.PEN).rows for letter in strokes.LETTERS}
    assert len(shapes) == len(strokes.LETTERS)


@pytest.mark.parametrize("height", [9, 20, 64, 124])
def test_coverage_is_the_area_of_the_stroke(height: int) -> None:
    """A bar of the pen is a rectangle and two half circles."""
    start, stop, radius = (20.0, 20.3), (20.0, 20.3 + height), 5.5
    rows = list(strokes.coverage([[start, stop]], radius, 41, height + 41))
    area = sum(map(sum, rows)) / (strokes.LEVELS - 1)
    assert area == pytest.approx(2 * radius * height + 3.14159 * radius**2, rel=0.01)


def test_a_picture_is_answered_as_png_and_revalidated() -> None:
    response = Client().get("/card.png?n=777")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/png"
    assert b"".join(response) == cards.term(777)
    again = Client().get("/card.png?n=777", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("query", ["n=-1", "n=x", f"n={MAX_N + 1}", "m=3", "n=1&n=2"])
def test_a_picture_of_anything_else_is_refused(query: str) -> None:
    assert Client().get(f"/card.png?{query}").status_code == 400
