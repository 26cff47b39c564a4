"""Django's settings, and the only place that reads the environment.

A value that makes no sense ends the process with a sentence that names its variable.
"""

import errno
import fcntl
import os
import re
import secrets
import socket
import stat
import sys
from contextlib import suppress
from io import FileIO
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any
from urllib.parse import urlsplit

from sequence import conf

BASE_DIR = Path(__file__).resolve().parent.parent


def _text(name: str, default: str = "") -> str:
    """The variable without the white space around it, such as the CR of a Windows editor."""
    text = os.environ.get(name, default).strip()
    if text.isprintable():
        return text
    # Without its value, as it may be a secret. Python reads what is not UTF-8 as surrogates.
    sys.exit(f"{name} has control characters or bytes that are not UTF-8; it must be plain text.")


def _whole(name: str, default: int, least: int, most: int) -> int:
    """The variable as a whole number from `least` to `most`."""
    text = _text(name, str(default))
    # The length comes first: int() itself refuses numbers of more than 4,300 digits.
    if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
        return int(text)
    sys.exit(f"{name} is {text!r}; it must be a whole number from {least} to {most}.")


def _limit(name: str, least: int, most: int) -> int | None:
    """The variable as a whole number from `least` to `most`; None where it is unset."""
    return _whole(name, most, least, most) if name in os.environ else None


def _object_store(name: str) -> conf.ObjectStore | None:
    """The variable as s3://bucket or s3://bucket/prefix; None where it is unset."""
    text = _text(name)
    if not text:
        return None
    bucket, part = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", r"(?!\.\.?(?:/|$))[\w.-]+"
    found = re.fullmatch(rf"s3://({bucket})(?:/({part}(?:/{part})*))?/?", text, re.ASCII)
    if not found:
        sys.exit(f"{name} is {text!r}; it must be s3://bucket or s3://bucket/prefix.")
    return conf.ObjectStore(found[1], found[2] or "")


def _names(name: str, allowed: tuple[str, ...]) -> list[str]:
    """The variable as names joined by commas; all that are allowed where it is unset."""
    names = [part.strip() for part in _text(name, ",".join(allowed)).split(",") if part.strip()]
    if set(names) <= set(allowed):
        return names
    sys.exit(f"{name} is {','.join(names)!r}; it must be some of {','.join(allowed)}, or empty.")


def _choice(name: str, allowed: tuple[str, ...]) -> str:
    """The variable as one of the words that are allowed; the first one where it is unset."""
    text = _text(name) or allowed[0]
    if text in allowed:
        return text
    sys.exit(f"{name} is {text!r}; it must be one of {', '.join(allowed)}.")


def _switch(name: str) -> bool:
    """The variable as on or off; off where it is unset."""
    text = _text(name, "off").lower()
    if text in ("on", "true", "yes", "y", "1"):
        return True
    if text in ("off", "false", "no", "n", "0", ""):
        return False
    sys.exit(f"{name} is {text!r}; it must be on or off.")


def _directory(name: str, default: Path) -> Path:
    """The variable as a directory, which is created if it is missing; ~ and $HOME are expanded."""
    text = _text(name)
    try:
        # systemd and Docker hand over what a shell would have expanded.
        path = Path(os.path.expandvars(text)).expanduser() if text else default
        if text and "$" in str(path):
            raise RuntimeError("No such variable")
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.X_OK):
            raise RuntimeError("Permission denied")
        return path.resolve()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        sys.exit(f"{name} is {text or str(default)!r}; it must be a directory ({reason}).")


def _host(text: str) -> str | None:
    """The name or address in the form that a Host header has it in; None if it is neither."""
    with suppress(ValueError):
        address = IPv6Address(text.removeprefix("[").removesuffix("]"))
        return None if address.scope_id else f"[{address}]"
    below = "." if text.startswith(".") else ""
    with suppress(ValueError):
        text = text.removeprefix(".").removesuffix(".").encode("idna").decode()
    if text.rpartition(".")[2].isdigit():
        with suppress(ValueError):
            return str(IPv4Address(text))
        return None
    label = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    return below + text if re.fullmatch(rf"{label}(\.{label})*", text, re.ASCII) else None


def _hosts(name: str, default: list[str]) -> list[str]:
    """The variable as names and addresses joined by commas."""
    if name not in os.environ:
        return default
    text = _text(name)
    parts = [part.strip().lower() for part in text.split(",") if part.strip()]
    hosts = [part if part == "*" else _host(part) for part in parts]
    if hosts and all(hosts):
        return [host for host in hosts if host]
    sys.exit(
        f"{name} is {text!r}; it must be names or addresses joined by commas, without scheme or "
        "port, such as fibo.example.org,.example.org,10.0.0.7,[::1]; or *."
    )


