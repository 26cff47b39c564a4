"""Range headers as long as gunicorn lets a field be, made to cost much (HOSTILE 14)."""

from collections.abc import Sequence

from sequence.errors import RangeNotSatisfiable

FIELD_BYTES = 8190
LENGTH = 1_045_042_806
"""Of the text of 100,000 terms."""

REFUSED = RangeNotSatisfiable

Outcome = Sequence[tuple[int, int]] | type[RangeNotSatisfiable] | None
"""The spans, half-open; None for the whole; or the error."""

ROOM = FIELD_BYTES - len("bytes=")
WHOLE = [(0, LENGTH)]
FIRST_BYTE = [(0, 1)]
ONE_BYTE_EACH = [(n, n + 1) for n in range(16)]


def filled(pattern: str, before: str = "bytes=", after: str = "") -> str:
    """A header that repeats the pattern for as long as there is room."""
    room = FIELD_BYTES - len(before) - len(after)
    return before + (pattern * room)[:room] + after


WORST: dict[str, tuple[str, Outcome]] = {
    "2,728 open ranges": (filled("0-,"), REFUSED),
    "2,728 suffixes": (filled("-1,"), REFUSED),
    "2,046 ranges of a byte": (filled("0-0,"), REFUSED),
    "first position of 8,183 digits": (filled("9", after="-"), REFUSED),
    "last position of 8,182 digits": (filled("9", "bytes=0-"), WHOLE),
    "suffix of 8,183 digits": (filled("9", "bytes=-"), WHOLE),
    "suffix of 8,183 noughts": (filled("0", "bytes=-"), REFUSED),
    "inverted in the last of 4,091 digits": (
        f"bytes={'9' * 4091}-{'9' * 4090}8".ljust(FIELD_BYTES),
        REFUSED,
    ),
    "4,091 leading noughts on both sides": (
        f"bytes={'0' * 4091}-{'0' * 4091}".ljust(FIELD_BYTES),
        FIRST_BYTE,
    ),
    "16 ranges of 500 digits, all there": (
        ("bytes=" + ",".join(f"{n:0250}-{n:0250}" for n in range(16))).ljust(FIELD_BYTES),
        ONE_BYTE_EACH,
    ),
    "16 ranges of 500 digits, none there": (
        ("bytes=" + ",".join([f"{'9' * 250}-{'9' * 250}"] * 16)).ljust(FIELD_BYTES),
        REFUSED,
    ),
    "16 ranges of 500 digits, more than there is": (
        ("bytes=" + ",".join([f"{'0' * 250}-{'9' * 250}"] * 16)).ljust(FIELD_BYTES),
        None,
    ),
    "16 ranges of 500 digits, the last inverted": (
        f"bytes={f'{0:0250}-{0:0250},' * 15}{'9' * 250}-{'9' * 249}8".ljust(FIELD_BYTES),
        REFUSED,
    ),
    "16 ranges between runs of 500 spaces": (
        ("bytes=" + ",".join(f"{f'{n}-{n}':^506}" for n in range(16))).ljust(FIELD_BYTES),
        ONE_BYTE_EACH,
    ),
    "16 ranges between 16 empty elements": (
        ("bytes=" + ", ,".join(f"{n}-{n}" for n in range(16))).ljust(FIELD_BYTES),
        ONE_BYTE_EACH,
    ),
    "commas": (filled(","), REFUSED),
    # Section 5.6.1.2: of empty elements no more than a reasonable number need be skipped.
    "commas, then a range": (filled(",", after="0-0"), REFUSED),
    "commas and spaces in turn": (filled(" ,"), REFUSED),
    "spaces": (filled(" "), REFUSED),
    "spaces and tabs, then a range": (filled(" \t", after="0-0"), FIRST_BYTE),
    "spaces, then a letter": (filled(" ", after="x"), REFUSED),
    "spaces inside of a range": (filled(" ", "bytes=0-", after="0"), REFUSED),
    "dashes": (filled("-"), REFUSED),
    "digits and dashes in turn": (filled("0-"), REFUSED),
    "digits without a dash": (filled("9"), REFUSED),
    "digits, then a letter": (filled("9", "bytes=0-", after="x"), REFUSED),
    "digits beyond ASCII": (filled("\xb2", "bytes=0-"), REFUSED),
    "line feeds after a range": (filled("\n", "bytes=0-0"), REFUSED),
    "the unit over and over": (filled("bytes=", ""), REFUSED),
    "the unit without its sign over and over": (filled("bytes", ""), REFUSED),
    "equals signs": (filled("=", ""), REFUSED),
    "another unit of 8,189 letters": (filled("x", "", "="), None),
    "another unit with commas": (filled("0-0,", "items="), None),
    "spaces before the equals sign": (filled(" ", "bytes", "=0-0"), REFUSED),
}
