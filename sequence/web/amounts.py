"""Amounts as people say them: bytes, seconds, metres."""

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", "RB", "QB")
BITS_PER_SECOND = 100_000_000
"""Of the connection by which the pages say how long a download takes."""
DAY_MIN = 24 * 60
YEAR_S = 31_556_952
"""A mean Gregorian year."""
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

METRES_PER_DIGIT = 0.0025
"""As in a book."""


def size(length_bytes: int) -> str:
    """Return so many bytes in decimal units, rounded to three figures."""
    unit = 0
    while unit < len(UNITS) - 1 and length_bytes >= 999.5 * 1000**unit:
        unit += 1
    return f"{_figures(length_bytes / 1000**unit)} {UNITS[unit]}"


def transfer(length_bytes: int) -> str:
    """Return how long so many bytes take at 100 Mbit/s."""
    return duration(8 * length_bytes / BITS_PER_SECOND)


def duration(seconds: float) -> str:
    """Return a time in its two largest units, rounded."""
    if seconds < 1:
        return "less than a second"
    if (whole := round(seconds)) < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if (minutes := round(seconds / 60)) < 2 * DAY_MIN:
        return f"{minutes // 60} h {minutes % 60} min"
    if seconds < 2 * YEAR_S:
        return f"{round(minutes / DAY_MIN):,} days"
    return f"{large(seconds / YEAR_S)} years"


def paper(digits: int) -> str:
    """Return how long a line of so many digits is on paper."""
    metres = METRES_PER_DIGIT * digits
    if metres < 1:
        return f"{_figures(100 * metres)} cm"
    return f"{_figures(metres)} m" if metres < 999.5 else f"{large(metres / 1000)} km"


def large(number: float) -> str:
    """Return a number in three figures: 26.4, 8,350, 265 billion or 2.65 × 10²⁰."""
    if number >= 0.9995e15:
        figures, _, exponent = f"{number:.2e}".partition("e+")
        return f"{figures} × {power(10, int(exponent))}"
    for name, unit in (("trillion", 1e12), ("billion", 1e9), ("million", 1e6)):
        if number >= 0.9995 * unit:
            return f"{_figures(number / unit)} {name}"
    return _figures(number)


def power(base: int, exponent: int) -> str:
    """Return a power as it is written: 10²⁰."""
    return f"{base}{str(exponent).translate(_SUPERSCRIPTS)}"


def _figures(number: float) -> str:
    """Return the number rounded to three figures, or to a whole if it has more."""
    if number >= 1000:
        digits = len(str(int(number))) - 3
        return f"{round(number, -digits):,.0f}"
    return f"{number:.3g}" if number < 999.5 else "1,000"
