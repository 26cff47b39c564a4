"""Compares the first byte of ten terms at the beginning with that of ten in the middle and at the
end, from services that were just started and have nothing stored."""

import shutil
from functools import partial

from bench import (
    TERMS,
    curl,
    heading,
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

SN = 10
STARTS = {"beginning": 0, "middle": TERMS // 2, "end": TERMS - SN}


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__, rounds=9).parse_args()
    with scratch_directory(options.directory) as scratch:
        empty = new_store(scratch / "empty")

        def cold(start: int) -> tuple[float, float]:
            data = scratch / "data"
            shutil.copytree(empty, data)
            length = Representation(FORMATS["text"], Span(start, start + SN)).length
            try:
                with served(data, WEB_CONCURRENCY="1") as server:
                    return curl(server.port, f"/?sn={SN}&start={start}", length)
            finally:
                shutil.rmtree(data)

        heading()
        sides = {name: partial(cold, start) for name, start in STARTS.items()}
        firsts, _ = streams_in_turn(sides, options.rounds)
        report_first_bytes(f"{SN} terms from a service with nothing stored", firsts)


if __name__ == "__main__":
    main()
