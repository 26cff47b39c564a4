"""The least that a server can be asked for, as a limit: one and the same answer, by a function; a
short one, one of as many bytes as ten terms have on average, or a file that the kernel sends."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO

from sequence.store.pieces import FileSpan, in_bytes

SPAN_BYTES = 4 * 1024 * 1024
TEXT = b"0 1 1 2 3 5 8 13 21 34 55 89 144 233 377 610 987 1597 2584 4181 "
LONG_TEXT = TEXT * (104_000 // len(TEXT))


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


FILE = Path(os.environ.get("FIBO_BENCH_FILE", os.devnull)).open("rb", buffering=0)  # noqa: SIM115


def app(
    environ: dict[str, str], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """The file if all TERMS are asked for, else the first 20 terms, or many times these."""
    if environ["QUERY_STRING"] == "sn=100000":
        body = Body(FILE)
        return answer(start_response, body, body.length_bytes)
    text = LONG_TEXT if environ["QUERY_STRING"] == "long" else TEXT
    return answer(start_response, [text], len(text))


def answer(
    start_response: Callable[[str, list[tuple[str, str]]], object],
    body: Iterable[bytes],
    length_bytes: int,
) -> Iterable[bytes]:
    """Start the response and return its body."""
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(length_bytes))]
    start_response("200 OK", headers)
    return body
