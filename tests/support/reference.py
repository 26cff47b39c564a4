"""What is known of the text of 100,000 terms."""

import hashlib
from pathlib import Path

SHA256 = "5942de99973c024e6d435cb587078b2cfbc673d387644bdc7f6cd47383852c8f"


LENGTH = 1_045_042_806


TERMS = 100_000


SEGMENTS = 16
"""How many of them make up so many terms."""


def hash_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
