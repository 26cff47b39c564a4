"""What is stored: the rows of the index, compared with the plan and with the store's files.

Reconciliation begins here: a row is believed only if it is as planned and its file is there. Rows
come as they are read, with values of any type if the index is damaged; of those only a number that
can be one is used, and arithmetic knows the rest.

Commands, which run now and then, ask the store for the lengths of its files; pages, probes and
scrapes ask only for what it can tell at once.
"""

from collections.abc import Iterable, Iterator
from sys import maxsize
from typing import NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Length

from sequence import conf
from sequence.index.failures import dispensable
from sequence.index.rows import forget
from sequence.models import Segment, is_count
from sequence.segments import storage
from sequence.store.checksum import BLOCK_BYTES, CHECKSUM_BYTES
from sequence.text.layout import Planned, segment_name
from sequence.text.span import Span


def rows() -> QuerySet[Segment]:
    """Return the rows of numbers that segments can have, without their checksums.

    Those are long; their length is `checksum_bytes`.
    """
    found = Segment.objects.numbered(conf.layout().possible).defer("block_checksums")
    return found.annotate(checksum_bytes=Length("block_checksums"))


def numbers() -> list[int]:
    """Return the numbers that rows have, of those that segments can have."""
    return list(Segment.objects.numbered(conf.layout().possible).values_list("number", flat=True))


def strays() -> QuerySet[Segment]:
    """Return the rows that are of no segment: their number cannot be one."""
    return Segment.objects.strays(conf.layout().possible)


def remove_strays() -> int:
    """Remove those; return how many there were."""
    count = strays().count()
    forget(strays())
    return count


def planned(row: Segment) -> Planned:
    """Return what arithmetic says of the segment of one of `rows`.

    As of its length, if another FIBO_MAX_SN made it end elsewhere; else as it is to be built.
    """
    length_bytes = row.length_bytes if is_count(row.length_bytes) else None
    return conf.layout().stored(row.number, length_bytes)


def faults(row: Segment, length_bytes: int | None) -> list[str]:
    """Return what is wrong with one of `rows`, and with its file, which has that length.

    A sentence each; none for a segment that is stored. `length_bytes` is None if the file is
    missing.
    """
    plan = planned(row)
    found = row.faults(plan)
    expected = -(-plan.length_bytes // BLOCK_BYTES) * CHECKSUM_BYTES
    checksum_bytes = getattr(row, "checksum_bytes", None) or 0
    if checksum_bytes != expected:
        found.append(
            f"The index has {checksum_bytes:,} bytes of checksums; it must have {expected:,}."
        )
    if length_bytes is None:
        found.append("Its file is missing.")
    elif length_bytes != plan.length_bytes:
        found.append(f"Its file has {length_bytes:,} bytes; it must have {plan.length_bytes:,}.")
    return found


def faults_at_once(row: Segment) -> list[str]:
    """Return `faults`, for pages: without a question to another host."""
    plan = planned(row)
    lengths = storage.store().lengths_at_once({plan.name: plan.length_bytes})
    return faults(row, lengths.get(plan.name))


def is_stored(number: int) -> bool:
    """Return whether the segment is stored, for pages; no if the index fails."""
    with dispensable(f"Looking up segment {number}"):
        return any(not faults_at_once(row) for row in rows().filter(number=number))
    return False


class Inventory(NamedTuple):
    """The segments that rows tell of, by their numbers, in order."""

    stored: dict[int, int]
    """Their lengths in bytes."""
    missing: list[int]
    """Those whose files are missing or have another length than the rows say."""
    repaired: list[int]
    """Those of the stored ones that were ever repaired."""
    served_times: int
    repaired_times: int

    def totals(self) -> dict[str, int]:
        """Return the totals over what is stored."""
        length_bytes = sum(self.stored.values())
        terms = sum(terms_of(run, self.stored[run[-1]]).length for run in runs(self.stored))
        return {
            "segments": len(self.stored),
            "missing": len(self.missing),
            "terms": terms,
            "bytes": length_bytes,
            "digits": length_bytes - terms,
            "served": self.served_times,
            "repaired": self.repaired_times,
        }


def take() -> Inventory:
    """Compare all rows with the lengths of the files that the store can tell at once.

    Not with the plan, which takes 0.1 ms a row: `faults` does that.
    """
    columns = ("number", "length_bytes", "served", "repaired")
    numbered = Segment.objects.numbered(conf.layout().possible)
    # The rows first: what is stored in between has its file by then.
    found = list(numbered.order_by("number").values_list(*columns))
    recorded = {segment_name(number): length_bytes for number, length_bytes, *_ in found}
    files = storage.store().lengths_at_once(recorded)
    inventory, served_times, repaired_times = Inventory({}, [], [], 0, 0), 0, 0
    for number, length_bytes, served, repaired in found:
        if not is_count(length_bytes) or files.get(segment_name(number)) != length_bytes:
            inventory.missing.append(number)
            continue
        inventory.stored[number] = length_bytes
        served_times += served if is_count(served) else 0
        if is_count(repaired) and repaired:
            repaired_times += repaired
            inventory.repaired.append(number)
    return inventory._replace(served_times=served_times, repaired_times=repaired_times)


def runs(numbers: Iterable[int], most: int = maxsize) -> Iterator[range]:
    """Return the numbers, which are in order, as ranges of at most so many neighbours."""
    run = range(0)
    for number in numbers:
        if number == run.stop and len(run) < most:
            run = range(run.start, number + 1)
        else:
            if run:
                yield run
            run = range(number, number + 1)
    if run:
        yield run


def terms_of(run: range, last_bytes: int) -> Span:
    """Return the terms that neighbouring segments hold, of which the last has that length."""
    plan = conf.layout()
    return Span(plan.planned(run[0]).first_term, plan.stored(run[-1], last_bytes).terms.stop)


def bytes_of(run: range) -> Span:
    """Return the bytes that neighbouring segments hold of the text that can be asked for."""
    plan = conf.layout()
    return Span(plan.planned(run[0]).start_offset, plan.planned(run[-1]).span.stop)
