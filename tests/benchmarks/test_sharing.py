"""benchmarks/lib/sharing.py, the simulation behind docs/scaling.md, on cases done by hand."""

from itertools import islice

import pytest

from benchmarks.lib.sharing import (
    Carried,
    Cut,
    by_fewest_open,
    by_hash,
    by_range,
    by_turns,
    demand,
    in_turn,
    parts,
    placed,
)
from benchmarks.topics.hotspots import LAWS, by_integral, requested
from sequence.text.span import Span

SEGMENT_BYTES = 10
SEGMENTS = 4
CUT = Cut(SEGMENTS, SEGMENT_BYTES)
HOSTS = 2
REQUESTS = [Span(0, 40), Span(0, 15), Span(0, 10), Span(5, 25)]
"""The hosts 0 and 1 are asked in turn."""


def test_a_span_has_the_bytes_of_each_segment_that_it_touches() -> None:
    assert list(parts(Span(5, 32), SEGMENT_BYTES)) == [(0, 5), (1, 10), (2, 10), (3, 2)]
    assert list(parts(Span(12, 18), SEGMENT_BYTES)) == [(1, 6)]
    assert list(parts(Span(10, 20), SEGMENT_BYTES)) == [(1, 10)]


def test_by_range_the_beginning_is_carried_by_the_first_host() -> None:
    needed = demand(REQUESTS, HOSTS, CUT)
    assert needed.cached == [0, 0]
    assert needed.times_asked == [4, 3, 2, 1]
    # Host 0 is asked for 0 to 40 and 0 to 10, host 1 for 0 to 15 and 5 to 25.
    assert needed.from_owners == [[20, 10, 10, 10], [15, 15, 5, 0]]
    owners = by_range(SEGMENTS, HOSTS)
    assert owners == [0, 0, 1, 1]
    # 20 bytes go from host 1 to 0, 30 from host 0 to 1.
    carried = placed(needed, owners)
    assert carried == Carried([60, 25], 50)
    assert carried.times_fair == pytest.approx(60 / 85 * 2)
    assert carried.crossing == pytest.approx(50 / 85)


def test_a_cache_keeps_what_was_needed_last() -> None:
    requests = [Span(0, 20), Span(0, 10), Span(20, 30), Span(0, 20)]
    needed = demand(requests, 1, CUT, cached=2)
    # The third request puts segment 2 in place of 1, as 0 was needed after that.
    assert needed == ([20], [[10, 20, 10, 0]], [1, 2, 1, 0])


def test_a_cache_that_a_scan_does_not_fit_in_serves_none_of_it() -> None:
    needed = demand([Span(0, 40)] * 5, 1, CUT, cached=3)
    assert needed.cached == [0]
    needed = demand([Span(0, 40)] * 5, 1, CUT, cached=4)
    assert needed.cached == [160]


def test_what_is_cached_is_carried_by_the_host_that_is_asked() -> None:
    needed = demand([Span(0, 20)] * 4, HOSTS, CUT, cached=2)
    # The first request of each host goes to the owner, the second to its cache.
    assert placed(needed, [0, 0, 0, 0]) == Carried([60, 20], 20)


def test_what_is_kept_of_the_beginning_needs_no_owner() -> None:
    needed = demand(REQUESTS, HOSTS, CUT, kept=1)
    assert needed == ([20, 15], [[0, 10, 10, 10], [0, 15, 5, 0]], [0, 3, 2, 1])


def test_every_segment_has_an_owner_by_its_turn() -> None:
    assert by_turns(5, 2) == [0, 1, 0, 1, 0]


def test_every_segment_has_an_owner_by_its_hash() -> None:
    owners = by_hash(1_000, 4)
    assert all(200 < owners.count(host) < 300 for host in range(4))


def test_hosts_that_share_nothing_carry_what_they_are_asked_for() -> None:
    assert in_turn(REQUESTS, HOSTS) == Carried([50, 35], 0)


def test_the_host_with_the_fewest_open_answers_is_asked() -> None:
    # One comes every 10 bytes; the first is open for 40 of them.
    requests = [Span(0, 40), Span(0, 5), Span(0, 5), Span(0, 5), Span(0, 5), Span(0, 0)]
    assert by_fewest_open(requests, HOSTS, open_each=0.5) == Carried([45, 15], 0)


@pytest.mark.parametrize("law", LAWS)
def test_requests_are_the_same_in_every_run(law: str) -> None:
    assert requested(LAWS[law]) == requested(LAWS[law])


def test_the_integrals_are_those_of_one_host_where_there_is_one() -> None:
    assert by_integral(1) == {"N uniform": 1, "N log-uniform": 1}
    assert list(islice(by_integral(4).values(), 2)) == [2, pytest.approx(2.386, abs=1e-3)]
