"""Deletes what is stored beyond FIBO_STORE_BYTES: the highest segments."""

from argparse import ArgumentParser
from typing import Any

from sequence.management.base import StoreCommand
from sequence.operations import prune, reconcile


class Command(StoreCommand):
    """manage.py prune."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --dry-run."""
        parser.add_argument("--dry-run", action="store_true", help="only say what is to go")

    def handle(self, *_: Any, dry_run: bool, **__: Any) -> None:
        """Delete the surplus, or list it."""
        self.is_report = dry_run
        if not dry_run:
            reconcile.repair_and_sweep()
        surplus = prune.surplus()
        files = total_bytes = 0
        try:
            with self.bar(len(surplus), "file") as bar:
                for each in surplus if dry_run else prune.delete(surplus):
                    files += 1
                    total_bytes += each.length_bytes
                    bar.update()
                    bar.clear()
                    self.stdout.write(f"{each.name}, {each.length_bytes:,} bytes")
        finally:
            done = "To be deleted" if dry_run else "Deleted"
            self.stdout.write(f"{done}: {files:,} files, {total_bytes:,} bytes.")
