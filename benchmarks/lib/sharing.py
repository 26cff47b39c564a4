"""Which host carries which bytes of the answers: a simulation of hosts that share one text.

A host carries a byte when it takes it out of its store, or out of its cache. An answer is put
together by the host that was asked, its front.
"""

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sequence.text.layout import segment_name
from sequence.text.span import Span


class Carried(NamedTuple):
    """The bytes that each host carried, and the bytes that went from one host to another."""

    by_host: list[int]
    between_hosts: int

    @property
    def times_fair(self) -> float:
        """The busiest host's share of all bytes, as a multiple of the fair one."""
        return max(self.by_host) * len(self.by_host) / sum(self.by_host)

    @property
    def crossing(self) -> float:
        """The share of all bytes that went from one host to another."""
        return self.between_hosts / sum(self.by_host)


class Cut(NamedTuple):
    """How the text is cut: into how many segments, of how many bytes."""

    segments: int
    segment_bytes: int


class Demand(NamedTuple):
    """What the fronts need: bytes of their own caches, bytes of each segment from its owner, and
    how often each segment is asked for there."""

    cached: list[int]
    from_owners: list[list[int]]
    times_asked: list[int]


def parts(span: Span, segment_bytes: int) -> Iterator[tuple[int, int]]:
    """The segments that the span of the text touches, each with how many bytes it needs of it."""
    first, last = span.start // segment_bytes, (span.stop - 1) // segment_bytes
    for number in range(first, last + 1):
        nbytes = segment_bytes
        if number == first:
            nbytes -= span.start - first * segment_bytes
        if number == last:
            nbytes -= (last + 1) * segment_bytes - span.stop
        yield number, nbytes


def demand(
    requests: Sequence[Span], hosts: int, cut: Cut, cached: int = 0, kept: int = 0
) -> Demand:
    """What the fronts need for the requests, which the hosts are asked in turn, one after another.

    Each front caches that many segments, those that it needed last; and it has the first `kept`
    ones for good, which count as cached.
    """
    of_each = [[0] * cut.segments for _ in range(hosts)]
    found = Demand([0] * hosts, of_each, [0] * cut.segments)
    # A dict keeps the order of its keys: the first is what was needed longest ago.
    caches: list[dict[int, None]] = [{} for _ in range(hosts)]
    for place, span in enumerate(requests):
        front = place % hosts
        cache, needed = caches[front], found.from_owners[front]
        for number, nbytes in parts(span, cut.segment_bytes):
            if number < kept:
                found.cached[front] += nbytes
                continue
            if number in cache:
                del cache[number]
                found.cached[front] += nbytes
            else:
                needed[number] += nbytes
                found.times_asked[number] += 1
                if not cached:
                    continue
                if len(cache) == cached:
                    del cache[next(iter(cache))]
            cache[number] = None
    return found


def placed(demand: Demand, owners: Sequence[int]) -> Carried:
    """Who carries what if each segment lies on its owner alone."""
    by_host, between = list(demand.cached), 0
    for front, needed in enumerate(demand.from_owners):
        for owner, nbytes in zip(owners, needed, strict=True):
            by_host[owner] += nbytes
            between += nbytes if owner != front else 0
    return Carried(by_host, between)


def by_range(segments: int, hosts: int) -> list[int]:
    """The owner of each segment if a host has those that follow one another."""
    return [number * hosts // segments for number in range(segments)]


def by_turns(segments: int, hosts: int) -> list[int]:
    """The owner of each segment if they are dealt out one after another."""
    return [number % hosts for number in range(segments)]


def by_hash(segments: int, hosts: int) -> list[int]:
    """The owner of each segment if the hash of its name decides."""
    names = (segment_name(number).encode() for number in range(segments))
    return [int.from_bytes(hashlib.sha256(name).digest()[:8]) % hosts for name in names]


def in_turn(requests: Sequence[Span], hosts: int) -> Carried:
    """Who carries what if each host answers whole requests, and all are asked in turn."""
    by_host = [0] * hosts
    for place, span in enumerate(requests):
        by_host[place % hosts] += span.length
    return Carried(by_host, 0)


def by_fewest_open(requests: Sequence[Span], hosts: int, open_each: float) -> Carried:
    """The same if the host with the fewest open answers is asked.

    Requests come evenly. Clients read at the same rate, so that an answer is open in proportion
    to its length; on average `open_each` are open on a host.
    """
    by_host, open_now = [0] * hosts, [0] * hosts
    mean = sum(span.length for span in requests) / len(requests)
    apart = mean / (hosts * open_each)
    ends: list[tuple[float, int]] = []
    for place, span in enumerate(requests):
        now = place * apart
        while ends and ends[0][0] <= now:
            open_now[heapq.heappop(ends)[1]] -= 1
        # Among equals in turn: the first would get all short ones.
        host = min(range(hosts), key=lambda host: (open_now[host], (host - place) % hosts))
        by_host[host] += span.length
        open_now[host] += 1
        heapq.heappush(ends, (now + span.length, host))
    return Carried(by_host, 0)
