"""Deletes what is stored beyond FIBO_STORE_BYTES and FIBO_ENCODED_BYTES: the highest segments."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from sequence.management.sentences import errors_as_sentences
from sequence.prune import prune, surplus
from sequence.upkeep import prepare


class Command(BaseCommand):
    """manage.py prune."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds --dry-run."""
        parser.add_argument("--dry-run", action="store_true", help="only say what is to go")

    def handle(self, *_: Any, dry_run: bool, **__: Any) -> None:
        """Prunes, and tells what is gone."""
        with errors_as_sentences():
            if not dry_run:
                prepare()
            found = surplus()
            gone = iter(found) if dry_run else prune(found)
            with tqdm(total=len(found), unit="file", disable=None, dynamic_ncols=True) as bar:
                for each in gone:
                    bar.update()
                    bar.clear()
                    self.stdout.write(f"{each.name}, {each.length_bytes:,} bytes")
        total = sum(each.length_bytes for each in found)
        done = "To be deleted" if dry_run else "Deleted"
        self.stdout.write(f"{done}: {len(found):,} files, {total:,} bytes.")
