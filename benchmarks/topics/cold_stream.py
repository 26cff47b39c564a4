"""Compare 100,000 terms from a service that has to make and store them with writing and syncing as
many bytes to the same disk, and with the same terms from a service that has them stored. Every
round of a cold side has a service just started, on a store of its own."""

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.lib.bench import (
    TERMS,
    TEXT_BYTES,
    TEXT_SHA256,
    WHOLE,
    WITH_COMPILER,
    Options,
    Target,
    copied,
    curl,
    get,
    judge,
    new_store,
    ratios,
    report,
    report_first_bytes,
    scratch_directory,
    served,
    streams_in_turn,
    write_and_sync,
)

ALONE = "write and sync"
WARM = "all stored"
BUILT = "nothing stored, compiler loaded"


ROUNDS = 9


def main(options: Options) -> None:
    """Measure and print."""
    with scratch_directory(options.directory) as scratch, ExitStack() as running:
        empty = new_store(scratch / "empty")
        # The segment of the last term is completed: it has 64 MiB.
        begun = new_store(scratch / "begun", upto=100)

        def cold(store: Path, *application: str) -> tuple[float, float]:
            with copied(store) as data, served(data, *application, WEB_CONCURRENCY="1") as server:
                return curl(server.port, WHOLE, TEXT_BYTES)

        def written() -> tuple[float, float]:
            os.sync()
            seconds = write_and_sync(scratch / "file")
            (scratch / "file").unlink()
            return seconds, seconds

        def warm() -> tuple[float, float]:
            os.sync()
            return curl(stored.port, WHOLE, TEXT_BYTES)

        with copied(empty) as data, served(data, WEB_CONCURRENCY="1") as server:
            assert get(server.port, WHOLE) == (200, TEXT_SHA256)
        stored = running.enter_context(
            served(new_store(scratch / "stored", upto=TERMS), WEB_CONCURRENCY="1")
        )
        firsts, lasts = streams_in_turn(
            {
                ALONE: written,
                WARM: warm,
                "100 terms stored, compiler not loaded": partial(cold, begun),
                "nothing stored, compiler not loaded": partial(cold, empty),
                BUILT: partial(cold, empty, WITH_COMPILER),
            },
            options.rounds,
        )
        del firsts[ALONE]
        report(f"{TERMS:,} terms, made, stored and sent to curl", lasts, ALONE, TEXT_BYTES)
        report_first_bytes("The first byte of them", firsts)
        limits = [1.5 * sent + put for sent, put in zip(lasts[WARM], lasts[ALONE], strict=True)]
        judge(
            Target(
                f"{BUILT}: as long as 1.5 warm streams and write and sync",
                ratios(lasts[BUILT], limits),
                at_most=1,
            ),
            Target(f"{BUILT}: first byte", firsts[BUILT], at_most=0.1, unit="s"),
        )
