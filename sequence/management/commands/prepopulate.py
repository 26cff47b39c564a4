"""Stores the first terms ahead of time; what is stored stays, so it can be stopped and resumed."""

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Generator
from functools import partial
from time import monotonic
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError

from sequence import conf
from sequence.management.base import StoreCommand, whole_number
from sequence.models import Segment
from sequence.operations import populate, reconcile
from sequence.segments import budget

STOPPED = "Stopped; what is stored stays. The same command goes on from here."
STOPPED_WATCHING = "Stopped watching; the workers go on. The same command watches again."


class Command(StoreCommand):
    """manage.py prepopulate."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --upto, --workers and --distributed."""
        parser.add_argument(
            "--upto",
            type=whole_number("--upto", conf.max_sn()),
            default=conf.prepopulate(),
            metavar="N",
            help="how many terms, at most FIBO_MAX_SN; the last one's segment is completed "
            "(default: %(default)s)",
        )
        self.add_workers(parser, "segments")
        parser.add_argument(
            "--distributed",
            action="store_true",
            help="have them built by the workers of all hosts (manage.py procrastinate worker)",
        )

    def handle(self, *_: Any, upto: int, workers: int, distributed: bool, **__: Any) -> None:
        """Populate, show the progress and report."""
        if distributed and not apps.is_installed("procrastinate.contrib.django"):
            raise CommandError("--distributed needs DATABASE_URL: workers find their work there.")
        # The progress says the same.
        logging.getLogger("sequence.segments.build").setLevel(logging.WARNING)
        started = monotonic()
        try:
            built = self._populate(upto, workers, distributed)
        except KeyboardInterrupt:
            self.stderr.write(STOPPED_WATCHING if distributed else STOPPED)
            sys.exit(1)
        seconds = monotonic() - started
        terms = sum(segment.term_count for segment in built)
        length_bytes = sum(segment.length_bytes for segment in built)
        stored = budget.max_terms(upto)
        room = "" if stored == upto else f" There is no room for the other {upto - stored:,}."
        self.stdout.write(
            f"The first {stored:,} terms are stored: built {terms:,} terms, {length_bytes:,} bytes "
            f"in {seconds:.2f} s, {length_bytes / seconds / 1e6:,.0f} MB/s.{room}"
        )

    def _populate(self, upto: int, workers: int, distributed: bool) -> list[Segment]:
        reconcile.repair_and_sweep()
        numbers = populate.missing(upto)
        layout = conf.layout()
        total_bytes = sum(layout.planned(number).length_bytes for number in numbers)
        built = []
        with self.bar(total_bytes, "B", unit_scale=True) as bar:
            for segment in (
                self._distribute(numbers) if distributed else populate.segments(numbers, workers)
            ):
                built.append(segment)
                bar.update(segment.length_bytes)
                if bar.disable:  # not a terminal
                    self.stdout.write(
                        f"{segment}, terms {segment.first_term:,} to {segment.last_term:,}, "
                        f"{segment.length_bytes:,} bytes ({len(built)} of {len(numbers)})"
                    )
        return built

    def _distribute(self, numbers: list[int]) -> Generator[Segment]:
        # What it needs is installed only with a DATABASE_URL.
        from tqdm import tqdm

        from sequence.operations import distribute

        return distribute.segments(numbers, partial(tqdm.write, file=self._errors))
