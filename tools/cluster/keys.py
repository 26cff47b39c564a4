"""The cluster's secrets, made once and kept with its data."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Keys:
    """What the hosts share and nobody else is to know."""

    access_key: str
    """Of the object store, with the secret key."""
    secret_key: str
    postgres: str
    """The password of the index."""
    django: str
    """Signs the admin's sessions: one that began on a host goes on at the other."""


def kept(directory: Path) -> Keys:
    """The secrets of the cluster in this directory; made, for its owner's eyes, if missing."""
    path = directory / "keys.json"
    if not path.exists():
        made = Keys(*map(secrets.token_hex, (10, 20, 20, 40)))
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
            json.dump(asdict(made), file)
        new.rename(path)
    return Keys(**json.loads(path.read_text()))
