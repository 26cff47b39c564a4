"""Prints the table of the stored segments and its totals, as the admin shows them."""

from typing import Any

from sequence.management.base import StoreCommand
from sequence.models import is_time
from sequence.segments import inventory, storage

ROW = "{:>8}  {:>13}  {:>13}  {:>15}  {:>15}  {:>20}  {}"


class Command(StoreCommand):
    """manage.py segments."""

    help = __doc__
    is_report = True

    def handle(self, *_: Any, **__: Any) -> None:
        """Print a line for each segment, what is wrong with it, and the totals."""
        head = ("segment", "first term", "last term", "bytes", "digits", "offset", "built")
        self.stdout.write(ROW.format(*head))
        found = inventory.Inventory({}, [], [], 0, 0)
        # The rows first: what is stored in between has its file by then.
        rows, wrong = list(inventory.rows().order_by("number")), inventory.strays().count()
        files = storage.store().lengths()
        for row in rows:
            planned = inventory.planned(row)
            self.stdout.write(
                ROW.format(
                    planned.number,
                    f"{planned.first_term:,}",
                    f"{planned.terms.stop - 1:,}",
                    f"{planned.length_bytes:,}",
                    f"{planned.length_bytes - planned.term_count:,}",
                    f"{planned.start_offset:,}",
                    f"{row.created_at:%Y-%m-%d %H:%M:%S}" if is_time(row.created_at) else "unknown",
                )
            )
            faults = inventory.faults(row, files.get(planned.name))
            for sentence in faults:
                self.stdout.write(f"{planned.name}: {sentence}")
            if faults:
                wrong += 1
            else:
                found.stored[planned.number] = planned.length_bytes
        self.stdout.write(
            "{segments:,} segments, {terms:,} terms, {bytes:,} bytes, {digits:,} digits.".format(
                **found.totals()
            )
        )
        if wrong:
            self.stdout.write(
                f"{wrong:,} further rows are wrong or without their file: "
                "`manage.py verify --repair` repairs them."
            )
