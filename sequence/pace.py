"""Tells whether segments that lie beyond this host are sooner fetched or computed."""

from collections.abc import Iterable, Iterator
from itertools import count
from math import inf
from time import perf_counter

from sequence import conf
from sequence.text.span import Piece

HALF_LIFE_BYTES = 256 * 1024 * 1024
"""After so many bytes what was measured before counts half."""

TRIED_EVERY = 16
"""One copy in so many comes from the slower source, which may have become the faster one."""


class Pace:
    """How long a byte takes from one source, of late."""

    def __init__(self) -> None:
        self._seconds = self._bytes = 0.0

    @property
    def seconds_a_byte(self) -> float:
        """Infinite as long as nothing has come from there."""
        return self._seconds / self._bytes if self._bytes else inf

    def timed(self, chunks: Iterable[Piece]) -> Iterator[Piece]:
        """The chunks; how long they take to come is noted, and not how long they are used."""
        source, seconds, length = iter(chunks), 0.0, 0
        try:
            while True:
                began = perf_counter()
                chunk = next(source, None)
                seconds += perf_counter() - began
                if chunk is None:
                    return
                length += len(chunk)
                yield chunk
        finally:
            kept = 0.5 ** (length / HALF_LIFE_BYTES)
            self._seconds = self._seconds * kept + seconds
            self._bytes = self._bytes * kept + length


fetching, computing = Pace(), Pace()

_copies = count(1)


def is_fetched() -> bool:
    """Whether what a client waits for is to be fetched, as that has been faster than to compute."""
    if conf.fetch() == conf.AUTO:
        return fetching.seconds_a_byte < computing.seconds_a_byte
    return conf.fetch() == conf.ALWAYS


def copy_is_fetched() -> bool:
    """Whether the next copy is to be fetched: no client waits for it, so that both are tried."""
    tried = conf.fetch() == conf.AUTO and next(_copies) % TRIED_EVERY == 0
    return is_fetched() != tried