def _networks(name: str, default: str) -> list[str]:
    """The variable as addresses and networks joined by commas."""
    text = _text(name, default)
    networks = [part.strip() for part in text.split(",") if part.strip()]
    with suppress(ValueError):
        for network in networks:
            if network != "*":
                ip_network(network)
        return networks
    sys.exit(
        f"{name} is {text!r}; it must be addresses or networks joined by commas, "
        "such as 10.0.0.7,10.1.0.0/16; or *."
    )


def _endpoint(name: str) -> str | None:
    """The variable as the URL of an object store; None if it is unset."""
    text = _text(name)
    with suppress(ValueError):
        url = urlsplit(text)
        plain = not (url.username or url.query or url.fragment or " " in text)
        if not text or (
            url.scheme in ("http", "https")
            and _host(url.hostname or "")
            and url.port != 0
            and plain
        ):
            return text or None
    # Without its value, as a password may be a part of it.
    sys.exit(f"{name} is not understood; it must be http://host:port or https://host.")


def _secret(name: str) -> str:
    """The variable as a secret; empty if it is unset."""
    text = _text(name)
    if text and _is_guessed(text):
        sys.exit(f"{name} is too easily guessed; it must be at least 50 random characters.")
    return text


def _is_guessed(secret: str) -> bool:
    """Whether a secret is as short or as monotonous as Django's own check has it (W009)."""
    return len(secret) < 50 or len(set(secret)) < 5


def _temporary_directory(*directories: Path) -> str | None:
    """The directory for temporary files, by Python's rules; else the first of these that takes one.

    So it is on a read-only root without /tmp, or if all disks are full. TMPDIR then names it for
    SQLite, which shrinks the index there.
    """
    with suppress(FileNotFoundError):
        return gettempdir()
    for directory in directories:
        with suppress(OSError), TemporaryFile(dir=directory):
            os.environ["TMPDIR"] = str(directory)
            return str(directory)
    return None


def _postgresql(name: str) -> dict[str, str] | None:
    """The variable as libpq's facts of a connection to PostgreSQL; None where it is unset."""
    if name not in os.environ:
        return None
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        sys.exit(f"{name} needs more: pip install -r requirements-cluster.txt.")
    url = _text(name)
    with suppress(ProgrammingError, ValueError):
        facts = {key: str(fact) for key, fact in conninfo_to_dict(url).items()}
        # A list of hosts has a list of ports.
        ports = [int(port) for port in facts.get("port", "5432").split(",")]
        if (
            url.startswith(("postgres://", "postgresql://"))
            and facts.get("dbname")
            and all(0 < port < 65536 for port in ports)
        ):
            return facts
    # Without its value, as a password may be a part of it.
    sys.exit(f"{name} is not understood; it must be postgres://user:password@host:port/name.")


def _kept_secret(path: Path) -> str:
    """Return the secret in the file; one that is missing or empty is made.

    The first process makes it under the file's lock, so all have the same. Nothing but sessions
    depends on it: a new one may take the place of what a crash has left empty.
    """
    try:
        with _opened_secret(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # What a power cut leaves may be zeros.
            content = file.read(4096).strip(b"\0 \t\r\n")
            if not content:
                content = secrets.token_urlsafe(64).encode()
                _write_secret(path, file, content)
        secret = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            why = "is no regular file"
        else:
            why = f"cannot be used ({getattr(error, 'strerror', 'it is not UTF-8')})"
    else:
        if not _is_guessed(secret):
            return secret
        why = "is too easily guessed"
    sys.exit(
        f"DJANGO_SECRET_KEY is unset, and {path} {why}; remove it, for a new one to be made, or "
        "set DJANGO_SECRET_KEY to at least 50 random characters."
    )


def _opened_secret(path: Path) -> FileIO:
    """Open the file, made for its owner's eyes only; through no link, and without waiting."""
    never = os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | never, 0o600), "r+")
    except OSError:
        if not os.access(path, os.R_OK):
            raise
        file = FileIO(os.open(path, os.O_RDONLY | never))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError
    return file


def _write_secret(path: Path, file: FileIO, content: bytes) -> None:
    """Write the secret durably, whole or not at all; call it with the file's lock."""
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


