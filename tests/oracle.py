"""The text as it is defined, slowly and obviously, with Python's integers."""

import sys
from collections.abc import Iterator
from functools import cache
from itertools import islice

sys.set_int_max_str_digits(0)


def fibonacci() -> Iterator[int]:
    """F(0), F(1), F(2) …"""
    a, b = 0, 1
    while True:
        yield a
        a, b = b, a + b


@cache
def terms(count: int) -> tuple[bytes, ...]:
    """The text of each of the first terms."""
    return tuple(b"%d " % number for number in islice(fibonacci(), count))


def text(start: int, stop: int) -> bytes:
    """The text of the terms from `start` up to `stop`."""
    return b"".join(terms(stop)[start:])
