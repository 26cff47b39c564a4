"""Compares all that is stored with arithmetic; exit status 1 where something is wrong."""

import sys
from argparse import ArgumentParser
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from sequence.build import BUILDERS
from sequence.management.sentences import errors_as_sentences
from sequence.verify import Finding, faults, mend_faults, names, verify
from sequence.verify import repair as mend


class Command(BaseCommand):
    """manage.py verify."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds --repair and --workers."""
        parser.add_argument("--repair", action="store_true", help="make again what is wrong")
        parser.add_argument(
            "--workers",
            type=int,
            default=BUILDERS,
            metavar="K",
            help="how many files at once (default: %(default)s)",
        )

    def handle(self, *_: Any, repair: bool, workers: int, **__: Any) -> None:
        """Verifies, shows the progress, tells the findings and mends them."""
        if workers < 1:
            raise CommandError(f"--workers is {workers}; it must be at least 1.")
        started = monotonic()
        with errors_as_sentences():
            findings = self._faults(repair)
            found, files, length_bytes = self._verify(workers)
            if repair:
                wrong = dict.fromkeys(finding.name for finding in found)
                for name in tqdm(wrong, "repair", unit="file", disable=None, dynamic_ncols=True):
                    mend(name)
        findings += found
        seconds = monotonic() - started
        count = f"{len(findings):,} findings" if len(findings) != 1 else "1 finding"
        self.stdout.write(
            f"Verified {files:,} files of {length_bytes:,} bytes in {seconds:.2f} s, "
            f"{length_bytes / seconds / 1e6:,.0f} MB/s: {count}"
            f"{', all repaired' if repair and findings else ''}."
        )
        if findings and not repair:
            sys.exit(1)

    def _faults(self, repair: bool) -> list[Finding]:
        findings = faults()
        for finding in findings:
            self.stdout.write(f"{finding.name}: {finding.sentence}")
        if repair:
            mend_faults()
        return findings

    def _verify(self, workers: int) -> tuple[list[Finding], int, int]:
        findings: list[Finding] = []
        files = length_bytes = 0
        looked_at = names()
        with tqdm(total=len(looked_at), unit="file", disable=None, dynamic_ncols=True) as bar:
            for verified in verify(looked_at, workers):
                files += 1
                length_bytes += verified.length_bytes
                bar.update()
                for finding in verified.findings:
                    bar.clear()
                    self.stdout.write(f"{finding.name}: {finding.sentence}")
                findings += verified.findings
        return findings, files, length_bytes
