"""The least that a long answer can be: a file that the kernel sends, as a limit for the worker."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO

from sequence.store.pieces import FileSpan, in_bytes

SPAN_BYTES = 4 * 1024 * 1024


class Body:
    """All bytes of a file, in spans."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.length_bytes = file, os.fstat(file.fileno()).st_size

    @cached_property
    def pieces(self) -> Iterator[FileSpan]:
        """The spans."""
        starts = range(0, self.length_bytes, SPAN_BYTES)
        return (
            FileSpan(self.file, start, min(start + SPAN_BYTES, self.length_bytes))
            for start in starts
        )

    def __iter__(self) -> Iterator[bytes]:
        return in_bytes(self.pieces)


FILE = Path(os.environ["FIBO_BENCH_FILE"]).open("rb", buffering=0)  # noqa: SIM115
LENGTH = Body(FILE).length_bytes
SMALL = b"0 1 1 2 3 5 8 13 21 34 55 89 144 233 377 610 987 1597 2584 4181 "


def app(
    environ: dict[str, str], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """The file if all TERMS are asked for, and else the first 20 terms."""
    is_long = environ["QUERY_STRING"] == "sn=100000"
    length = LENGTH if is_long else len(SMALL)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(length))])
    return Body(FILE) if is_long else [SMALL]
