"""Compare `manage.py prepopulate --upto 100000`, as a whole process, with writing and syncing
as many bytes to the same disk; and its start, with nothing to build, with a process that only loads
what every command of Django's with a database does."""

import os
import shutil
import statistics
import sys

from benchmarks.lib.bench import (
    ROOT,
    TERMS,
    TEXT_BYTES,
    Options,
    Target,
    in_turn,
    judge,
    new_store,
    ratios,
    report,
    scratch_directory,
    seconds_of,
    table,
    write_and_sync,
)

DJANGO = "import django.core.management, django.db.models, django.db.backends.sqlite3.base"


ROUNDS = 9


def main(options: Options) -> None:
    """Measure and print."""
    with scratch_directory(options.directory) as scratch:
        empty, data = new_store(scratch / "empty"), scratch / "data"

        def prepopulate(upto: int) -> float:
            shutil.rmtree(data, ignore_errors=True)
            shutil.copytree(empty, data)
            command = [sys.executable, str(ROOT / "manage.py"), "prepopulate", f"--upto={upto}"]
            return seconds_of(command, os.environ | {"FIBO_DATA_DIR": str(data)})

        taken = in_turn(
            {
                "write and sync": lambda: write_and_sync(scratch / "file"),
                "prepopulate": lambda: prepopulate(TERMS),
            },
            options.rounds,
        )
        report(f"Storing {TERMS:,} terms", taken, "write and sync", TEXT_BYTES)
        started = in_turn(
            {
                "Django alone": lambda: seconds_of([sys.executable, "-c", DJANGO], os.environ),
                "prepopulate, nothing to build": lambda: prepopulate(0),
            },
            options.rounds,
        )
        rows = [[name, f"{statistics.median(each):.3f}"] for name, each in started.items()]
        table("The start", ["side", "median s"], rows)
        longer = ratios(taken["prepopulate"], taken["write and sync"])
        judge(Target("prepopulate takes as long as write and sync", longer, at_most=1.25))
