"""The tables of the index, and what is wrong with a row. sequence/index reads and writes them."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Case, F, Value, When
from django.db.models.functions import Cast

from sequence.errors import shortened
from sequence.text.layout import Planned
from sequence.text.span import Span

MAX_COUNT = 10**15
"""The exclusive bound of the counts of a segment's history: no damaged row gives more."""

COUNTS = ("served", "checked_blocks", "repaired")
"""The counts of a segment's history, by the names of their columns."""


def is_count(value: object) -> bool:
    """Whether the value, as read from a row, can be a count."""
    return isinstance(value, int) and 0 <= value < MAX_COUNT


def is_time(value: object) -> bool:
    """Whether the value, as read from a row, is a time."""
    return isinstance(value, datetime)


def as_bytes(value: object) -> bytes | None:
    """Return the value, as read from a row, as bytes; None if it is something else."""
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

        In SQLite a damaged row has values of any type.
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
