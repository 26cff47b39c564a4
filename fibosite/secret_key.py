"""Django's secret key, kept in a file of the data directory if the environment has none.

Nothing but sessions depends on it. Processes that start together share one: whoever holds the
file's lock first creates it.
"""

import errno
import fcntl
import os
import secrets
import stat
import sys
from io import FileIO
from pathlib import Path


def is_guessable(secret: str) -> bool:
    """Whether a secret is too short or too monotonous for Django's own check (security.W009)."""
    return len(secret) < 50 or len(set(secret)) < 5


def read_or_create(path: Path) -> str:
    """Return the secret in the file; create it if it is missing or a crash has left it empty.

    One that cannot be used ends the process with a sentence.
    """
    try:
        with _open(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # After a power cut a file may hold zeros.
            content = file.read(4096).strip(b"\0 \t\r\n")
            if not content:
                content = secrets.token_urlsafe(64).encode()
                _write(path, file, content)
        secret = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            why = "is no regular file"
        else:
            why = f"cannot be used ({getattr(error, 'strerror', 'it is not UTF-8')})"
    else:
        if not is_guessable(secret):
            return secret
        why = "is too easily guessed"
    sys.exit(
        f"DJANGO_SECRET_KEY is unset, and {path} {why}; remove it, for a new one to be made, or "
        "set DJANGO_SECRET_KEY to at least 50 random characters."
    )


def _open(path: Path) -> FileIO:
    """Open the file, readable by its owner only; follow no link and wait for no FIFO."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600), "r+")
    except OSError:
        if not os.access(path, os.R_OK):
            raise
        file = FileIO(os.open(path, os.O_RDONLY | flags))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError
    return file


def _write(path: Path, file: FileIO, content: bytes) -> None:
    """Write the secret durably, whole or not at all; the caller holds the file's lock."""
    try:
        os.fchmod(file.fileno(), 0o600)
        file.truncate(0)
        if os.pwrite(file.fileno(), content, 0) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError:
        path.unlink(missing_ok=True)
        raise
