"""Compare small requests with the original's algorithm in Flask under the same gunicorn settings,
alone and beside long streams. Then requests that were not made before, of windows and of terms
anywhere, with the same ones repeated and with a bare function below gunicorn's own worker, by the
processor time that the server takes for each, and by wrk's count.

With --before COMMIT, with that commit's service too.

The original is given the texts of all terms, which would take it minutes to make.
"""

import re
import statistics
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.lib import plots
from benchmarks.lib.bench import (
    ORIGINAL_CONF,
    TERMS,
    Options,
    Server,
    Target,
    checkout,
    get,
    judge,
    new_store,
    program,
    ratios,
    scratch_directory,
    served,
    table,
)
from benchmarks.lib.clients import (
    CLIENTS,
    SECONDS,
    SINGLE_TERMS,
    SMALL,
    WINDOWS,
    Answers,
    Anywhere,
    Same,
    Targets,
    background_readers,
    p99,
    per_second,
    quantiles,
    together,
)
from benchmarks.lib.peers import join

BARE_CONF = ORIGINAL_CONF.replace("fibosite.worker.ThreadWorker", "gthread")
STREAMS, STREAM_BYTES_PER_S = 8, 20_000_000
ALONE, BESIDE = "alone", f"beside {STREAMS} streams"
OURS, ORIGINAL, BARE = "ours", "the original", "a bare function"
BARE_LONG = f"{BARE}, of 104 kB"
REPEATED, ANYWHERE, A_TERM = "`sn=20` again", "ten terms anywhere", "a term anywhere"
BEFORE = ", before"

Measured = dict[str, list[list[Answers]]]


def in_company(ports: Mapping[str, int], rounds: int) -> dict[str, Measured]:
    """What both sides answered in each round, alone and beside streams."""
    found: dict[str, Measured] = {what: {side: [] for side in ports} for what in (ALONE, BESIDE)}
    for number in range(rounds + 1):
        for side, port in ports.items():
            alone = together(port)
            with background_readers(port, STREAMS, STREAM_BYTES_PER_S):
                accompanied = together(port)
            # Its streams end before the next side begins.
            time.sleep(0.5)
            if number:
                found[ALONE][side].append(alone)
                found[BESIDE][side].append(accompanied)
    return found


class Measurement(NamedTuple):
    """What was answered in one round, and what that took."""

    answers: list[Answers]
    cpu_us: float
    """Processor time of the server for each request."""
    wrk_per_second: float


def measured(server: Server, targets: Targets, scratch: Path) -> Measurement:
    """One round of the requests."""
    before = server.cpu_seconds()
    answers = together(server.port, targets)
    cpu_s = server.cpu_seconds() - before
    answered = sum(len(each.latencies) for each in answers)
    return Measurement(answers, 1e6 * cpu_s / answered, by_wrk(server.port, targets, scratch))


