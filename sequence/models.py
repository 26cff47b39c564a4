"""The index: which segment holds each term, and where in it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial, reduce
from operator import or_
from threading import Lock
from time import monotonic
from typing import Any, Self

from django.db import connection, models, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Cast
from django.utils.timezone import now

from sequence.errors import shortened
from sequence.signals import segment_built
from sequence.text.layout import Planned
from sequence.text.span import Span

MAX_COUNT = 10**15
"""What a count of a segment's history can be at most: more is read from no damaged row."""

COUNTS = ("served", "checked_blocks", "repaired")
"""The counts of a segment's history, by the names of their columns."""


def counted(column: str, more: int = 0) -> Case:
    """Return the expression for a count with so many more; one that cannot be begins again.

    In SQLite text and blobs are more than any number.
    """
    possible = models.Q(**{f"{column}__gte": 0, f"{column}__lt": MAX_COUNT})
    found = Cast(column, models.BigIntegerField())
    return Case(When(possible, then=found + more), default=Value(more))


def is_count(value: object) -> bool:
    """Return whether what was read can be a count."""
    return isinstance(value, int) and 0 <= value < MAX_COUNT


def is_time(value: object) -> bool:
    """Return whether what was read is a time."""
    return isinstance(value, datetime)


def as_bytes(value: object) -> bytes | None:
    """Return what was read as bytes; None if it is something else."""
    return bytes(value) if isinstance(value, bytes | memoryview) else None


class SegmentQuerySet(models.QuerySet["Segment"]):
    """Questions about the stored segments."""

    def numbered(self, numbers: range) -> Self:
        """Return the rows whose number is one of these, and an integer."""
        return self.filter(_numbered(numbers))

    def strays(self, numbers: range) -> Self:
        """Return all other rows: those whose number is of another type or cannot be."""
        # Not exclude(): of a number that is NULL that knows nothing.
        return self.filter(Case(When(_numbered(numbers), then=Value(False)), default=Value(True)))


def _numbered(numbers: range) -> models.Q:
    whole = Cast("number", models.BigIntegerField())
    return models.Q(number__gte=numbers.start, number__lt=numbers.stop, number=whole)


class Segment(models.Model):
    """A stored segment: its row means that its bytes are on the disk."""

    number = models.PositiveBigIntegerField(primary_key=True)
    name = models.CharField(max_length=64, unique=True)
    first_term = models.PositiveBigIntegerField(unique=True)
    term_count = models.PositiveBigIntegerField()
    start_offset = models.PositiveBigIntegerField(unique=True)
    length_bytes = models.PositiveBigIntegerField()
    block_checksums = models.BinaryField(help_text="CRC-32 of each block, 4 bytes big-endian each")
    created_at = models.DateTimeField(auto_now_add=True)
    # What has become of it since (sequence/index/counters.py); nothing depends on these.
    served = models.PositiveBigIntegerField(default=0, help_text="how often")
    served_at = models.DateTimeField(null=True, help_text="for the last time")
    checked_blocks = models.PositiveBigIntegerField(default=0, help_text="read and checked")
    repaired = models.PositiveBigIntegerField(default=0, help_text="stretches that were wrong")

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ("number",)
        permissions = (
            ("verify_segment", "Can verify segments"),
            ("repair_segment", "Can repair segments"),
            ("populate_segment", "Can populate the store"),
        )
        constraints = (
            models.CheckConstraint(name="segment_has_terms", condition=models.Q(term_count__gte=1)),
            # A term has at least a digit and a space.
            models.CheckConstraint(
                name="segment_has_bytes", condition=models.Q(length_bytes__gte=2 * F("term_count"))
            ),
        )

    def __str__(self) -> str:
        return f"segment {self.number}"

    @property
    def last_term(self) -> int:
        """The last term that it holds."""
        return self.first_term + self.term_count - 1

    @property
    def digits(self) -> int:
        """How many digits it holds: its bytes without the spaces."""
        return self.length_bytes - self.term_count

    @property
    def span(self) -> Span:
        """Its bytes in the text."""
        return Span(self.start_offset, self.start_offset + self.length_bytes)

    def faults(self, planned: Planned) -> list[str]:
        """Return a sentence for each column that is not as planned, or cannot be.

        As read from SQLite, where a damaged row has values of any type.
        """
        found = [
            (column, str(fact))
            for column, fact in planned._asdict().items()
            if type(value := getattr(self, column)) is not type(fact) or value != fact
        ]
        found += [(column, "a count") for column in COUNTS if not is_count(getattr(self, column))]
        if not is_time(self.created_at):
            found.append(("created_at", "a time"))
        if not (self.served_at is None or is_time(self.served_at)):
            found.append(("served_at", "a time"))
        return [
            f"The index has {column} {_shown(getattr(self, column))}; it must be {allowed}."
            for column, allowed in found
        ]


