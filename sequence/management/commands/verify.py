"""Compares all that is stored with arithmetic; exit status 1 if something is wrong."""

import sys
from argparse import ArgumentParser
from time import monotonic
from typing import Any

from sequence.index import engine
from sequence.index.failures import Failures
from sequence.management.base import StoreCommand
from sequence.operations import verify
from sequence.segments import storage

SHOWN = 5
"""How many foreign names are shown."""


class Command(StoreCommand):
    """manage.py verify."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --repair and --workers."""
        parser.add_argument("--repair", action="store_true", help="repair what is wrong")
        self.add_workers(parser, "files")

    def handle(self, *_: Any, repair: bool, workers: int, **__: Any) -> None:
        """Verify, print the findings and what they come to, and repair each as it is found."""
        self.is_report = not repair
        started = monotonic()
        repairs = Failures("repaired", self.stdout.write)
        findings = self._print(verify.faults())
        if repair:
            with repairs.about(engine.current().name):
                verify.repair_faults()
        names, length_bytes = verify.names(), 0
        with self.bar(len(names), "file") as bar:
            for verified in verify.files(names, workers, repairs if repair else None):
                length_bytes += verified.length_bytes
                bar.update()
                if verified.findings:
                    bar.clear()
                findings += self._print(verified.findings)
        self._print_foreign()
        seconds = monotonic() - started
        count = f"{findings:,} findings" if findings != 1 else "1 finding"
        failed = len(repairs.sentences)
        repaired = f", {failed:,} not repaired" if failed else ", all repaired"
        self.stdout.write(
            f"Verified {len(names):,} files of {length_bytes:,} bytes in {seconds:.2f} s, "
            f"{length_bytes / seconds / 1e6:,.0f} MB/s: {count}"
            f"{repaired if repair and findings else ''}."
        )
        repairs.raise_if_any()
        if findings and not repair:
            sys.exit(1)

    def _print(self, findings: list[verify.Finding]) -> int:
        """Print the findings; return how many they are."""
        for finding in findings:
            self.stdout.write(f"{finding.name}: {finding.sentence}")
        return len(findings)

    def _print_foreign(self) -> None:
        if foreign := sorted(storage.store().foreign()):
            shown = ", ".join(map(ascii, foreign[:SHOWN])) + (" …" if len(foreign) > SHOWN else "")
            self.stdout.write(
                f"{len(foreign):,} other names in {storage.store()} are left alone: {shown}."
            )
