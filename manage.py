#!/usr/bin/env python
"""Django's command line for FiboService."""

import gc
import os
import sys


def open_standard_streams() -> None:
    """Open /dev/null for those that are closed, else a file of ours gets their descriptor."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115


def main() -> None:
    """Run the command that the arguments name."""
    open_standard_streams()
    # Django loads many objects and no garbage. Looking for some while they load, and again at exit,
    # takes a quarter of a short command's time.
    gc.set_threshold(100_000, 50, 50)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fibosite.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
