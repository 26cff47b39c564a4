"""What is stored: looked at, damaged and replaced."""

import subprocess
from pathlib import Path

from django.db import connection

from sequence.operations import verify
from tests.support.faults import Store
from tests.support.waiting import idle
from tools.cluster.postgres import Postgres


def replace_index(path: Path, content: bytes | None) -> None:
    """Makes the content the index, or takes it away, without any log of changes."""
    idle()
    connection.close()
    for beside in path.parent.glob("*.sqlite3*"):
        beside.unlink()
    if content is not None:
        path.write_bytes(content)


def findings() -> list[verify.Finding]:
    """What `verify` finds in the whole store."""
    verified = verify.files(verify.names(), 2)
    return [*verify.faults(), *(finding for each in verified for finding in each.findings)]


def flipped(content: bytes, bit: int) -> bytes:
    """The content with one other bit."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def flip(path: Path, bit: int) -> None:
    """Writes the file anew with one other bit."""
    path.write_bytes(flipped(path.read_bytes(), bit))


def rows(postgres: Postgres, store: Store) -> tuple[int, int]:
    """How many segments and terms the index has."""
    assert store.database
    count = "SELECT (SELECT count(*) FROM sequence_segment), (SELECT count(*) FROM sequence_term)"
    try:
        segments, terms = postgres.sql(count, store.database.rpartition("/")[2]).split("|")
    except subprocess.CalledProcessError:
        return 0, 0  # no tables yet
    return int(segments), int(terms)
