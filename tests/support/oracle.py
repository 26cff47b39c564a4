"""The text as it is defined, slowly and obviously, with Python's integers."""

import sys
from collections.abc import Iterator
from functools import cache
from itertools import islice

sys.set_int_max_str_digits(0)

# Each format as the documentation says it, one term at a time.
WRITTEN = {
    "text": "{value} ",
    "lines": "{value}\n",
    "bfile": "{n} {value}\n",
    "jsonl": '{{"n": {n}, "value": "{value}"}}\n',
    "csv": "{n},{value}\r\n",
}
HEADERS = {"csv": "n,value\r\n"}


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


def written(format: str, start: int, stop: int) -> bytes:
    """The terms from `start` up to `stop` in that format, term by term."""
    known = terms(-(-stop // 1000) * 1000)  # a round number, as each is found anew
    lines = [
        WRITTEN[format].format(n=n, value=known[n].decode().rstrip()) for n in range(start, stop)
    ]
    return (HEADERS.get(format, "") + "".join(lines)).encode()