def _shown(value: object) -> str:
    """Return the value for a sentence; a text or a blob in quotes, printable and short."""
    return shortened(value) if isinstance(value, str | bytes) else str(value)


class Term(models.Model):
    """Where a stored term lies: `digits` bytes from `position` of its segment on, then a space."""

    # An IntegerField, as SQLite keeps the rows in the order of a key that it calls INTEGER.
    n = models.IntegerField(primary_key=True)
    # No index: a segment's terms are found by n, and that index would double the table.
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="terms", db_index=False)
    position = models.PositiveBigIntegerField()
    digits = models.PositiveBigIntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(name="term_has_digits", condition=models.Q(digits__gte=1)),
        )

    def __str__(self) -> str:
        return f"F({self.n})"


# Asked for every answer. Written out, as to put these two together took Django 1.5 ms of the 1.8
# that a short answer takes.
_CHECKSUMS = (
    f"SELECT block_checksums FROM {Segment._meta.db_table}"  # noqa: S608
    f" WHERE {' AND '.join(f'{column} = %s' for column in Planned._fields)}"
)
_STOP_OFFSET = (
    f"SELECT start_offset + position + digits + 1 FROM {Term._meta.db_table}"  # noqa: S608
    f" JOIN {Segment._meta.db_table} ON number = segment_id WHERE n = %s"
)


def stored_checksums(planned: Planned) -> bytes | None:
    """The checksums of the segment that is stored as planned; None where none is."""
    return as_bytes(_first(_CHECKSUMS, planned))


def stored_length_bytes(number: int) -> int | None:
    """How long the segment of that number is, as its row says; None if there is none."""
    # Cast, as in a damaged row anything may be.
    table = Segment._meta.db_table
    question = f"SELECT CAST(length_bytes AS BIGINT) FROM {table} WHERE number = %s"  # noqa: S608
    found: int | None = _first(question, [number])
    return found


def stored_stop_offset(n: int) -> int | None:
    """The offset just after term n and its space, as stored; None where it is not stored."""
    found: int | None = _first(_STOP_OFFSET, [n])
    return found


class RowCache:
    """Segments as their rows said a second ago at most, by plan: a cache with a time to live.

    Rows never change but by those who build, repair or delete a segment. What this process changes
    is forgotten at once; what others do, after a second. Until then a row tells at worst of a file
    that is gone or was replaced, and who reads it finds that out (sequence/segments/read.py).
    """

    TIME_TO_LIVE_S = 1.0
    MAX_ROWS = 1024

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Forget all rows."""
        self._rows: dict[Planned, Segment] = {}
        self._until = monotonic() + self.TIME_TO_LIVE_S

    def rows(self) -> dict[Planned, Segment]:
        """Return the rows, to look in and to add to.

        To be asked for before the index is: if what that says is forgotten in between, it is added
        to rows that nobody asks any more.
        """
        if monotonic() >= self._until or len(self._rows) >= self.MAX_ROWS:
            self.forget()
        return self._rows


cache = RowCache()


def _first(question: str, facts: Sequence[Any]) -> Any:
    """The first column of the first row; None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(question, facts)
        row = cursor.fetchone()
    return row and row[0]


