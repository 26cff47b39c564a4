"""Compares what is stored with arithmetic, and says where they differ."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from sequence import build, coded, conf, healing
from sequence.background import in_thread
from sequence.coding import CODINGS
from sequence.models import CodedSegment, Segment, Term
from sequence.store.checksum import BlockChecksums
from sequence.text import adder
from sequence.text.compute import compute, compute_bytes
from sequence.text.format import FORMATS
from sequence.text.layout import segment_name, term_at
from sequence.text.span import Span


class Finding(NamedTuple):
    """Something that is not as it must be."""

    name: str
    """The file that it is about, or whose rows."""
    sentence: str


class Verified(NamedTuple):
    """A file that was looked at, whole, with its rows."""

    name: str
    length_bytes: int
    findings: list[Finding]


def names() -> list[str]:
    """All that there is to look at: the names that files or rows have."""
    rows = {*Segment.objects.values_list("name", flat=True)}
    coded_rows = {*CodedSegment.objects.values_list("name", flat=True)}
    return sorted({*build.store().names()} | rows | coded_rows)


def verify(names: list[str], workers: int) -> Generator[Verified]:
    """Looks at the files and their rows, `workers` files at once, in the order given.

    Changes nothing. Raises DatabaseError where the index cannot be read at all.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="verify")
    try:
        for future in [pool.submit(in_thread, partial(verify_one, name)) for name in names]:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def verify_one(name: str) -> Verified:
    """Looks at one file and its rows."""
    number = _number(name)
    if number is not None and name == segment_name(number):
        findings = [Finding(name, sentence) for sentence in _wrong_segment(number)]
    elif number is not None and CodedSegment.objects.filter(name=name).exists():
        findings = [Finding(name, sentence) for sentence in _wrong_coded(name)]
    else:
        findings = [Finding(name, "It belongs to nothing that the index knows.")]
    return Verified(name, build.store().length(name) or 0, findings)


def repair(finding: Finding) -> None:
    """Mends what was found: a segment is made again, all else is removed, as it can be made again.

    Raises OSError where the disk does not take it.
    """
    number = _number(finding.name)
    if number is not None and finding.name == segment_name(number):
        healing.remake(number)
    else:
        Segment.objects.filter(name=finding.name).delete()
        coded.forget(finding.name)


def _number(name: str) -> int | None:
    """The number of the segment that the file is of; None where it is of none."""
    digits = name.partition(".")[0]
    return int(digits) if digits.isdecimal() and digits.isascii() and len(digits) < 19 else None


def _wrong_segment(number: int) -> Iterator[str]:
    """What is wrong with a segment's rows and with its file."""
    facts = build.planned(conf.layout(), number)
    row = Segment.objects.filter(name=facts["name"]).first()
    if row is None:
        yield "The index has no row for it."
    else:
        for column, fact in facts.items():
            if getattr(row, column) != fact:
                yield f"The index has {column} {getattr(row, column)}; it must be {fact}."
    terms = conf.layout().terms(number)
    yield from _wrong_terms(number, terms)
    checksums = BlockChecksums()
    yield from _wrong_bytes(number, terms, checksums)
    if row is not None and bytes(row.block_checksums) != checksums.digest():
        yield "The index has other checksums than its bytes must have."


def _wrong_terms(number: int, terms: Span) -> Iterator[str]:
    """The first of its terms whose row is wrong or missing, or how many rows are too many."""
    positions = adder.positions(terms)
    places = enumerate(pairwise(positions), terms.start)
    expected = ((n, number, start, stop - start - 1) for n, (start, stop) in places)
    among = Term.objects.filter(n__gte=terms.start, n__lt=terms.stop).order_by("n")
    rows = among.values_list("n", "segment_id", "position", "digits").iterator(chunk_size=10_000)
    for wanted in expected:
        found = next(rows, None)
        if found != wanted:
            yield f"The index has term {wanted[0]:,} as {found}; it must be {wanted}."
            return
    others = Term.objects.filter(segment=number).exclude(n__gte=terms.start, n__lt=terms.stop)
    if surplus := others.count():
        yield f"The index has {surplus:,} terms in it that are not its own."


def _wrong_bytes(number: int, terms: Span, checksums: BlockChecksums) -> Iterator[str]:
    """The first byte of the file that is wrong or missing; `checksums` get those it must have."""
    store, name = build.store(), segment_name(number)
    start_offset = int(build.planned(conf.layout(), number)["start_offset"])
    position, right = 0, True
    for piece in compute(terms):
        checksums.update(piece)
        span = Span(position, position + len(piece))
        position = span.stop
        if not right:
            continue
        stored, expected = store.part(name, span), bytes(piece)
        if stored != expected:
            right = False
            byte = span.start + _first_difference(stored, expected)
            what = "is wrong" if byte < span.start + len(stored) else "is not there"
            yield f"Byte {byte:,}, of term {term_at(start_offset + byte):,}, {what}."
    surplus = (store.length(name) or 0) - position
    if right and surplus:
        yield f"The file has {surplus:,} bytes too many."


def _first_difference(found: bytes, expected: bytes) -> int:
    """Where the two differ first."""
    pairs = enumerate(zip(found, expected, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(found), len(expected)))


def _wrong_coded(name: str) -> Iterator[str]:
    """What is wrong with a coded segment: it must be what coding makes of the digits."""
    digits, _, rest = name.partition(".")
    makers = {
        coded.file_name(int(digits), format, coding): (format, coding)
        for format in FORMATS.values()
        for coding in CODINGS.values()
    }
    if name not in makers:
        yield f"There is no format and coding that {rest} tells of."
        return
    number, (format, coding) = int(digits), makers[name]
    facts = build.planned(conf.layout(), number)
    start = int(facts["start_offset"])
    text = compute_bytes(Span(start, start + int(facts["length_bytes"])))
    coder, checksums, position = coded.CheckedCoder(coding), BlockChecksums(), 0
    for piece in coder.code(coded.rendered(number, format, text)):
        checksums.update(piece)
        span = Span(position, position + len(piece))
        position = span.stop
        if build.store().part(name, span) != piece:
            yield f"It is wrong, or ends, between bytes {span.start:,} and {span.stop:,}."
            return
    row = CodedSegment.objects.get(name=name)
    found = (row.segment_id, row.length_bytes, row.crc32, bytes(row.block_checksums))
    if found != (number, position, coder.crc32, checksums.digest()):
        yield "The index has another segment, length or checksums than it must have."
    if build.store().length(name) != position:
        yield "The file has bytes too many."
