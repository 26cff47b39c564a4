"""Compares 100,000 terms from a service that has to make and store them with writing and syncing as
many bytes to the same disk, and with the same terms from a service that has them stored. Every
round of a cold side has a service just started, on a store of its own."""

import os
import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import (
    TERMS,
    TEXT_BYTES,
    TEXT_SHA256,
    WHOLE,
    WITH_COMPILER,
    Target,
    curl,
    get,
    heading,
    judge,
    new_store,
    parser,
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


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__, rounds=9).parse_args()
    with scratch_directory(options.directory) as scratch, ExitStack() as running:
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

        def warm() -> tuple[float, float]:
            os.sync()
            return curl(stored.port, WHOLE, TEXT_BYTES)

        cold(empty, hashed=True)
        stored = running.enter_context(
            served(new_store(scratch / "stored", upto=TERMS), WEB_CONCURRENCY="1")
        )
        heading()
        firsts, lasts = streams_in_turn(
            {
                ALONE: written,
                WARM: warm,
                "100 terms stored, compiler not loaded": partial(cold, begun),
                "nothing stored, compiler not loaded": partial(cold, empty),
                BUILT: partial(cold, empty, "with_compiler"),
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


if __name__ == "__main__":
    main()
