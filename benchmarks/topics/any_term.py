"""Measure single terms, searches, residues and digests over a socket, alone and beside others.

Single terms are neighbours of F(10^7), as the last few are cached. The CPU time is that of all of
the service's processes, so what parses and sends is in it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from statistics import median

from benchmarks.lib.bench import (
    Options,
    Server,
    Target,
    get,
    judge,
    new_store,
    scratch_directory,
    served,
    table,
)
from benchmarks.lib.clients import WINDOWS, Answers, fork, p99, quantiles, small_requests
from benchmarks.topics.check_values import ABSENT, dates, rows_of
from sequence.text.layout import MAX_TERMS

SEARCHED_DATES = 60

Seconds = tuple[float, float]


def asked(server: Server, target: str, status: int = 200) -> Seconds:
    """Return how long the answer took, and the CPU time that it took the service."""
    used, started = server.cpu_seconds(), time.perf_counter()
    assert get(server.port, target)[0] == status, target
    return time.perf_counter() - started, server.cpu_seconds() - used


@contextmanager
def asking(port: int, targets: Callable[[], Iterator[str]]) -> Iterator[None]:
    """Have a client ask for these, one after another, in the background."""

    def ask() -> None:
        for target in targets():
            assert get(port, target)[0] in (200, 404), target

    client = fork.Process(target=ask)
    client.start()
    try:
        time.sleep(0.3)
        yield
        assert client.is_alive()
    finally:
        client.kill()
        client.join()


def long_terms() -> Iterator[str]:
    """Yield addresses of terms near F(10^7), each once."""
    return (f"/terms/{MAX_TERMS - n}" for n in count())


def searches() -> Iterator[str]:
    """Yield searches of all terms."""
    return (f"/terms?contains={ABSENT}" for _ in count())


def alone() -> Iterator[str]:
    """Yield nothing that takes time."""
    while True:
        time.sleep(0.1)
        yield "/livez"


BESIDE = {"nothing": alone, "F(10^7), one after another": long_terms, "searches of all": searches}


def small(server: Server, beside: Callable[[], Iterator[str]]) -> Answers:
    """Return what a client of small windows, none twice, found beside the others."""
    with asking(server.port, beside):
        return small_requests(server.port, WINDOWS)


ROUNDS = 5


def main(options: Options) -> None:
    """Measure and print."""
    rounds = options.rounds
    with (
        scratch_directory(options.directory) as scratch,
        served(new_store(scratch / "data")) as server,
    ):
        for target in (*("/terms/9000000", "/terms/9000000?base=16") * 3, "/terms?contains=1234"):
            get(server.port, target)  # each process compiles once
        numbers = count(1)
        terms: dict[str, Callable[[], str]] = {
            "F(10^7), decimal": lambda: f"/terms/{MAX_TERMS - next(numbers)}",
            "F(10^7), hexadecimal": lambda: f"/terms/{MAX_TERMS - next(numbers)}?base=16",
            "facts of F(10^7)": lambda: f"/terms/{MAX_TERMS - next(numbers)}?format=json",
            "100 first digits at 10^18": lambda: f"/terms/{10**18 - next(numbers)}?first=100",
            "100 last digits at 10^18": lambda: f"/terms/{10**18 - next(numbers)}?last=100",
            "100,000 residues": lambda: "/?sn=100000&mod=2305843009213693951",
            "100,000 digests": lambda: "/?sn=100000&format=sha256",
        }
        found: dict[str, list[Seconds]] = {name: [] for name in terms}
        for _ in range(rounds):
            for name, address in terms.items():
                found[name].append(asked(server, address()))
        searched = [asked(server, f"/terms?contains={ABSENT}", 404) for _ in range(rounds)]
        found["digits that are nowhere"] = searched
        by_date = [asked(server, f"/terms?contains={date}")[0] for date in dates()[:SEARCHED_DATES]]
        table(
            "Over a socket",
            ["asked for", "median ms", "CPU ms of the service"],
            [
                [name, *(f"{1e3 * median(each):.3g}" for each in zip(*taken, strict=True))]
                for name, taken in found.items()
            ],
        )
        table(
            f"{SEARCHED_DATES} dates",
            ["", "median ms", "from – to ms"],
            rows_of({"date": by_date}),
        )
        beside = {name: partial(small, server, targets) for name, targets in BESIDE.items()}
        answers: dict[str, list[Answers]] = {name: [] for name in beside}
        for _ in range(rounds):
            for name, measure in beside.items():
                answers[name].append(measure())
        table(
            "Small requests of one client beside others",
            ["beside", "median ms", "p99 ms", "unanswered"],
            [[name, *quantiles(each)] for name, each in answers.items()],
        )
    cpu = {name: [each[1] for each in taken] for name, taken in found.items()}
    elapsed = {name: [each[0] for each in taken] for name, taken in found.items()}
    judge(
        Target("F(10^7), CPU time", cpu["F(10^7), decimal"], at_most=0.25, unit="s"),
        Target("the same, hexadecimal", cpu["F(10^7), hexadecimal"], at_most=0.25, unit="s"),
        Target(
            "all terms searched, CPU time", cpu["digits that are nowhere"], at_most=0.5, unit="s"
        ),
        Target("a date is found", by_date, at_most=0.1, unit="s"),
        *(
            Target(f"{which} digits", elapsed[f"{which} digits at 10^18"], at_most=0.01, unit="s")
            for which in ("100 first", "100 last")
        ),
        *(
            Target(
                f"p99 of small requests beside {name}",
                [p99([each]) for each in answers[name]],
                at_most=0.05,
                unit="s",
            )
            for name in list(BESIDE)[1:]
        ),
    )