def _weak_etag(headers: Any, path: str, _url: str) -> None:
    """Give a static file an ETag that its gzip form may share (RFC 9110, section 8.8.3.3)."""
    found = Path(path).stat()
    headers["ETag"] = f'W/"{int(found.st_mtime):x}-{found.st_size:x}"'


# The product's own settings: sequence/conf.py describes them.
FIBO_DATA_DIR = _directory("FIBO_DATA_DIR", BASE_DIR / "data")
TEMPORARY_DIR = _temporary_directory(FIBO_DATA_DIR, Path("/dev/shm"))  # noqa: S108
FIBO_MAX_SN = _whole("FIBO_MAX_SN", conf.MAX_SN, 0, conf.MAX_SN_LIMIT)
FIBO_SEGMENT_BYTES = _whole(
    "FIBO_SEGMENT_BYTES", conf.SEGMENT_BYTES, conf.MIN_SEGMENT_BYTES, conf.MAX_SEGMENT_BYTES
)
FIBO_PREPOPULATE = _whole("FIBO_PREPOPULATE", min(conf.PREPOPULATE, FIBO_MAX_SN), 0, FIBO_MAX_SN)
FIBO_ENCODINGS = _names("FIBO_ENCODINGS", conf.ENCODINGS)
FIBO_STORE_BYTES = _limit("FIBO_STORE_BYTES", conf.MIN_STORE_BYTES, conf.MAX_STORE_BYTES)

# Hosts share it. Where it is and who we are: AWS_ENDPOINT_URL and the other variables of boto3's.
FIBO_OBJECT_STORE = _object_store("FIBO_OBJECT_STORE")
FIBO_FETCH = _choice("FIBO_FETCH", conf.FETCH)

# gunicorn's: fibosite/gunicorn.conf.py gives the reasons.
PORT = _whole("PORT", 8888, 1, 65535)
WEB_CONCURRENCY = _whole("WEB_CONCURRENCY", 2, 1, 1024)
# The proxies that gunicorn believes about the scheme, and sequence/accounts/login.py about the
# client's address.
FORWARDED_ALLOW_IPS = _networks("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")

DEBUG = _switch("DJANGO_DEBUG")
SECRET_KEY = _secret("DJANGO_SECRET_KEY") or _kept_secret(FIBO_DATA_DIR / "secret_key")
ALLOWED_HOSTS = _hosts(
    "DJANGO_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", socket.gethostname()]
)

INSTALLED_APPS = [
    "sequence",
    # Without autodiscovery: fibosite/urls.py does that, so that a command need not load the admin.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "sequence.middleware.Measured",
    "sequence.middleware.PolicyHeaders",
    "sequence.middleware.CommonMiddleware",
    "sequence.middleware.Shortcut",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Below the admin's address only. It checks each of its forms against CSRF itself.
    "sequence.middleware.SessionMiddleware",
    "sequence.middleware.AuthenticationMiddleware",
    "sequence.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "fibosite.urls"
WSGI_APPLICATION = "fibosite.wsgi.application"


def _sqlite(name: str, synchronous: str, kept_s: int | None) -> dict[str, Any]:
    """Return a file of the data directory; its connections are kept for so long, None for ever."""
    path = FIBO_DATA_DIR / name
    # In WAL mode SQLite needs to write even to read, unless it is told that nobody writes.
    writable = os.access(FIBO_DATA_DIR, os.W_OK)
    return {
        "ENGINE": "sequence.index.sqlite",
        "NAME": path if writable else f"{path.as_uri()}?immutable=1",
        "CONN_MAX_AGE": kept_s,
        "OPTIONS": {
            # A transaction that reads first and writes later fails at once if another one writes
            # in between, whatever the timeout: it must ask to write from the start.
            "transaction_mode": "IMMEDIATE",
            # To open it takes long only if it is damaged, and then for ever.
            "timeout": 5,
            # The page cache is small (in KiB), as there is one for each thread.
            # The log of changes gives back what it had to grow beyond its usual 4 MiB.
            "init_command": (
                ("PRAGMA journal_mode=WAL; " if writable else "")
                + "PRAGMA journal_size_limit=4194304; "
                + f"PRAGMA synchronous={synchronous}; PRAGMA cache_size=-256; "
                # To write, all wait for those who write before.
                + "PRAGMA busy_timeout=60000"
            ),
        },
    }


def _on_postgresql(facts: dict[str, str]) -> dict[str, Any]:
    """Return the index on a server that several hosts share."""
    # Here, as one host alone need not have psycopg installed.
    from sequence.index.postgresql.patience import Connection

    named = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host"}
    named["PORT"] = "port"
    return {
        "ENGINE": "sequence.index.postgresql",
        **{ours: facts.get(theirs, "") for ours, theirs in named.items()},
        # A connection goes back to the pool after each question (sequence/index/failures.py).
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            # PostgreSQL allows 100 connections, and more threads than that ask for a millisecond
            # each. None is open before it is asked for: gunicorn forks. The pool does not retry:
            # a circuit breaker does (sequence/index/postgresql).
            "pool": {
                "connection_class": Connection,
                "min_size": 0,
                "max_size": 8,
                "timeout": 1,
                "reconnect_timeout": 0,
            },
            # libpq's, so that a lost host is noticed: in seconds, the last one in milliseconds.
            "connect_timeout": 2,
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            # A look-up waits a second for a locked table, and a write longer (`Engine.lock`).
            "options": "-c lock_timeout=1s",
            **{name: fact for name, fact in facts.items() if name not in named.values()},
        },
    }


