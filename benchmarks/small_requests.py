"""Compares small requests with the original's algorithm in Flask under the same gunicorn settings,
alone and beside long streams, and alone with a bare function; then the digits of single terms with
small requests.

The original is given the texts of all terms, which would take it minutes to make.
"""

import statistics
import time
from collections.abc import Mapping
from contextlib import ExitStack

import plots
from bench import (
    ROOT,
    TERMS,
    Target,
    get,
    heading,
    judge,
    new_store,
    parser,
    ratios,
    scratch_directory,
    served,
    table,
)
from clients import CLIENTS, SMALL, Answers, beside, p99, per_second, quantiles, together
from warm_stream import join

ORIGINAL_CONF = f"""
wsgi_app = "original:app"
pythonpath = "{ROOT / "benchmarks"}"
worker_class = "fibosite.worker.ThreadWorker"
workers = 2
threads = 16
worker_connections = 1000
preload_app = True
keepalive = 5
control_socket_disable = True
"""
STREAMS, STREAM_BYTES_PER_S = 8, 20_000_000
ALONE, BESIDE = "alone", f"beside {STREAMS} streams"
OURS, ORIGINAL, BARE = "ours", "the original", "a bare function"
TERM_NUMBERS = (10, TERMS // 2, TERMS - 1)

Measured = dict[str, list[list[Answers]]]


def in_company(ports: Mapping[str, int], rounds: int) -> dict[str, Measured]:
    """What both sides answered in each round, alone and beside streams."""
    found: dict[str, Measured] = {what: {side: [] for side in ports} for what in (ALONE, BESIDE)}
    for number in range(rounds + 1):
        for side, port in ports.items():
            alone = together(port)
            with beside(port, STREAMS, STREAM_BYTES_PER_S):
                accompanied = together(port)
            # Its streams end before the next side begins.
            time.sleep(0.5)
            if number:
                found[ALONE][side].append(alone)
                found[BESIDE][side].append(accompanied)
    return found


def single_terms(port: int, rounds: int) -> Measured:
    """What was answered in each round to a small request and to requests of single terms."""
    targets = {SMALL: SMALL} | {f"/terms/{n}": f"/terms/{n}" for n in TERM_NUMBERS}
    found: Measured = {name: [] for name in targets}
    for number in range(rounds + 1):
        for name, target in targets.items():
            answers = together(port, target)
            if number:
                found[name].append(answers)
    return found


def show(title: str, found: Measured) -> None:
    """Prints a table of what was answered."""
    rows = []
    for side, measurements in found.items():
        rates = [per_second(answers) for answers in measurements]
        spread = f"{min(rates):,.0f} – {max(rates):,.0f}"
        everything = [answer for measurement in measurements for answer in measurement]
        rows.append([side, f"{statistics.median(rates):,.0f}", spread, *quantiles(everything)])
    columns = ["side", "requests/s", "from – to", "median ms", "p99 ms", "unanswered"]
    table(title, columns, rows)


def rates(found: Measured, side: str) -> list[float]:
    """The requests per second of each round."""
    return [per_second(answers) for answers in found[side]]


def slowest(found: Measured, side: str) -> list[float]:
    """The 99th percentile of each round."""
    return [p99(answers) for answers in found[side]]


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__, rounds=7).parse_args()
    with scratch_directory(options.directory) as scratch, ExitStack() as running:
        data = new_store(scratch / "data", TERMS)
        join(data, scratch / "text")
        (scratch / "original.conf.py").write_text(ORIGINAL_CONF)
        conf = str(scratch / "original.conf.py")
        text = str(scratch / "text")
        sides = {
            OURS: served(data),
            ORIGINAL: served(scratch / "original", config=conf, ORIGINAL_TEXT=text),
        }
        ports = {name: running.enter_context(side).port for name, side in sides.items()}
        bare = running.enter_context(served(scratch / "bare", "bare:app", config=conf))
        assert len({get(port, "/?sn=5000") for port in ports.values()}) == 1
        heading()
        company = in_company(ports, options.rounds)
        limit = {BARE: [together(bare.port) for _ in range(options.rounds)]}
        terms = single_terms(ports[OURS], options.rounds)

    targets = []
    for what, found in company.items():
        show(f"`sn=20` on {CLIENTS} connections, {what}", found)
        more = ratios(rates(found, OURS), rates(found, ORIGINAL))
        later = ratios(slowest(found, OURS), slowest(found, ORIGINAL))
        targets += [
            Target(f"the original's requests/s, {what}", more, at_least=1.5),
            Target(f"the original's p99, {what}", later, at_most=1),
        ]
    show(f"`sn=20` on {CLIENTS} connections, the limit", limit)
    show(f"Single terms on {CLIENTS} connections", terms)
    for name in list(terms)[1:]:
        longer = ratios(rates(terms, SMALL), rates(terms, name))
        targets.append(Target(f"`{name}` takes as long as a small request", longer, at_most=1.5))
    judge(*targets)
    if options.plots:
        drawn = {
            f"{what}: {side}": rates(found, side)
            for what, found in ({"limit": limit} | company).items()
            for side in found
        }
        plots.bars("small_requests", "sn=20 under the same gunicorn settings", drawn, "requests/s")


if __name__ == "__main__":
    main()
