"""Compare the lengths that our store reads at a time: 100,000 stored terms, one worker each."""

from contextlib import ExitStack
from functools import partial

from benchmarks.lib.bench import (
    TERMS,
    TEXT_BYTES,
    WHOLE,
    Options,
    curl,
    new_store,
    report,
    report_first_bytes,
    scratch_directory,
    served,
    streams_in_turn,
)
from sequence.store.store import CHUNK_BYTES

LENGTHS_KIB = (64, 128, 256, 512, 1024)

WITH_CHUNKS = """
from sequence.store import directory

directory.CHUNK_BYTES = {length}

from fibosite.wsgi import application
"""

ROUNDS = 9


def main(options: Options) -> None:
    """Measure and print."""
    with scratch_directory(options.directory) as scratch, ExitStack() as stack:
        data, sides = new_store(scratch / "data", TERMS), {}
        for kib in LENGTHS_KIB:
            module = f"chunks_of_{kib}"
            (scratch / f"{module}.py").write_text(WITH_CHUNKS.format(length=kib * 1024))
            server = stack.enter_context(
                served(data, module, WEB_CONCURRENCY="1", PYTHONPATH=str(scratch))
            )
            sides[f"{kib} KiB"] = partial(curl, server.port, WHOLE, TEXT_BYTES)
        firsts, lasts = streams_in_turn(sides, options.rounds)
    against = f"{CHUNK_BYTES // 1024} KiB"
    report(f"Lengths of a chunk: {TERMS:,} stored terms to curl", lasts, against, TEXT_BYTES)
    report_first_bytes("Lengths of a chunk: first byte", firsts)
