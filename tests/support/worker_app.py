"""A WSGI application whose answers are what its tests of the worker ask for.

The query has `pieces`, of which each is a letter and a length: bytes, a span of a file, or a span
of a file that is cut before it is sent. `framing` is how the client knows where the body ends.
"""

import os
import random
import tempfile
from collections.abc import Callable, Generator, Iterator
from typing import IO, Any
from urllib.parse import parse_qs

from sequence.store.pieces import FileSpan, Piece, in_bytes

BLOCK = random.Random(14).randbytes(1_000_003)

FILE = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
FILE.write(BLOCK * 5)


def content(start: int, stop: int) -> bytes:
    """The bytes [start, stop) of all answers: a block that is repeated."""
    first = start % len(BLOCK)
    return (BLOCK * (2 + (stop - start) // len(BLOCK)))[first : first + stop - start]


class Rescued(FileSpan):
    """A span that is known from elsewhere."""

    def instead(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes, in two pieces."""
        yield content(start, start + 1)
        yield content(start + 1, stop)


class Body:
    """A body of such pieces, which counts what was asked of it."""

    given = closed = 0

    def __init__(self, wanted: list[tuple[str, int]], fails: bool, has_instead: bool) -> None:
        self.wanted, self.fails, self.has_instead = wanted, fails, has_instead
        self.pieces = self._pieces()
        self._cut: IO[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return in_bytes(self.pieces)

    def close(self) -> None:
        """What every server calls in the end."""
        self.pieces.close()
        if self._cut:
            self._cut.close()
        Body.closed += 1

    def _pieces(self) -> Generator[Piece]:
        at = 0
        for kind, length in self.wanted:
            Body.given += 1
            stop = at + length
            yield content(at, stop) if kind == "b" else self._span(at, stop, kind == "c")
            at = stop
        if self.fails:
            raise OSError("as the test asked for")

    def _span(self, start: int, stop: int, is_cut: bool) -> FileSpan:
        first = start % len(BLOCK)
        file = FILE
        if is_cut:
            file = self._cut = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
            os.sendfile(file.fileno(), FILE.fileno(), 0, first + (stop - start) // 2)
        return (Rescued if self.has_instead else FileSpan)(file, first, first + stop - start)


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Any:
    """The pieces that the query names; else what has become of all bodies."""
    asked = parse_qs(environ["QUERY_STRING"])
    if environ["PATH_INFO"] == "/admin/":
        asked["told"] = [str(len(environ["wsgi.input"].read()))]
    if environ["PATH_INFO"] == "/fails":
        raise OSError("as the test asked for")
    if "pieces" not in asked:
        told = asked.get("told", [f"{Body.given} {Body.closed} {os.getpid()}"])[0].encode()
        start_response("200 OK", [("Content-Length", str(len(told)))])
        return [told]
    wanted = [(each[0], int(each[1:])) for each in asked["pieces"][0].split(",")]
    length = sum(length for _, length in wanted) + int(asked.get("short", ["0"])[0])
    headers = [("Content-Length", str(length))] if asked["framing"] == ["length"] else []
    start_response("200 OK", headers)
    return Body(wanted, "fails" in asked, "instead" in asked)
