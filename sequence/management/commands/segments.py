"""Prints the table of the stored segments and its totals, as the admin shows them."""

from typing import Any

from sequence.management.sentences import StoreCommand
from sequence.models import Segment

ROW = "{:>8}  {:>13}  {:>13}  {:>15}  {:>15}  {:>20}  {}"


class Command(StoreCommand):
    """manage.py segments."""

    help = __doc__
    is_report = True

    def handle(self, *_: Any, **__: Any) -> None:
        """Prints a line a segment, and one for all."""
        totals = Segment.objects.totals()
        head = ("segment", "first term", "last term", "bytes", "digits", "offset", "made")
        self.stdout.write(ROW.format(*head))
        for segment in Segment.objects.defer("block_checksums").iterator():
            self.stdout.write(
                ROW.format(
                    segment.number,
                    f"{segment.first_term:,}",
                    f"{segment.last_term:,}",
                    f"{segment.length_bytes:,}",
                    f"{segment.digits:,}",
                    f"{segment.start_offset:,}",
                    f"{segment.created_at:%Y-%m-%d %H:%M:%S}",
                )
            )
        self.stdout.write(
            f"{totals['segments']:,} segments, {totals['terms']:,} terms, "
            f"{totals['bytes']:,} bytes, {totals['digits']:,} digits."
        )
