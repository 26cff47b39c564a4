"""The index: which segment holds each term, and where in it."""

import json
from collections.abc import Sequence
from functools import reduce
from operator import or_
from threading import Lock

from django.db import connection, models, transaction
from django.db.models import F, Sum

from sequence.text.span import Span


class SegmentQuerySet(models.QuerySet["Segment"]):
    """Questions about the stored segments."""

    def totals(self) -> dict[str, int]:
        """Over all of them: `segments`, `terms`, `bytes` and `digits`, as counts."""
        found = self.aggregate(
            segments=models.Count("number"), terms=Sum("term_count"), bytes=Sum("length_bytes")
        )
        totals = {name: value or 0 for name, value in found.items()}
        return totals | {"digits": totals["bytes"] - totals["terms"]}


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

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ("number",)
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


class TermQuerySet(models.QuerySet["Term"]):
    """Questions about the stored terms."""

    def stop_offset(self, n: int) -> int | None:
        """The offset just after term n and its space, as stored; None where it is not stored."""
        return (
            self.filter(n=n)
            .values_list(F("segment__start_offset") + F("position") + F("digits") + 1, flat=True)
            .first()
        )


class Term(models.Model):
    """Where a stored term lies: `digits` bytes from `position` of its segment on, then a space."""

    # An IntegerField, as SQLite keeps the rows in the order of a key that it calls INTEGER.
    n = models.IntegerField(primary_key=True)
    # No index: a segment's terms are found by n, and that index would double the table.
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="terms", db_index=False)
    position = models.PositiveBigIntegerField()
    digits = models.PositiveBigIntegerField()

    objects = TermQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(name="term_has_digits", condition=models.Q(digits__gte=1)),
        )

    def __str__(self) -> str:
        return f"F({self.n})"


class CodedSegmentQuerySet(models.QuerySet["CodedSegment"]):
    """Questions about the segments that are kept in a format and a coding."""

    def total_bytes(self) -> int:
        """How many bytes all of them take."""
        return self.aggregate(total=Sum("length_bytes"))["total"] or 0


class CodedSegment(models.Model):
    """A segment in a format and a content coding: its row means that its bytes are on the disk."""

    name = models.CharField(max_length=64, primary_key=True)
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="coded")
    length_bytes = models.PositiveBigIntegerField()
    crc32 = models.PositiveBigIntegerField(help_text="of the bytes before they were coded")
    block_checksums = models.BinaryField(help_text="CRC-32 of each block, 4 bytes big-endian each")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CodedSegmentQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                name="coded_segment_has_bytes", condition=models.Q(length_bytes__gte=1)
            ),
        )

    def __str__(self) -> str:
        return self.name


def _replace(segment: Segment) -> Segment:
    """Writes the row of the segment in place of all that contradict it, their terms' rows too."""
    columns = ("name", "first_term", "term_count", "start_offset", "length_bytes")
    facts = {column: getattr(segment, column) for column in (*columns, "block_checksums")}
    unique = (
        models.Q(**{column: facts[column]}) for column in ("name", "first_term", "start_offset")
    )
    Segment.objects.filter(reduce(or_, unique)).exclude(number=segment.number).delete()
    # Updated and not deleted where it is there: its coded forms stay right.
    row, created = Segment.objects.update_or_create(facts, number=segment.number)
    wrong = models.Q(n__gte=segment.first_term, n__lte=segment.last_term)
    if not created:
        wrong |= models.Q(segment=segment.number)
    terms = Term.objects.filter(wrong)
    terms._raw_delete(terms.db)  # without looking for what hangs on them: nothing does
    return row


# SQLite has one writer at a time, and others sleep for up to 100 ms before they look again.
_inserting = Lock()


def insert(segment: Segment, positions: Sequence[int]) -> Segment:
    """Writes the rows of a segment and of its terms, all or none, in place of any others.

    Returns the segment as the index has it then.

    `positions` are those of its terms in bytes, and then the segment's length: `adder.positions`.
    """
    with _inserting, transaction.atomic(), connection.cursor() as cursor:
        row = _replace(segment)
        # One statement: row by row, each would let Python's lock go and wait for it among the
        # threads that stream. The last position, the segment's end, is no term's.
        cursor.execute(
            f"INSERT INTO {Term._meta.db_table} (n, segment_id, position, digits)"  # noqa: S608
            " SELECT %s + key, %s, value, lead(value) OVER (ORDER BY key) - value - 1"
            " FROM json_each(%s) ORDER BY key LIMIT %s",
            [
                segment.first_term,
                segment.number,
                json.dumps(list(positions)),
                segment.term_count,
            ],
        )
    return row
