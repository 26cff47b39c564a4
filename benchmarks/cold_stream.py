"""Compares 100,000 terms from a service that has to make and store them with writing and syncing as
many bytes to the same disk. Every round has a service just started, on a store of its own."""

import os
import shutil
from functools import partial
from pathlib import Path

from bench import (
    TERMS,
    TEXT_BYTES,
    TEXT_SHA256,
    WHOLE,
    curl,
    get,
    heading,
    new_store,
    parser,
    report,
    report_first_bytes,
    scratch_directory,
    served,
    streams_in_turn,
    write_and_sync,
)

WITH_COMPILER = """
from fibosite.wsgi import application
from sequence.text import adder
from sequence.text.span import Span

adder.positions(Span(0, 10))
"""

ALONE = "write and sync"


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__, rounds=9).parse_args()
    with scratch_directory(options.directory) as scratch:
        empty = new_store(scratch / "empty")
        # The segment of the last term is completed: it has 64 MiB.
        begun = new_store(scratch / "begun", upto=100)
        (scratch / "with_compiler.py").write_text(WITH_COMPILER)

        def cold(store: Path, *application: str, hashed: bool = False) -> tuple[float, float]:
            data = scratch / "data"
            shutil.copytree(store, data)
            try:
                with served(
                    data, *application, WEB_CONCURRENCY="1", PYTHONPATH=str(scratch)
                ) as server:
                    # What the side before left for the disk to do is not this one's.
                    os.sync()
                    if hashed:
                        assert get(server.port, WHOLE) == (200, TEXT_SHA256)
                        return 0, 0
                    return curl(server.port, WHOLE, TEXT_BYTES)
            finally:
                shutil.rmtree(data)

        def written() -> tuple[float, float]:
            os.sync()
            seconds = write_and_sync(scratch / "file")
            (scratch / "file").unlink()
            return seconds, seconds

        cold(empty, hashed=True)
        heading()
        firsts, lasts = streams_in_turn(
            {
                ALONE: written,
                "100 terms stored, compiler not loaded": partial(cold, begun),
                "nothing stored, compiler not loaded": partial(cold, empty),
                "nothing stored, compiler loaded": partial(cold, empty, "with_compiler"),
            },
            options.rounds,
        )
        del firsts[ALONE]
        report(f"{TERMS:,} terms, made, stored and sent to curl", lasts, ALONE, TEXT_BYTES)
        report_first_bytes("The first byte of them", firsts)


if __name__ == "__main__":
    main()
