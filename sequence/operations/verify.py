"""Compares what is stored with arithmetic, says where they differ, and repairs it if asked to."""

from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import pairwise
from time import monotonic
from typing import Any, NamedTuple, cast

from django.contrib.messages.constants import ERROR, SUCCESS, WARNING
from django.db import DatabaseError
from django.db.models import QuerySet
from django.template.defaultfilters import pluralize

from sequence import conf
from sequence.background import each
from sequence.index import engine, health
from sequence.index.failures import Failures
from sequence.index.rows import delete, find, forget
from sequence.models import Segment, Term, as_bytes
from sequence.operations import reconcile
from sequence.operations.jobs import Outcome, Run
from sequence.segments import build, inventory, storage
from sequence.store.checksum import BlockChecksums
from sequence.store.store import LABEL, Segments
from sequence.text import adder
from sequence.text.compute import compute_terms
from sequence.text.layout import Planned, segment_name, segment_number, term_at
from sequence.text.span import Span

RIGHT, REPAIRED = Outcome(SUCCESS, "right"), Outcome(WARNING, "repaired")
WRONG, NOT_REPAIRED = Outcome(ERROR, "wrong"), Outcome(ERROR, "not repaired")
"""What comes of a file that is verified, and with `repairs` repaired, in a job."""


class Finding(NamedTuple):
    """Something that is not as it must be."""

    name: str
    """Of the file that it is about, or that has the rows."""
    sentence: str


class Verified(NamedTuple):
    """A whole file that was compared, with its rows."""

    name: str
    length_bytes: int
    findings: list[Finding]


def faults() -> list[Finding]:
    """Return what is wrong with the index, with the label, and with rows that are of no file."""
    try:
        found = [health.fault("integrity_check")] + [
            f"It has {count:,} {what}."
            for what, rows in _rows_of_nothing()
            if (count := rows.count())
        ]
    except DatabaseError as error:
        found = [engine.said(error)]
    findings = [Finding(engine.current().name, sentence) for sentence in found if sentence]
    if sentence := storage.label_fault():
        findings.append(Finding(LABEL, sentence))
    return findings


def repair_faults() -> None:
    """Repair those: the index, the label, and such rows, which are removed. Sweep the store, too.

    Raises OSError and DatabaseError.
    """
    reconcile.repair_and_sweep("integrity_check")
    delete(*(rows for _, rows in _rows_of_nothing()))


def _rows_of_nothing() -> list[tuple[str, QuerySet[Any]]]:
    possible = inventory.rows().values("number")
    return [
        ("segments that cannot be", inventory.strays()),
        ("terms in segments that it does not have", Term.objects.exclude(segment__in=possible)),
    ]


def names() -> list[str]:
    """Return the names of all files, and of those that rows tell of."""
    numbers: list[int] = []
    with suppress(DatabaseError):  # one of `faults`
        numbers += inventory.numbers()
    of_rows = filter(conf.layout().is_name, map(segment_name, numbers))
    return sorted({*storage.store().names(), *of_rows})


def files(names: list[str], workers: int, repairs: Failures | None = None) -> Generator[Verified]:
    """Compare the files and their rows, `workers` files at once; yield them in the order given.

    With `repairs` each that is wrong is repaired after it was yielded, and a failure of that is
    noted there. Otherwise nothing is changed.
    """
    for name, verifying in each(verify_file, names, workers):
        verified = verifying.result()
        yield verified
        if repairs and verified.findings:
            with repairs.about(name):
                repair_file(name)


def as_job(names: list[str], run: Run, repairs: Failures | None = None) -> Outcome:
    """Compare those files, and with `repairs` repair what is wrong; return what came of it.

    Writes an entry about each into the log, whether it is right or wrong.
    """
    return _in_job(names, run, repairs, Counter(), is_right_noted=True)


def all_as_job(run: Run, repairs: Failures | None = None) -> Outcome:
    """Do so with all that is stored, the index and the label; write entries of what is wrong."""
    found, outcome = faults(), WRONG
    if repairs and found:
        with repairs.about(engine.current().name):
            repair_faults()
        outcome = NOT_REPAIRED if repairs.sentences else REPAIRED
    for finding in found:
        run.note(outcome.level, finding.name, finding.sentence, finding.name)
    others = Counter({outcome._replace(sentence=f"{outcome.sentence} in the index"): len(found)})
    return _in_job(names(), run, repairs, others, is_right_noted=False)


def _in_job(
    names: list[str],
    run: Run,
    repairs: Failures | None,
    others: Counter[Outcome],
    is_right_noted: bool,
) -> Outcome:
    """Verify the files, and repair them; `others` counts what else was wrong."""
    counts, started = Counter[Outcome](), monotonic()
    for verified in run.counted(files(names, build.BUILDERS), len(names)):
        outcome, sentence = _repaired(verified, repairs)
        counts[outcome] += 1
        if verified.findings or is_right_noted:
            run.note(outcome.level, verified.name, sentence, _number(verified.name))
    return _total(counts, others, run.is_stopped, monotonic() - started)


def _total(
    segments: Counter[Outcome], others: Counter[Outcome], is_stopped: bool, seconds: float
) -> Outcome:
    """Return what came of a job that found so many of each."""
    found = {what: count for what, count in (segments + others).items() if what != RIGHT}
    counts = ", ".join(f"{found[what]:,} {what.sentence}" for what in sorted(found))
    sentence = (
        f"{'Stopped: verified' if is_stopped else 'Verified'} {segments.total():,} "
        f"segment{pluralize(segments.total())} in {seconds:.1f} s: "
        f"{f'{segments[RIGHT]:,} right, {counts}' if found else 'nothing is wrong'}."
    )
    least = WARNING if is_stopped else SUCCESS
    return Outcome(max([least, *(what.level for what in found)]), sentence)


