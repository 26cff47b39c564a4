"""How evenly the hosts of one text are used: seeded requests by several laws, spread over 4, 16 and
64 hosts by range, by hash and in turn, with caches in front, and if hosts share nothing.

A simulation, by benchmarks/lib/sharing.py: it counts bytes and times nothing, so that every
run of it finds the same on any machine.
"""

import math
import random
from collections.abc import Callable, Iterator

from benchmarks.lib import plots
from benchmarks.lib.bench import Options, table
from benchmarks.lib.sharing import (
    Carried,
    Cut,
    Demand,
    by_fewest_open,
    by_hash,
    by_range,
    by_turns,
    demand,
    in_turn,
    placed,
)
from sequence import conf
from sequence.text.layout import offset
from sequence.text.span import Span

MAX_SN = 1_000_000
SEGMENT_BYTES = conf.SEGMENT_BYTES
"""Cut here at exactly so many bytes, and not at the next term as the plan does."""
SEGMENTS = -(-offset(MAX_SN) // SEGMENT_BYTES)
CUT = Cut(SEGMENTS, SEGMENT_BYTES)

HOSTS = (4, 16, 64)
REQUESTS = 3_200
SEED = 1
CACHED_PERCENT = (1, 10)
"""Of the text, on each front."""
OPEN_EACH = 4.0

FAVOURITES = 1_000
WINDOW_TERMS = 1_000
WINDOWS = 0.1

KEPT_PERCENT = 10
"""Of the text, from its beginning, on every host: `FIBO_STORE_BYTES` keeps the beginning too."""

RANGE, TURNS, HASH, NOTHING = "range", "in turn", "hash", "nothing shared"
CACHE = "{}, cache of {} %"
KEPT = "{}, the first {} % everywhere"
FEWEST_OPEN = f"{NOTHING}, fewest open"

Law = Callable[[random.Random], Iterator[Span]]


def uniform(chance: random.Random) -> Iterator[Span]:
    """The first N terms, each N as likely."""
    while True:
        yield Span(0, chance.randint(1, MAX_SN))


def log_uniform(chance: random.Random) -> Iterator[Span]:
    """The first N terms, each order of magnitude of N as likely."""
    while True:
        yield Span(0, round(MAX_SN ** chance.random()))


def favourites(chance: random.Random) -> Iterator[Span]:
    """The first N terms; a thousand N have Zipf's law: the second is half as likely."""
    chosen = [chance.randint(1, MAX_SN) for _ in range(FAVOURITES)]
    weights = [1 / rank for rank in range(1, FAVOURITES + 1)]
    while True:
        yield Span(0, chance.choices(chosen, weights)[0])


def maximum(_: random.Random) -> Iterator[Span]:
    """All terms, for everybody."""
    while True:
        yield Span(0, MAX_SN)


def mixed(chance: random.Random) -> Iterator[Span]:
    """`log_uniform`, and now and then a window that begins anywhere."""
    for prefix in log_uniform(chance):
        start = chance.randrange(MAX_SN - WINDOW_TERMS)
        window = Span(start, start + WINDOW_TERMS)
        yield window if chance.random() < WINDOWS else prefix


LAWS: dict[str, Law] = {
    "N uniform": uniform,
    "N log-uniform": log_uniform,
    "favourites by Zipf": favourites,
    "all ask for the most": maximum,
    "log-uniform and windows": mixed,
}
DRAWN = ("N uniform", "N log-uniform")


def requested(law: Law) -> list[Span]:
    """The bytes of the text that each request asks for."""
    asked = law(random.Random(SEED))  # noqa: S311  the same in every run is what is wanted
    return [Span(offset(n.start), offset(n.stop)) for n, _ in zip(asked, range(REQUESTS))]  # noqa: B905


def demands(requests: list[Span], hosts: int) -> dict[str, Demand]:
    """What the hosts need of one another, by what each has itself; its name has room for a way."""
    found = {"{}": demand(requests, hosts, CUT)}
    for percent in CACHED_PERCENT:
        cached = SEGMENTS * percent // 100
        found[CACHE.format("{}", percent)] = demand(requests, hosts, CUT, cached=cached)
    kept = SEGMENTS * KEPT_PERCENT // 100
    found[KEPT.format("{}", KEPT_PERCENT)] = demand(requests, hosts, CUT, kept=kept)
    return found


def outcomes(requests: list[Span], needed: dict[str, Demand], hosts: int) -> dict[str, Carried]:
    """Who carries what, by each way to spread them."""
    owners = {
        RANGE: by_range(SEGMENTS, hosts),
        HASH: by_hash(SEGMENTS, hosts),
        TURNS: by_turns(SEGMENTS, hosts),
    }
    found = {
        way.format(name): placed(what, segment_owners)
        for way, what in needed.items()
        for name, segment_owners in owners.items()
    }
    found[NOTHING] = in_turn(requests, hosts)
    found[FEWEST_OPEN] = by_fewest_open(requests, hosts, OPEN_EACH)
    return found


def by_integral(hosts: int) -> dict[str, float]:
    """The first host's multiple of its fair share by range, for endlessly many requests.

    A byte at the share y of the text is in an answer where N is above √y of the most: with the
    chance 1 - √y, or in proportion to -ln y, which are summed over y from 0 to 1/hosts.
    """
    return {"N uniform": 3 - 2 / math.sqrt(hosts), "N log-uniform": 1 + math.log(hosts)}


ROUNDS = 1


def main(options: Options) -> None:
    """Simulates and prints."""
    # Seeded: another round would find the same.
    requests = {name: requested(law) for name, law in LAWS.items()}
    asked = {name: sum(span.length for span in spans) / 1e9 for name, spans in requests.items()}
    print(
        f"\n{REQUESTS:,} requests for up to {MAX_SN:,} terms, {SEGMENTS:,} segments; "
        + "; ".join(f"{name}: {gigabytes:,.0f} GB" for name, gigabytes in asked.items())
    )
    multiples: dict[str, dict[str, dict[int, float]]] = {law: {} for law in LAWS}
    for hosts in HOSTS:
        needed = {law: demands(spans, hosts) for law, spans in requests.items()}
        found = {law: outcomes(spans, needed[law], hosts) for law, spans in requests.items()}
        busiest, crossing = [], []
        for way in found[DRAWN[0]]:
            carried = [found[law][way] for law in LAWS]
            shares = (one.times_fair / hosts for one in carried)
            busiest.append(
                [way, *(f"{share:.1%} ({share * hosts:.2f})" for share in shares)],
            )
            crossing.append([way, *(f"{one.crossing:.1%}" for one in carried)])
            for law, one in zip(LAWS, carried, strict=True):
                multiples[law].setdefault(way, {})[hosts] = one.times_fair
        expected = by_integral(hosts)
        limits = (f"({expected[law]:.2f})" if law in expected else "–" for law in LAWS)
        busiest.append([f"{RANGE}, by integral", *limits])
        title = f"{hosts} hosts: the busiest one's share of all bytes (× the fair {1 / hosts:.1%})"
        table(title, ["spread by", *LAWS], busiest)
        title = f"{hosts} hosts: bytes that go from one host to another, of all that are sent"
        table(title, ["spread by", *LAWS], crossing)
        rows = []
        for way in needed[DRAWN[0]]:
            asked_of = (needed[law][way].times_asked[0] / REQUESTS for law in LAWS)
            rows.append([way.format("any placement"), *(f"{share:.1%}" for share in asked_of)])
        title = f"{hosts} hosts: requests that need segment 0 from its owner"
        table(title, ["spread by", *LAWS], rows)
    if options.plots:
        cached = CACHE.format(RANGE, CACHED_PERCENT[-1])
        for law in DRAWN:
            sides = {way: multiples[law][way] for way in (RANGE, cached, HASH, TURNS, NOTHING)}
            title = f"What the busiest host carries, {law}"
            name = f"hotspots_{law.removeprefix('N ').replace('-', '_')}"
            labels = ("hosts", "times its fair share")
            plots.lines(name, title, sides, labels, logarithmic=False)
