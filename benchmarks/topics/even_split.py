"""How even the plan of segments splits the text: the size of every segment of ten million terms, by
exact arithmetic, and the shares of servers beside those of a split into equal numbers of terms."""

import statistics
from collections.abc import Sequence

from benchmarks.lib import plots
from benchmarks.lib.bench import Options, table
from sequence import conf
from sequence.text.layout import Layout, offset

PLAN = Layout(conf.SEGMENT_BYTES)
TERM_COUNTS = (100_000, 1_000_000, 10_000_000)
SERVERS = (2, 4, 16, 64)
DRAWN_SERVERS = 16

BY_TERMS, BY_SEGMENTS = "equal numbers of terms", "equal numbers of segments"


def starts() -> list[int]:
    """Where each segment starts, up to the one after the last term of all."""
    last = PLAN.segment_of(TERM_COUNTS[-1] - 1)
    return [offset(PLAN.terms(number).start) for number in range(last + 2)]


def lengths(starts: Sequence[int], term_count: int) -> list[int]:
    """The bytes of each segment that has a byte of the first terms, each of them whole."""
    count = PLAN.segment_of(term_count - 1) + 1
    return [starts[number + 1] - starts[number] for number in range(count)]


def shares_by_terms(term_count: int, servers: int) -> list[int]:
    """The bytes of each server if all have as many terms."""
    edges = [offset(term_count * server // servers) for server in range(servers + 1)]
    return [edges[server + 1] - edges[server] for server in range(servers)]


def shares_by_segments(lengths: Sequence[int], servers: int) -> list[int]:
    """The bytes of each server if all have as many segments, or one more."""
    edges = [len(lengths) * server // servers for server in range(servers + 1)]
    return [sum(lengths[edges[server] : edges[server + 1]]) for server in range(servers)]


ROUNDS = 1


def main(options: Options) -> None:
    """Compute and print."""
    # Exact: another round would find the same.
    all_starts = starts()
    sizes = {terms: lengths(all_starts, terms) for terms in TERM_COUNTS}
    rows = []
    for terms, found in sizes.items():
        mean = statistics.mean(found)
        longest_term = offset(terms) - offset(terms - 1)
        figures = (len(found), min(found), max(found), round(mean), longest_term)
        deviation = statistics.pstdev(found) / mean
        spread = (f"{(max(found) - min(found)) / mean:.4%}", f"{deviation:.4%}")
        rows.append([f"{terms:,}", *(f"{figure:,}" for figure in figures), *spread])
        # The plan promises it: a segment begins with the first term from its place on.
        assert max(abs(size - PLAN.segment_bytes) for size in found) <= longest_term
    columns = ["terms", "segments", "least bytes", "most bytes", "mean", "longest term"]
    columns += ["(most – least) / mean", "standard deviation / mean"]
    table(f"All segments of {PLAN.segment_bytes:,} bytes", columns, rows)

    rows, drawn = [], dict[str, list[int]]()
    for terms, found in sizes.items():
        for servers in SERVERS:
            sides = {BY_TERMS: shares_by_terms(terms, servers)}
            sides[BY_SEGMENTS] = shares_by_segments(found, servers)
            for side, shares in sides.items():
                parts = [share / sum(shares) for share in (shares[0], shares[-1], max(shares))]
                cells = [*(f"{part:.3%}" for part in parts), f"{parts[-1] * servers:.3f}"]
                rows.append([f"{terms:,}", str(servers), side, *cells])
            if (terms, servers) == (TERM_COUNTS[-1], DRAWN_SERVERS):
                drawn = sides
    columns = ["terms", "servers", "split into", "the first holds", "the last", "the fullest"]
    table("Shares of all bytes", [*columns, "× the fair share"], rows)
    if options.plots:
        percent = {
            side: {n: 100 * share / sum(shares) for n, share in enumerate(shares, 1)}
            for side, shares in drawn.items()
        }
        title = f"Shares of {TERM_COUNTS[-1]:,} terms on {DRAWN_SERVERS} servers"
        labels = ("server", "% of all bytes")
        plots.lines("even_split", title, percent, labels, logarithmic=False)
