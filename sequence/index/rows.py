"""The rows of segments and of their terms: find, record, forget. A row means durable bytes."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from operator import or_
from threading import Lock
from time import monotonic
from typing import Any

from django.db import connection, transaction
from django.db.models import BigIntegerField, Case, Q, QuerySet, Value, When
from django.db.models.functions import Cast
from django.utils.timezone import now

from sequence import conf, signals
from sequence.index import engine
from sequence.index.ratelimit import acquire
from sequence.models import COUNTS, MAX_COUNT, Segment, Term, as_bytes, is_time
from sequence.store.checksum import BLOCK_BYTES, CHECKSUM_BYTES
from sequence.text.layout import Planned

log = logging.getLogger(__name__)

# Asked for every answer. Written out, as to put these two together took Django 1.5 ms of the 1.8
# that a short answer takes.
_CHECKSUMS = (
    f"SELECT block_checksums FROM {Segment._meta.db_table}"  # noqa: S608
    f" WHERE {' AND '.join(f'{column} = %s' for column in Planned._fields)}"
)
# Cast, as in a damaged row anything may be.
_LENGTH_BYTES = (
    f"SELECT CAST(length_bytes AS BIGINT) FROM {Segment._meta.db_table}"  # noqa: S608
    " WHERE number = %s"
)
_STOP_OFFSET = (
    f"SELECT start_offset + position + digits + 1 FROM {Term._meta.db_table}"  # noqa: S608
    f" JOIN {Segment._meta.db_table} ON number = segment_id WHERE n = %s"
)


def find(number: int) -> Segment | None:
    """Return the stored segment, or None if it has no row or its row disagrees with the layout."""
    planned = conf.layout().planned(number)
    checksums = as_bytes(_first(_CHECKSUMS, planned))
    if checksums is None:
        length_bytes = _first(_LENGTH_BYTES, [number])
        if length_bytes is None:
            return None
        planned = conf.layout().stored(number, length_bytes)
        checksums = as_bytes(_first(_CHECKSUMS, planned))
    blocks = -(-planned.length_bytes // BLOCK_BYTES)
    if checksums is not None and len(checksums) == blocks * CHECKSUM_BYTES:
        return Segment(**planned._asdict(), block_checksums=checksums)
    if acquire(f"row {number}"):
        log.error("The row of segment %s is wrong, or FIBO_MAX_SN has grown.", number)
    return None


def find_stop_offset(n: int) -> int | None:
    """Return the offset just after term n and its space; None if the term has no row."""
    found: int | None = _first(_STOP_OFFSET, [n])
    return found


def _first(question: str, facts: Sequence[Any]) -> Any:
    """Return the first column of the first row; None if there is none."""
    with connection.cursor() as cursor:
        cursor.execute(question, facts)
        row = cursor.fetchone()
    return row and row[0]


class RowCache:
    """Segments as their rows said a second ago at most, by plan: a cache with a time to live.

    Only those who build, repair or delete a segment change its rows. Changes by this process clear
    the cache; those by others show after a second. Until then a row tells at worst of a file that
    is gone or was replaced, and who reads it finds that out (sequence/segments/read.py).
    """

    TIME_TO_LIVE_S = 1.0
    MAX_ROWS = 1024

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Drop all rows."""
        self._rows: dict[Planned, Segment] = {}
        self._until = monotonic() + self.TIME_TO_LIVE_S

    def rows(self) -> dict[Planned, Segment]:
        """Return the rows, to look in and to add to.

        Call it before asking the index: if the cache is cleared in between, the answer is added to
        rows that nobody reads any more.
        """
        if monotonic() >= self._until or len(self._rows) >= self.MAX_ROWS:
            self.clear()
        return self._rows


cache = RowCache()

# SQLite has one writer at a time, and others sleep for up to 100 ms before they look again. On
# PostgreSQL the others would hold connections that look-ups wait for.
_recording = Lock()


def record(segment: Segment, positions: Sequence[int]) -> None:
    """Write the rows of a segment and of its terms, all or none, in place of any others.

    `positions` are those of its terms in bytes, and then the segment's length: `adder.positions`.
    """
    with _recording, writing(segment.number) as cursor:
        _replace(segment)
        # One statement: row by row, each would let Python's lock go and wait for it among the
        # threads that stream. The last position, the segment's end, is no term's.
        cursor.execute(
            f"INSERT INTO {Term._meta.db_table} (n, segment_id, position, digits)"  # noqa: S608
            " SELECT %s + key, %s, value, lead(value) OVER (ORDER BY key) - value - 1"
            f" FROM {engine.current().json_rows} ORDER BY key LIMIT %s",
            [
                segment.first_term,
                segment.number,
                json.dumps(list(positions)),
                segment.term_count,
            ],
        )
    cache.clear()


def _replace(segment: Segment) -> None:
    """Write the segment's row, and delete rows that contradict it and those of its terms."""
    columns = (*Planned._fields, "block_checksums")
    facts = {column: getattr(segment, column) for column in columns}
    unique = (Q(**{column: facts[column]}) for column in ("name", "first_term", "start_offset"))
    forget(Segment.objects.filter(reduce(or_, unique)).exclude(number=segment.number))
    segment.created_at = now()
    rows = Segment.objects.filter(number=segment.number)
    wrong = Q(n__gte=segment.first_term, n__lte=segment.last_term)
    # Its history, which nothing else knows, stays as far as it can be.
    history: dict[str, object] = {column: counted(column) for column in COUNTS}
    if not is_time(rows.values_list("served_at", flat=True).first()):
        history["served_at"] = None
    if rows.update(**facts, created_at=segment.created_at, **history):
        wrong |= Q(segment=segment.number)
    else:
        segment.save(force_insert=True)
        transaction.on_commit(partial(signals.segment_built.send, segment.number), robust=True)
    _delete(Term.objects.filter(wrong))


def counted(column: str, more: int = 0) -> Case:
    """Return the expression for a count with so many more; one that cannot be begins again.

    In SQLite text and blobs are more than any number.
    """
    possible = Q(**{f"{column}__gte": 0, f"{column}__lt": MAX_COUNT})
    return Case(When(possible, then=Cast(column, BigIntegerField()) + more), default=Value(more))


def forget(segments: QuerySet[Segment]) -> None:
    """Delete the rows of the segments and of their terms, durably."""
    numbers = segments.order_by().values("number")
    if locked := [number for (number,) in numbers.values_list("number")]:
        # By a subquery: in a damaged row a number may be of a type that no parameter has.
        delete(Term.objects.filter(segment__in=numbers), segments.order_by(), locked=locked)


def delete(*querysets: QuerySet[Any], locked: Sequence[int] = ()) -> None:
    """Delete the rows in one durable transaction, which locks the segments of these numbers."""
    with engine.current().durable(), writing(*locked):
        for rows in querysets:
            _delete(rows)
    cache.clear()


def _delete(rows: QuerySet[Any]) -> None:
    """Delete the rows without loading them, as Django does if other rows refer to them."""
    rows._raw_delete(rows.db)


@contextmanager
def writing(*segments: int) -> Iterator[Any]:
    """Give the cursor of a transaction that alone, of all hosts, writes about these segments.

    It waits for up to a minute for those who write before.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        engine.current().lock(cursor, segments)
        yield cursor
