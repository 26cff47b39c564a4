"""Compare 100,000 terms in every format and coding with the plain text, sent to curl over loopback
by one worker: from a store that has them, and in the codings from one that has nothing too. With
--before REVISION, compares the text with that of an older revision."""

import hashlib
import subprocess
from collections.abc import Callable
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
    checkout,
    copied,
    curl,
    judge,
    new_store,
    ratios,
    report,
    report_first_bytes,
    scratch_directory,
    served,
    streams_in_turn,
    table,
)
from sequence.coding.coding import CODINGS
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span

Sides = dict[str, Callable[[], tuple[float, float]]]

TEXT, NOTHING_STORED = "text", "nothing stored: "


def length(name: str) -> int:
    """The length of all terms in the format."""
    return Representation(FORMATS[name], Span(0, TERMS)).length


def encoded_length(port: int, coding: str) -> int:
    """The length of all terms as text in the coding; curl decodes it, and it is the text."""
    with subprocess.Popen(
        [
            *("curl", "-s", "--compressed", "-w", "%{stderr}%{size_download}"),
            *("-H", f"Accept-Encoding: {coding}", f"http://127.0.0.1:{port}{WHOLE}"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        digest = hashlib.sha256()
        while chunk := process.stdout.read(1024 * 1024):
            digest.update(chunk)
        assert digest.hexdigest() == TEXT_SHA256
        return int(process.stderr.read())


ROUNDS = 9


def main(options: Options) -> None:
    """Measure and print."""
    with scratch_directory(options.directory) as scratch:
        data = new_store(scratch / "data", TERMS)
        with served(data, WEB_CONCURRENCY="1") as ours:
            sides: Sides = {TEXT: partial(curl, ours.port, WHOLE, TEXT_BYTES)}
            if options.before:
                root = checkout(options.before, scratch / "before")
                with served(data, root=root, WEB_CONCURRENCY="1") as older:
                    sides[options.before] = partial(curl, older.port, WHOLE, TEXT_BYTES)
                    measure(sides, options.before, options.rounds)
                return
            for name in FORMATS:
                sides[name] = partial(curl, ours.port, f"{WHOLE}&format={name}", length(name))
            lengths = {coding: encoded_length(ours.port, coding) for coding in CODINGS}
            for coding, nbytes in lengths.items():
                header = ("-H", f"Accept-Encoding: {coding}")
                sides[coding] = partial(curl, ours.port, WHOLE, nbytes, *header)
            sides |= with_nothing_stored(scratch, lengths)
            judge_codings(*measure(sides, TEXT, options.rounds))
            rows = [
                [name, f"{nbytes:,}", f"{nbytes / TEXT_BYTES:.4f}"]
                for name, nbytes in lengths.items()
            ]
            table("Length of the text in each coding", ["coding", "bytes", f"× {TEXT}"], rows)


def with_nothing_stored(scratch: Path, lengths: dict[str, int]) -> Sides:
    """The text, and the text in each coding, of a service just started on an empty store."""
    empty = new_store(scratch / "empty")

    def cold(nbytes: int, *header: str) -> tuple[float, float]:
        with copied(empty) as data, served(data, WITH_COMPILER, WEB_CONCURRENCY="1") as server:
            return curl(server.port, WHOLE, nbytes, *header)

    encoded = {
        f"{NOTHING_STORED}{coding}": partial(cold, nbytes, "-H", f"Accept-Encoding: {coding}")
        for coding, nbytes in lengths.items()
    }
    return {f"{NOTHING_STORED}{TEXT}": partial(cold, TEXT_BYTES), **encoded}


def measure(
    sides: Sides, against: str, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Measure the sides in turn, print a table of them; return the times to the first byte and
    to the last."""
    firsts, lasts = streams_in_turn(sides, rounds)
    report(f"{TERMS:,} terms to curl", lasts, against, TEXT_BYTES)
    report_first_bytes("First byte", firsts)
    return firsts, lasts


def judge_codings(firsts: dict[str, list[float]], lasts: dict[str, list[float]]) -> None:
    """Print how long the codings take against the text, stored and not."""
    pairs = [(how + coding, how + TEXT) for how in ("", NOTHING_STORED) for coding in CODINGS]
    judge(
        *(
            Target(
                f"{coding} takes as long as the text",
                ratios(lasts[coding], lasts[text]),
                at_most=1.6,
            )
            for coding, text in pairs
        ),
        *(
            Target(
                f"{coding}: first byte against the text's",
                ratios(firsts[coding], firsts[text]),
                at_most=1.1,
            )
            for coding, text in pairs
        ),
    )
