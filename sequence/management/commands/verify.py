"""Compares all that is stored with arithmetic; exit status 1 where something is wrong."""

import sys
from argparse import ArgumentParser
from time import monotonic
from typing import Any

from django.core.management.base import CommandError

from sequence.index import health
from sequence.index.failures import Failures
from sequence.management.sentences import StoreCommand
from sequence.operations.verify import Finding, faults, mend_faults, names, verify
from sequence.operations.verify import repair as mend
from sequence.segments import storage

SHOWN = 5
"""How many foreign names are shown."""


class Command(StoreCommand):
    """manage.py verify."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds --repair and --workers."""
        parser.add_argument("--repair", action="store_true", help="make again what is wrong")
        self.add_workers(parser, "files")

    def handle(self, *_: Any, repair: bool, workers: int, **__: Any) -> None:
        """Verify, show the progress and the findings, and repair each file as it is found."""
        if workers < 1:
            raise CommandError(f"--workers is {workers}; it must be at least 1.")
        self.is_report = not repair
        started = monotonic()
        self._failures = Failures("repaired", self.stdout.write)
        findings = self._faults(repair)
        found, files, length_bytes = self._verify(repair, workers)
        findings += found
        self._foreign()
        seconds = monotonic() - started
        count = f"{len(findings):,} findings" if len(findings) != 1 else "1 finding"
        failed = len(self._failures.sentences)
        repaired = f", {failed:,} not repaired" if failed else ", all repaired"
        self.stdout.write(
            f"Verified {files:,} files of {length_bytes:,} bytes in {seconds:.2f} s, "
            f"{length_bytes / seconds / 1e6:,.0f} MB/s: {count}"
            f"{repaired if repair and findings else ''}."
        )
        self._failures.raise_if_any()
        if findings and not repair:
            sys.exit(1)

    def _faults(self, repair: bool) -> list[Finding]:
        findings = faults()
        for finding in findings:
            self.stdout.write(f"{finding.name}: {finding.sentence}")
        if repair:
            with self._failures.about(health.name()):
                mend_faults()
        return findings

    def _verify(self, repair: bool, workers: int) -> tuple[list[Finding], int, int]:
        findings: list[Finding] = []
        files = length_bytes = 0
        looked_at = names()
        with self.bar(len(looked_at), "file") as bar:
            for verified in verify(looked_at, workers):
                files += 1
                length_bytes += verified.length_bytes
                bar.update()
                for finding in verified.findings:
                    bar.clear()
                    self.stdout.write(f"{finding.name}: {finding.sentence}")
                findings += verified.findings
                if repair and verified.findings:
                    with self._failures.about(verified.name):
                        mend(verified.name)
        return findings, files, length_bytes

    def _foreign(self) -> None:
        if foreign := sorted(storage.store().foreign()):
            shown = ", ".join(map(ascii, foreign[:SHOWN])) + (" …" if len(foreign) > SHOWN else "")
            self.stdout.write(
                f"{len(foreign):,} other names in {storage.store()} are left alone: {shown}."
            )
