"""Compare the packers with libzstd level 1 and zlib-ng's Huffman-only on one core, from memory.
Then tells the coded length of 100,000 terms in every format.

In CPU time of the thread, as others may share the machine. For plain x86-64 the CRC-32 is timed
apart: isal's, on a processor with AVX-512, leaves it in a state in which SSE code is slow.
"""

from collections.abc import Callable
from functools import partial
from time import thread_time
from typing import Any
from unittest import mock

import zstandard
from isal import isal_zlib
from zlib_ng import zlib_ng

from benchmarks.lib.bench import (
    TERMS,
    Options,
    Target,
    in_turn,
    judge,
    ratios,
    report,
    table,
)
from sequence.coding import coder, gzip, zstd
from sequence.coding.coding import CODINGS, Coding
from sequence.text.compute import compute_bytes
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span

WINDOW = Representation(FORMATS["text"], Span(70_000, 79_000))
PIECE_BYTES = 512 * 1024
PLAIN = "x86-64"


def seconds_to_pack(pieces: list[bytes], coding: Coding) -> float:
    """How long our packer takes."""
    started = thread_time()
    ours = coding.coder(WINDOW)
    for piece in pieces:
        ours.pack(piece)
    ours.finish()
    return thread_time() - started


def seconds_to_pack_plainly(pieces: list[bytes], coding: Coding, plain: Any) -> float:
    """The same with machine code for the oldest processors, without the CRC-32, which is added."""
    with (
        mock.patch.object(gzip, "packer", plain),
        mock.patch.object(zstd, "packer", plain),
        mock.patch.object(isal_zlib, "crc32", return_value=0),
    ):
        seconds = seconds_to_pack(pieces, coding)
    if coding.name == "zstd":
        return seconds
    for piece in pieces:
        isal_zlib.crc32(piece)  # into the cache, where a packer leaves it
        started = thread_time()
        isal_zlib.crc32(piece)
        seconds += thread_time() - started
    return seconds


def seconds_of_library(pieces: list[bytes], compressor: Callable[[], Any]) -> float:
    """How long a library takes."""
    started = thread_time()
    theirs = compressor()
    for piece in pieces:
        theirs.compress(piece)
    theirs.flush()
    return thread_time() - started


def coded_bytes(coding: Coding, representation: Representation) -> int:
    """The length of the coded form."""
    excerpt = representation.excerpt(Span(0, representation.length))
    ours = coding.coder(representation)
    packed = sum(len(ours.pack(piece)) for piece in excerpt.render(compute_bytes(excerpt.text)))
    return packed + len(ours.finish())


ROUNDS = 9


def main(options: Options) -> None:
    """Measure and print."""
    text = b"".join(compute_bytes(WINDOW.excerpt(Span(0, WINDOW.length)).text))
    pieces = [text[at : at + PIECE_BYTES] for at in range(0, len(text), PIECE_BYTES)]
    plain = coder.compiled(PLAIN)
    sides: dict[str, Callable[[], float]] = {}
    for name, coding in CODINGS.items():
        sides[name] = partial(seconds_to_pack, pieces, coding)
        sides[f"{name}, {PLAIN}"] = partial(seconds_to_pack_plainly, pieces, coding, plain)
    libzstd = zstandard.ZstdCompressor(1, write_checksum=True).compressobj
    huffman_only = (1, zlib_ng.DEFLATED, 31, 9, zlib_ng.Z_HUFFMAN_ONLY)
    sides["libzstd"] = partial(seconds_of_library, pieces, libzstd)
    sides["zlib-ng"] = partial(
        seconds_of_library, pieces, partial(zlib_ng.compressobj, *huffman_only)
    )
    taken = in_turn(sides, options.rounds)
    report("The text from memory", taken, "libzstd", len(text))

    rows, shares = [], {}
    for coding in CODINGS.values():
        for format in FORMATS.values():
            whole = Representation(format, Span(0, TERMS))
            packed = coded_bytes(coding, whole)
            shares[coding.name, format.name] = packed / whole.length
            rows.append([coding.name, format.name, f"{packed:,}", f"{packed / whole.length:.4f}"])
    table(f"{TERMS:,} terms", ["coding", "format", "bytes", "of identity"], rows)

    rates = [
        Target(f"{name}, GB/s", [len(text) / 1e9 / s for s in taken[name]], 2.2, unit="GB/s")
        for name in sides
        if name.startswith(tuple(CODINGS))
    ]
    others = [name for name in FORMATS if name != "text"]
    judge(
        *rates,
        Target("zstd against libzstd level 1", ratios(taken["libzstd"], taken["zstd"]), 5),
        Target("gzip against zlib-ng", ratios(taken["zlib-ng"], taken["gzip"]), 10),
        Target("zstd of the text", [shares["zstd", "text"]], at_most=0.428, unit="of identity"),
        Target("gzip of the text", [shares["gzip", "text"]], at_most=0.438, unit="of identity"),
        Target(
            "zstd of the others",
            [shares["zstd", name] for name in others],
            at_most=0.44,
            unit="of identity",
        ),
        Target(
            "gzip of the others",
            [shares["gzip", name] for name in others],
            at_most=0.445,
            unit="of identity",
        ),
    )
