"""Compares `manage.py prepopulate --upto 100000`, as a whole process, with writing and syncing
as many bytes to the same disk."""

import os
import shutil
import sys

from bench import (
    ROOT,
    TERMS,
    TEXT_BYTES,
    Target,
    heading,
    in_turn,
    judge,
    new_store,
    parser,
    ratios,
    report,
    scratch_directory,
    seconds_of,
    write_and_sync,
)


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__, rounds=9).parse_args()
    with scratch_directory(options.directory) as scratch:
        empty, data = new_store(scratch / "empty"), scratch / "data"

        def prepopulate() -> float:
            shutil.rmtree(data, ignore_errors=True)
            shutil.copytree(empty, data)
            command = [sys.executable, str(ROOT / "manage.py"), "prepopulate", f"--upto={TERMS}"]
            return seconds_of(command, os.environ | {"FIBO_DATA_DIR": str(data)})

        heading()
        taken = in_turn(
            {
                "write and sync": lambda: write_and_sync(scratch / "file"),
                "prepopulate": prepopulate,
            },
            options.rounds,
        )
        report(f"Storing {TERMS:,} terms", taken, "write and sync", TEXT_BYTES)
        longer = ratios(taken["prepopulate"], taken["write and sync"])
        judge(Target("prepopulate takes as long as write and sync", longer, at_most=1.25))


if __name__ == "__main__":
    main()
