"""Django's secret key, stored in a file of the data directory if the environment has none.

Nothing but sessions depends on it. Processes that start together share one: the first that holds
the directory's lock creates it.
"""

import os
import secrets
import sys
from pathlib import Path

from sequence.errors import NotSegmentFile
from sequence.store.lock import exclusive_directory
from sequence.store.regular import open_regular, sync_names


def is_guessable(secret: str) -> bool:
    """Whether a secret is too short or too monotonous for Django's own check (security.W009)."""
    return len(secret) < 50 or len(set(secret)) < 5


def read_or_create(path: Path) -> str:
    """Return the secret in the file; create it if it is missing or a crash has left it empty.

    One that cannot be used ends the process with a sentence.
    """
    try:
        secret = _read(path)
        if not secret:
            with exclusive_directory(path.parent):
                secret = _read(path) or _create(path)
    except NotSegmentFile:
        why = "is no regular file"
    except (OSError, UnicodeDecodeError) as error:
        why = f"cannot be used ({getattr(error, 'strerror', 'it is not UTF-8')})"
    else:
        if not is_guessable(secret):
            return secret
        why = "is too easily guessed"
    sys.exit(
        f"DJANGO_SECRET_KEY is unset, and {path} {why}; remove it, for a new one to be made, or "
        "set DJANGO_SECRET_KEY to at least 50 random characters."
    )


def _read(path: Path) -> str:
    """Return the secret, empty if there is none; after a power cut a file may hold zeros."""
    try:
        with open_regular(path, os.O_RDONLY) as file:
            return file.read(4096).strip(b"\0 \t\r\n").decode()
    except FileNotFoundError:
        return ""


def _create(path: Path) -> str:
    """Write a new secret durably, whole or not at all, readable by its owner only."""
    secret = secrets.token_urlsafe(64)
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        with open(new, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_names(path.parent)
    return secret
