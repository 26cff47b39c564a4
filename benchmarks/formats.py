"""Compares 100,000 stored terms in every format and coding with the plain text, sent to curl over
loopback by one worker. With --before REVISION, compares the text with that of an older revision."""

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import (
    ROOT,
    TERMS,
    TEXT_BYTES,
    WHOLE,
    curl,
    heading,
    new_store,
    parser,
    report,
    report_first_bytes,
    scratch_directory,
    served,
    streams_in_turn,
    table,
)

from sequence.coding import CODINGS
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span

TEXT = "text"


def checkout(revision: str, directory: Path) -> Path:
    """The files of a revision, unpacked into the directory, which is made; returns it."""
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision],  # noqa: S607
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(directory, filter="data")
    return directory


def length(name: str) -> int:
    """The length of all terms in the format."""
    return Representation(FORMATS[name], Span(0, TERMS)).length


def coded_length(port: int, coding: str) -> int:
    """The length of all terms as text in the coding; the segments are then kept in it."""
    shown = subprocess.run(
        [
            *("curl", "-s", "-o", os.devnull, "-w", "%{size_download}"),
            *("-H", f"Accept-Encoding: {coding}", f"http://127.0.0.1:{port}{WHOLE}"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(shown.stdout)


def main() -> None:
    """Measures and prints."""
    arguments = parser(__doc__, rounds=9)
    arguments.add_argument("--before", metavar="REVISION")
    options = arguments.parse_args()
    with scratch_directory(options.directory) as scratch:
        data = new_store(scratch / "data", TERMS)
        with served(data, WEB_CONCURRENCY="1") as ours:
            sides: dict[str, Callable[[], tuple[float, float]]] = {
                TEXT: partial(curl, ours.port, WHOLE, TEXT_BYTES)
            }
            if options.before:
                root = checkout(options.before, scratch / "before")
                with served(data, root=root, WEB_CONCURRENCY="1") as older:
                    sides[options.before] = partial(curl, older.port, WHOLE, TEXT_BYTES)
                    measure(sides, options.before, options.rounds)
                return
            for name in FORMATS:
                sides[name] = partial(curl, ours.port, f"{WHOLE}&format={name}", length(name))
            lengths = {coding: coded_length(ours.port, coding) for coding in CODINGS}
            for coding, coded in lengths.items():
                header = ("-H", f"Accept-Encoding: {coding}")
                sides[f"text, {coding}"] = partial(curl, ours.port, WHOLE, coded, *header)
            measure(sides, TEXT, options.rounds)
            rows = [
                [name, f"{nbytes:,}", f"{nbytes / TEXT_BYTES:.4f}"]
                for name, nbytes in lengths.items()
            ]
            table("Length of the text in each coding", ["coding", "bytes", f"× {TEXT}"], rows)


def measure(sides: dict[str, Callable[[], tuple[float, float]]], against: str, rounds: int) -> None:
    """Measures the sides in turn, and prints a table of them."""
    heading()
    firsts, lasts = streams_in_turn(sides, rounds)
    report(f"{TERMS:,} stored terms to curl", lasts, against, TEXT_BYTES)
    report_first_bytes("First byte", firsts)


if __name__ == "__main__":
    main()
