"""Compare the first byte of terms at the beginning with that of terms in the middle, at the end,
and near the millionth, from services that were just started and have nothing stored."""

from functools import partial

from benchmarks.lib.bench import (
    MAX_SN,
    TERMS,
    Options,
    Target,
    copied,
    curl,
    judge,
    new_store,
    report_first_bytes,
    scratch_directory,
    served,
    streams_in_turn,
)
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span

FAR = "a thousand before the millionth"
WINDOWS = {
    "ten at the beginning": Span(0, 10),
    "ten in the middle": Span(TERMS // 2, TERMS // 2 + 10),
    "ten at the end": Span(TERMS - 10, TERMS),
    FAR: Span(MAX_SN - 1_000, MAX_SN),
}


ROUNDS = 9


def main(options: Options) -> None:
    """Measure and print."""
    with scratch_directory(options.directory) as scratch:
        empty = new_store(scratch / "empty")

        def cold(terms: Span) -> tuple[float, float]:
            length = Representation(FORMATS["text"], terms).length
            with (
                copied(empty) as data,
                served(data, WEB_CONCURRENCY="1", FIBO_MAX_SN=str(MAX_SN)) as server,
            ):
                return curl(server.port, f"/?sn={terms.length}&start={terms.start}", length)

        sides = {name: partial(cold, terms) for name, terms in WINDOWS.items()}
        firsts, _ = streams_in_turn(sides, options.rounds)
        report_first_bytes("Terms from a service with nothing stored", firsts)
        far = WINDOWS[FAR]
        judge(
            Target(
                f"start={far.start}&sn={far.length}: first byte", firsts[FAR], at_most=0.3, unit="s"
            )
        )
