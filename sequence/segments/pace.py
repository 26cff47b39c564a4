"""Tells whether segments that lie beyond this host are sooner fetched or computed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import count
from time import perf_counter

from sequence import conf
from sequence.text.span import Piece

HALF_LIFE_BYTES = 256 * 1024 * 1024
"""After so many bytes what was measured before counts half."""

TRIED_EVERY = 16
"""One copy in so many comes from the slower source, which may have become the faster one."""


FETCHED_FROM_TERM = 3_000_000
"""From about there on fetching is faster (topic fetch_or_compute: computing takes a third
of its time at a million terms, twice as long at ten). It decides until fetching was measured: no
client is to wait for a silent object store only because the process that it asks is new."""


class Pace:
    """How long a byte takes from one source, of late."""

    def __init__(self) -> None:
        self._seconds = self._bytes = 0.0

    @property
    def seconds_a_byte(self) -> float:
        """Nothing as long as nothing has come from there: so it is tried."""
        return self._seconds / self._bytes if self._bytes else 0.0

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


fetching = Pace()
_computing: defaultdict[int, Pace] = defaultdict(Pace)
_copies = count(1)


def computing(number: int) -> Pace:
    """That of computing segments about as far out: what takes long there is the first pair."""
    return _computing[number.bit_length()]


def is_fetched(number: int) -> bool:
    """Whether to fetch what a client waits for, as that has been faster than to compute it."""
    if conf.fetch() == conf.AUTO:
        if not fetching.seconds_a_byte:
            return conf.layout().planned(number).first_term >= FETCHED_FROM_TERM
        return fetching.seconds_a_byte < computing(number).seconds_a_byte
    return conf.fetch() == conf.ALWAYS


def copy_is_fetched(number: int) -> bool:
    """Whether to fetch the next copy: no client waits for it, so that both sources are tried."""
    tried = conf.fetch() == conf.AUTO and next(_copies) % TRIED_EVERY == 0
    return is_fetched(number) != tried
