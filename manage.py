#!/usr/bin/env python
"""Django's command line for FiboService."""

import gc
import os
import sys


def open_standard_streams() -> None:
    """Open /dev/null for those that are closed: a file of ours would else be opened as one."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115


def main() -> None:
    """Runs the command that the arguments name."""
    open_standard_streams()
    # What Django loads is many objects and no garbage. Looking through them for some, while they
    # are loaded and again at the end, takes a quarter of a short command's time.
    gc.set_threshold(100_000, 50, 50)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fibosite.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