def _repaired(verified: Verified, repairs: Failures | None) -> tuple[Outcome, str]:
    """Repair the file, if it is to be; return what came of it, and the sentences of its entry."""
    found = " ".join(finding.sentence for finding in verified.findings)
    if not verified.findings:
        return RIGHT, "Verified: right."
    if repairs is None:
        return WRONG, found
    failed_before = len(repairs.sentences)
    with repairs.about(verified.name):
        repair_file(verified.name)
    if failed := repairs.sentences[failed_before:]:
        return NOT_REPAIRED, f"{found} {' '.join(failed)}"
    return REPAIRED, f"{found} Repaired."


def verify_file(name: str) -> Verified:
    """Compare one file and its rows."""
    try:
        findings = [Finding(name, sentence) for sentence in _wrong(name)]
        length_bytes = storage.store().length(name) or 0
    except DatabaseError as error:
        sentence, length_bytes = f"The index cannot be read about it: {engine.said(error)}.", 0
        findings = [Finding(name, sentence)]
    except OSError as error:
        findings, length_bytes = [Finding(name, f"It cannot be read: {error}.")], 0
    return Verified(name, length_bytes, findings)


def repair_file(name: str) -> None:
    """Repair what was found about the file: a segment is rebuilt, all else is removed.

    Raises OSError and DatabaseError if that cannot be written.
    """
    number, store = _number(name), storage.store()
    if conf.layout().planned(number).term_count and (
        store.length(name) is not None or find(number) or name in store.names()
    ):
        build.repair(number)
    else:
        # Nothing says that there should be a file, but for a row that is wrong.
        forget(Segment.objects.filter(number=number))
        with store.sole_builder(name):
            store.remove(name)


def _number(name: str) -> int:
    """Return the number in the name of one of the store's own segments."""
    return cast("int", segment_number(name))


def _wrong(name: str) -> Iterator[str]:
    """Yield what is wrong with a file and its rows."""
    number = _number(name)
    # What a builder has not finished, be it at work or dead, nobody reads either.
    if storage.store().is_being_built(name) and not Segment.objects.filter(number=number).exists():
        return
    planned = conf.layout().stored(number, storage.store().length(name))
    if planned.term_count:
        yield from _wrong_segment(planned)
    else:
        yield "There is no segment of that number: its place lies within one long term."


def _wrong_segment(planned: Planned) -> Iterator[str]:
    """Yield what is wrong with a segment's rows and with its file."""
    rows = Segment.objects.filter(number=planned.number)
    checksums = BlockChecksums()
    wrong_bytes = list(_wrong_bytes(planned, checksums))
    if not rows.exists():
        yield "The index has no row for it."
    else:
        for row in rows:
            yield from row.faults(planned)
            if as_bytes(row.block_checksums) != checksums.digest():
                yield "The index has other checksums than its bytes must have."
        yield from _wrong_terms(planned)
    yield from wrong_bytes


def _wrong_terms(planned: Planned) -> Iterator[str]:
    """Yield the first term whose row is wrong or missing, or else how many rows are too many."""
    number, terms = planned.number, planned.terms
    positions = adder.positions(terms)
    places = enumerate(pairwise(positions), terms.start)
    expected = ((n, number, start, stop - start - 1) for n, (start, stop) in places)
    among = Term.objects.filter(n__gte=terms.start, n__lt=terms.stop).order_by("n")
    # All at once, like the positions: a cursor left open would outlive its connection.
    rows = iter(among.values_list("n", "segment_id", "position", "digits"))
    for wanted in expected:
        found = next(rows, None)
        if found != wanted:
            yield f"The index has term {wanted[0]:,} as {found}; it must be {wanted}."
            return
    others = Term.objects.filter(segment=number).exclude(n__gte=terms.start, n__lt=terms.stop)
    if surplus := others.count():
        yield f"The index has {surplus:,} terms in it that are not its own."


def _wrong_bytes(planned: Planned, checksums: BlockChecksums) -> Iterator[str]:
    """Yield the first byte that is wrong or missing in each replica of the file.

    `checksums` is updated with the right bytes.
    """
    replicas, wrong = storage.store().replicas(planned.name), set()
    position = 0
    for piece in compute_terms(planned.terms):
        checksums.update(piece)
        span, expected = Span(position, position + len(piece)), bytes(piece)
        position = span.stop
        for replica in replicas:
            if replica not in wrong and (stored := replica.part(planned.name, span)) != expected:
                wrong.add(replica)
                byte = span.start + _first_difference(stored, expected)
                what = "is wrong" if byte < span.start + len(stored) else "is not there"
                term = term_at(planned.start_offset + byte)
                yield f"Byte {byte:,}, of term {term:,}, {what}{_where(replica)}."
    for replica in replicas:
        surplus = (replica.length(planned.name) or 0) - position
        if replica not in wrong and surplus:
            yield f"The file has {surplus:,} bytes too many{_where(replica)}."


def _where(replica: Segments) -> str:
    """Say which replica it is, unless the store has only one."""
    return "" if replica is storage.store() else f" in {replica}"


def _first_difference(found: bytes, expected: bytes) -> int:
    """Return where the two differ first."""
    pairs = enumerate(zip(found, expected, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(found), len(expected)))
