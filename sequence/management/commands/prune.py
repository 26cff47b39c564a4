"""Deletes what is stored beyond FIBO_STORE_BYTES: the highest segments."""

from argparse import ArgumentParser
from typing import Any

from sequence.management.sentences import StoreCommand
from sequence.operations.prune import prune, surplus
from sequence.operations.reconcile import prepare


class Command(StoreCommand):
    """manage.py prune."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds --dry-run."""
        parser.add_argument("--dry-run", action="store_true", help="only say what is to go")

    def handle(self, *_: Any, dry_run: bool, **__: Any) -> None:
        """Prunes, and tells what is gone."""
        self.is_report = dry_run
        if not dry_run:
            prepare()
        found = surplus()
        files = total_bytes = 0
        try:
            with self.bar(len(found), "file") as bar:
                for each in iter(found) if dry_run else prune(found):
                    files += 1
                    total_bytes += each.length_bytes
                    bar.update()
                    bar.clear()
                    self.stdout.write(f"{each.name}, {each.length_bytes:,} bytes")
        finally:
            done = "To be deleted" if dry_run else "Deleted"
            self.stdout.write(f"{done}: {files:,} files, {total_bytes:,} bytes.")
