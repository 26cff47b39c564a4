"""Compares the first byte of terms at the beginning with that of terms in the middle, at the end,
and near the millionth, from services that were just started and have nothing stored."""

import shutil
from functools import partial

from bench import (
    TERMS,
    Target,
    curl,
    heading,
    judge,
    new_store,
    parser,
    report_first_bytes,
    scratch_directory,
    served,
    streams_in_turn,
)

from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span

MAX_SN = 1_000_000
FAR = "a thousand before the millionth"
WINDOWS = {
    "ten at the beginning": Span(0, 10),
    "ten in the middle": Span(TERMS // 2, TERMS // 2 + 10),
    "ten at the end": Span(TERMS - 10, TERMS),
    FAR: Span(MAX_SN - 1_000, MAX_SN),
}


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__, rounds=9).parse_args()
    with scratch_directory(options.directory) as scratch:
        empty = new_store(scratch / "empty")

        def cold(terms: Span) -> tuple[float, float]:
            data = scratch / "data"
            shutil.copytree(empty, data)
            length = Representation(FORMATS["text"], terms).length
            try:
                with served(data, WEB_CONCURRENCY="1", FIBO_MAX_SN=str(MAX_SN)) as server:
                    return curl(server.port, f"/?sn={terms.length}&start={terms.start}", length)
            finally:
                shutil.rmtree(data)

        heading()
        sides = {name: partial(cold, terms) for name, terms in WINDOWS.items()}
        firsts, _ = streams_in_turn(sides, options.rounds)
        report_first_bytes("Terms from a service with nothing stored", firsts)
        far = WINDOWS[FAR]
        judge(
            Target(
                f"start={far.start}&sn={far.length}: first byte", firsts[FAR], at_most=0.3, unit="s"
            )
        )


if __name__ == "__main__":
    main()