def by_wrk(port: int, targets: Targets, scratch: Path) -> float:
    """How many of the requests wrk has answered in a second."""
    if isinstance(targets, Anywhere):
        starts = f"math.random(0, {TERMS - targets.terms})"
        address = f"string.gsub({targets.address!r}, '{{}}', {starts})"
    else:
        address = repr(next(targets(0)))
    script = scratch / "requests.lua"
    script.write_text(f"function request() return wrk.format('GET', ({address})) end\n")
    shown = subprocess.run(
        [
            *(program("wrk", "wrk"), "-t1", f"-c{CLIENTS}", f"-d{SECONDS:.0f}s"),
            *("-s", str(script), f"http://127.0.0.1:{port}/"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Non-2xx" not in shown, shown
    found = re.search(r"Requests/sec: +([0-9.]+)", shown)
    assert found, shown
    return float(found[1])


def not_repeated(
    sides: Mapping[str, tuple[Server, Targets]], rounds: int, scratch: Path
) -> dict[str, list[Measurement]]:
    """What each side answered in each round."""
    found: dict[str, list[Measurement]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, (server, targets) in sides.items():
            measurement = measured(server, targets, scratch)
            if number:
                found[name].append(measurement)
    return found


def show_costs(found: dict[str, list[Measurement]]) -> None:
    """Print a table of what was answered, and what it took."""
    rows = []
    for side, measurements in found.items():
        answers = [answer for each in measurements for answer in each.answers]
        figures = (
            statistics.median(per_second(each.answers) for each in measurements),
            statistics.median(each.wrk_per_second for each in measurements),
            statistics.median(each.cpu_us for each in measurements),
        )
        rows.append([side, *(f"{figure:,.0f}" for figure in figures), *quantiles(answers)])
    columns = ["what", "requests/s", "by wrk", "CPU µs", "median ms", "p99 ms", "unanswered"]
    table(f"Requests on {CLIENTS} connections, and the server's time for each", columns, rows)


def targets_of(found: dict[str, list[Measurement]]) -> list[Target]:
    """What is asked of the costs."""
    targets = []
    for side in (ANYWHERE, A_TERM):
        costs = ratios([m.cpu_us for m in found[side]], [m.cpu_us for m in found[BARE]])
        targets.append(Target(f"CPU time of {BARE}, {side}", costs, at_most=2.4))
        if older := found.get(side + BEFORE):
            rates = [[per_second(m.answers) for m in each] for each in (found[side], older)]
            targets.append(Target(f"requests/s before, {side}", ratios(*rates), at_least=3))
    return targets


def show(title: str, found: Measured) -> None:
    """Print a table of what was answered."""
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


ROUNDS = 7


def main(options: Options) -> None:
    """Measure and print."""
    with scratch_directory(options.directory) as scratch, ExitStack() as running:
        data = new_store(scratch / "data", TERMS)
        join(data, scratch / "text")
        for name, content in (("original", ORIGINAL_CONF), ("bare", BARE_CONF)):
            (scratch / f"{name}.conf.py").write_text(content)
        text = str(scratch / "text")
        original = served(
            scratch / "original", config=str(scratch / "original.conf.py"), ORIGINAL_TEXT=text
        )
        bare = served(
            scratch / "bare", "benchmarks.lib.limit:app", config=str(scratch / "bare.conf.py")
        )
        servers = {
            name: running.enter_context(side)
            for name, side in {OURS: served(data), ORIGINAL: original, BARE: bare}.items()
        }
        ports = {name: servers[name].port for name in (OURS, ORIGINAL)}
        assert len({get(port, "/?sn=5000") for port in ports.values()}) == 1
        sides: dict[str, tuple[Server, Targets]] = {BARE: (servers[BARE], Same(SMALL))}
        sides[BARE_LONG] = servers[BARE], Same("/?long")
        sides[REPEATED] = servers[OURS], Same(SMALL)
        anywhere = {ANYWHERE: WINDOWS, A_TERM: SINGLE_TERMS}
        sides |= {name: (servers[OURS], targets) for name, targets in anywhere.items()}
        if options.before:
            root = checkout(options.before, scratch / "before")
            older = running.enter_context(served(data, root=root))
            sides |= {name + BEFORE: (older, targets) for name, targets in anywhere.items()}
        company = in_company(ports, options.rounds)
        costs = not_repeated(sides, options.rounds, scratch)

    targets = []
    for what, found in company.items():
        show(f"`sn=20` on {CLIENTS} connections, {what}", found)
        more = ratios(rates(found, OURS), rates(found, ORIGINAL))
        later = ratios(slowest(found, OURS), slowest(found, ORIGINAL))
        targets += [
            Target(f"the original's requests/s, {what}", more, at_least=1.5),
            Target(f"the original's p99, {what}", later, at_most=1),
        ]
    show_costs(costs)
    judge(*targets, *targets_of(costs))
    if options.plots:
        drawn = {
            f"{what}: {side}": rates(found, side)
            for what, found in company.items()
            for side in found
        }
        for side, measurements in costs.items():
            drawn[side] = [per_second(each.answers) for each in measurements]
        plots.bars("small_requests", "Small requests on four connections", drawn, "requests/s")