_facts = _postgresql("DATABASE_URL")
DATABASES = (
    {"default": _on_postgresql(_facts)}
    if _facts
    else {
        # The index is derived data. In WAL mode NORMAL loses no consistency: after a power cut the
        # last rows may be gone, and are written again. Every thread keeps its connection: to open
        # one costs more than a small request.
        "default": _sqlite("index.sqlite3", synchronous="NORMAL", kept_s=None),
        # Accounts are original data: what is committed is on the disk (FULL).
        "accounts": _sqlite("accounts.sqlite3", synchronous="FULL", kept_s=0),
    }
)
DATABASE_ROUTERS = ["fibosite.router.Router"]
if FIBO_OBJECT_STORE and not _facts:
    # A host with rows of its own would take what others put there for leftovers.
    sys.exit(
        "DATABASE_URL is unset; it must name the index that hosts with FIBO_OBJECT_STORE share."
    )
if _facts:
    # The work that hosts share (sequence/tasks.py).
    INSTALLED_APPS.append("procrastinate.contrib.django")
# In seconds, how often a worker tells that it lives, and after what silence its jobs are another's;
# how many segments it builds at once, as `prepopulate` does; and jobs that are done leave no trace,
# as the index tells of what they stored.
PROCRASTINATE_WORKER_DEFAULTS: dict[str, Any] = {
    "update_heartbeat_interval": 2,
    "stalled_worker_timeout": 10,
    "concurrency": 4,
    "delete_jobs": "successful",
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / ".static"
WHITENOISE_ADD_HEADERS_FUNCTION = _weak_etag
STORAGES: dict[str, dict[str, Any]] = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if FIBO_OBJECT_STORE:
    try:
        import storages.backends.s3  # noqa: F401
        from botocore.config import Config
    except ImportError:
        sys.exit("FIBO_OBJECT_STORE needs more: pip install -r requirements-cluster.txt.")

    STORAGES["segments"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": FIBO_OBJECT_STORE.bucket,
            "location": FIBO_OBJECT_STORE.prefix,
            "endpoint_url": _endpoint("AWS_ENDPOINT_URL"),
            "client_config": Config(
                # Who asks can do without: what is not fetched is computed.
                connect_timeout=2,
                read_timeout=5,
                retries={"mode": "standard", "total_max_attempts": 2},
                # A stream holds one while it fetches.
                max_pool_connections=256,
                s3={"addressing_style": "path"},
                # Not every store knows of the checksums that S3 has besides; blocks have their own.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        },
    }

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# Of every answer. Scripts and styles are static files of our own: none is written into a page.
POLICY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": (
        "browsing-topics=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

# The admin's cookies never cross a network in the clear. Browsers count localhost as secure.
CSRF_FAILURE_VIEW = "sequence.views.csrf_failure"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# Django asks for middleware of its own: for headers, which are POLICY_HEADERS here, and against
# CSRF. None of ours redirects to TLS or promises to keep it (HSTS): gunicorn speaks plain HTTP, to
# curl or to a proxy, and either would break `make serve`. A proxy that ends TLS does both.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        # Its own handler mails the administrators, of which there are none.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # A client's mistake is answered; it needs no line in the operator's log.
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "CRITICAL"},
        "sequence": {"level": "INFO"},
        # Of each connection that fails; what could not be asked for want of it says so itself.
        "psycopg.pool": {"level": "ERROR"},
    },
}
