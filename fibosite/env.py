"""Typed readers of environment variables.

Each takes the name of a variable. One that makes no sense ends the process with a sentence that
names it; its value is left out of the sentence if it may hold a secret.
"""

import os
import re
import sys
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import NoReturn
from urllib.parse import urlsplit

from fibosite import secret_key
from sequence.conf import ObjectStore


def _refuse(name: str, value: str, allowed: str) -> NoReturn:
    sys.exit(f"{name} is {value!r}; it must be {allowed}.")


def _refuse_secret(name: str, allowed: str) -> NoReturn:
    sys.exit(f"{name} is not understood; it must be {allowed}.")


def text(name: str, default: str = "") -> str:
    """Return the variable without the white space around it, such as a Windows editor's CR."""
    value = os.environ.get(name, default).strip()
    if value.isprintable():
        return value
    # Python reads bytes that are not UTF-8 as surrogates.
    sys.exit(f"{name} has control characters or bytes that are not UTF-8; it must be plain text.")


def _parts(value: str) -> list[str]:
    """Return the parts of a list that is separated by commas, without empty ones."""
    return [part.strip() for part in value.split(",") if part.strip()]


def whole(name: str, default: int, minimum: int, maximum: int) -> int:
    """Return the variable as a whole number from `minimum` to `maximum`."""
    value = text(name, str(default))
    # The length comes first: int() itself refuses numbers of more than 4,300 digits.
    if value.isascii() and value.isdigit() and len(value) < 20 and minimum <= int(value) <= maximum:
        return int(value)
    _refuse(name, value, f"a whole number from {minimum} to {maximum}")


def limit(name: str, minimum: int, maximum: int) -> int | None:
    """Return the variable as a whole number from `minimum` to `maximum`; None if it is unset."""
    return whole(name, maximum, minimum, maximum) if name in os.environ else None


def object_store(name: str) -> ObjectStore | None:
    """Return the variable as s3://bucket or s3://bucket/prefix; None if it is unset."""
    value = text(name)
    if not value:
        return None
    bucket, part = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", r"(?!\.\.?(?:/|$))[\w.-]+"
    found = re.fullmatch(rf"s3://({bucket})(?:/({part}(?:/{part})*))?/?", value, re.ASCII)
    if not found:
        _refuse(name, value, "s3://bucket or s3://bucket/prefix")
    return ObjectStore(found[1], found[2] or "")


def names(name: str, allowed: tuple[str, ...]) -> list[str]:
    """Return the variable as names joined by commas; all that are allowed if it is unset."""
    found = _parts(text(name, ",".join(allowed)))
    if set(found) <= set(allowed):
        return found
    _refuse(name, ",".join(found), f"some of {','.join(allowed)}, or empty")


def choice(name: str, allowed: tuple[str, ...]) -> str:
    """Return the variable as one of the words that are allowed; the first one if it is unset."""
    value = text(name) or allowed[0]
    if value in allowed:
        return value
    _refuse(name, value, f"one of {', '.join(allowed)}")


def switch(name: str) -> bool:
    """Whether the variable is on; off if it is unset."""
    value = text(name, "off").lower()
    if value in ("on", "true", "yes", "y", "1"):
        return True
    if value in ("off", "false", "no", "n", "0", ""):
        return False
    _refuse(name, value, "on or off")


def directory(name: str, default: Path) -> Path:
    """Return the variable as a directory, which is created if it is missing.

    ~ and $HOME are expanded: systemd and Docker pass on what a shell would have expanded.
    """
    value = text(name)
    try:
        path = Path(os.path.expandvars(value)).expanduser() if value else default
        if value and "$" in str(path):
            raise RuntimeError("No such variable")
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.X_OK):
            raise RuntimeError("Permission denied")
        return path.resolve()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        _refuse(name, value or str(default), f"a directory ({reason})")


def _host(value: str) -> str | None:
    """Return a name or address as a Host header has it; None if it is neither."""
    with suppress(ValueError):
        address = IPv6Address(value.removeprefix("[").removesuffix("]"))
        return None if address.scope_id else f"[{address}]"
    subdomains = "." if value.startswith(".") else ""
    with suppress(ValueError):
        value = value.removeprefix(".").removesuffix(".").encode("idna").decode()
    if value.rpartition(".")[2].isdigit():
        with suppress(ValueError):
            return str(IPv4Address(value))
        return None
    label = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    is_name = re.fullmatch(rf"{label}(\.{label})*", value, re.ASCII)
    return subdomains + value if is_name else None


def hosts(name: str, default: list[str]) -> list[str]:
    """Return the variable as names and addresses joined by commas."""
    if name not in os.environ:
        return default
    value = text(name)
    found = [part if part == "*" else _host(part) for part in _parts(value.lower())]
    if found and all(found):
        return [host for host in found if host]
    example = "fibo.example.org,.example.org,10.0.0.7,[::1]; or *"
    allowed = "names or addresses joined by commas, without scheme or port, such as"
    _refuse(name, value, f"{allowed} {example}")


def networks(name: str, default: str) -> list[str]:
    """Return the variable as addresses and networks joined by commas."""
    value = text(name, default)
    found = _parts(value)
    with suppress(ValueError):
        for network in found:
            if network != "*":
                ip_network(network)
        return found
    example = "10.0.0.7,10.1.0.0/16; or *"
    _refuse(name, value, f"addresses or networks joined by commas, such as {example}")


def endpoint(name: str) -> str | None:
    """Return the variable as the URL of an object store; None if it is unset."""
    value = text(name)
    if not value:
        return None
    with suppress(ValueError):
        url = urlsplit(value)
        has_more = url.username or url.query or url.fragment or " " in value
        is_server = url.scheme in ("http", "https") and _host(url.hostname or "") and url.port != 0
        if is_server and not has_more:
            return value
    _refuse_secret(name, "http://host:port or https://host")


def postgresql(name: str) -> dict[str, str] | None:
    """Return the variable as libpq's connection parameters; None if it is unset."""
    if name not in os.environ:
        return None
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        sys.exit(f"{name} needs more: pip install -r requirements-cluster.txt.")
    url = text(name)
    with suppress(ProgrammingError, ValueError):
        parameters = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        # A list of hosts has a list of ports.
        ports = [int(port) for port in parameters.get("port", "5432").split(",")]
        if (
            url.startswith(("postgres://", "postgresql://"))
            and parameters.get("dbname")
            and all(0 < port < 65536 for port in ports)
        ):
            return parameters
    _refuse_secret(name, "postgres://user:password@host:port/name")


def secret(name: str) -> str:
    """Return the variable as a secret; empty if it is unset."""
    value = text(name)
    if value and secret_key.is_guessable(value):
        sys.exit(f"{name} is too easily guessed; it must be at least 50 random characters.")
    return value


def temporary_directory(*fallbacks: Path) -> str | None:
    """Return the directory for temporary files, by Python's rules; None if there is none.

    On a read-only root without /tmp, or if all disks are full, it is the first of the fallbacks
    that can be written to. TMPDIR then names it for SQLite, which shrinks the index there.
    """
    with suppress(FileNotFoundError):
        return gettempdir()
    for path in fallbacks:
        with suppress(OSError), TemporaryFile(dir=path):
            os.environ["TMPDIR"] = str(path)
            return str(path)
    return None