@contextmanager
def writing(*segments: int) -> Iterator[Any]:
    """The cursor of a transaction that alone, of all hosts, writes about segments of such numbers.

    It waits for up to a minute for those who write before.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # SQLite has one writer at a time, and the settings say how long the others wait.
        if connection.vendor == "postgresql":
            # Look-ups wait for less.
            cursor.execute("SET LOCAL lock_timeout = '1min'")
            for number in sorted(segments):
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
        yield cursor


@contextmanager
def durable() -> Iterator[None]:
    """Have each commit of the block survive a power cut before the block goes on.

    Of rows that files follow: SQLite in WAL mode would sync its log later (`synchronous=NORMAL`),
    and the rows would come back after a power cut, and the files would not. PostgreSQL always does
    so. Within a transaction nothing is committed, and so nothing changes.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=NORMAL")


def remove(segments: models.QuerySet[Segment]) -> None:
    """Remove the rows of the segments and of their terms, durably."""
    numbers = segments.order_by().values("number")
    if locked := [number for (number,) in numbers.values_list("number")]:
        with durable(), writing(*locked):
            # By a subquery: in a damaged row a number may be of a type that no parameter has.
            delete(Term.objects.filter(segment__in=numbers))
            delete(segments.order_by())
        cache.forget()


def delete(rows: models.QuerySet[Any]) -> None:
    """Deletes the rows without loading them, as delete() does where others hang on them."""
    rows._raw_delete(rows.db)


def _replace(segment: Segment) -> None:
    """Writes the row of the segment in place of all that contradict it, their terms' rows too."""
    columns = (*Planned._fields, "block_checksums")
    facts = {column: getattr(segment, column) for column in columns}
    unique = (
        models.Q(**{column: facts[column]}) for column in ("name", "first_term", "start_offset")
    )
    remove(Segment.objects.filter(reduce(or_, unique)).exclude(number=segment.number))
    segment.created_at = now()
    rows = Segment.objects.filter(number=segment.number)
    wrong = models.Q(n__gte=segment.first_term, n__lte=segment.last_term)
    # Its history, which nothing else knows, stays as far as it can be.
    history: dict[str, object] = {column: counted(column) for column in COUNTS}
    if not is_time(rows.values_list("served_at", flat=True).first()):
        history["served_at"] = None
    if rows.update(**facts, created_at=segment.created_at, **history):
        wrong |= models.Q(segment=segment.number)
    else:
        segment.save(force_insert=True)
        transaction.on_commit(partial(segment_built.send, segment.number))
    delete(Term.objects.filter(wrong))


# SQLite has one writer at a time, and others sleep for up to 100 ms before they look again. On
# PostgreSQL the others would hold connections that look-ups wait for.
_inserting = Lock()

# A list in JSON as rows of `key`, from 0, and `value`.
_EACH = {
    "sqlite": "json_each(%s)",
    "postgresql": "(SELECT ordinality - 1 AS key, value::bigint"
    " FROM json_array_elements_text(%s) WITH ORDINALITY AS each (value, ordinality)) AS numbered",
}


def insert(segment: Segment, positions: Sequence[int]) -> None:
    """Writes the rows of a segment and of its terms, all or none, in place of any others.

    `positions` are those of its terms in bytes, and then the segment's length: `adder.positions`.
    """
    with _inserting, writing(segment.number) as cursor:
        _replace(segment)
        # One statement: row by row, each would let Python's lock go and wait for it among the
        # threads that stream. The last position, the segment's end, is no term's.
        cursor.execute(
            f"INSERT INTO {Term._meta.db_table} (n, segment_id, position, digits)"  # noqa: S608
            " SELECT %s + key, %s, value, lead(value) OVER (ORDER BY key) - value - 1"
            f" FROM {_EACH[connection.vendor]} ORDER BY key LIMIT %s",
            [
                segment.first_term,
                segment.number,
                json.dumps(list(positions)),
                segment.term_count,
            ],
        )
    cache.forget()
