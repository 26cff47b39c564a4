#!/usr/bin/env python
"""Django's command line for FiboService."""

import gc
import os
import sys


def main() -> None:
    """Runs the command that the arguments name."""
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
