"""Django's settings, and the only place that asks for variables of the environment.

fibosite/env.py reads them, and ends the process if one makes no sense.
"""

import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fibosite import env, secret_key
from sequence import conf
from sequence.text.layout import MAX_TERMS

BASE_DIR = Path(__file__).resolve().parent.parent


def _weak_etag(headers: Any, path: str, _url: str) -> None:
    """Give a static file an ETag that its gzip form may share (RFC 9110, section 8.8.3.3)."""
    found = Path(path).stat()
    headers["ETag"] = f'W/"{int(found.st_mtime):x}-{found.st_size:x}"'


# The product's own settings: sequence/conf.py describes them.
FIBO_DATA_DIR = env.directory("FIBO_DATA_DIR", BASE_DIR / "data")
TEMPORARY_DIR = env.temporary_directory(FIBO_DATA_DIR, Path("/dev/shm"))  # noqa: S108
FIBO_MAX_SN = env.whole("FIBO_MAX_SN", conf.MAX_SN, 0, MAX_TERMS)
FIBO_MAX_TERM = env.whole("FIBO_MAX_TERM", conf.MAX_TERM, 0, MAX_TERMS)
FIBO_SEGMENT_BYTES = env.whole(
    "FIBO_SEGMENT_BYTES", conf.SEGMENT_BYTES, conf.MIN_SEGMENT_BYTES, conf.MAX_SEGMENT_BYTES
)
FIBO_PREPOPULATE = env.whole("FIBO_PREPOPULATE", min(conf.PREPOPULATE, FIBO_MAX_SN), 0, FIBO_MAX_SN)
FIBO_ENCODINGS = env.names("FIBO_ENCODINGS", conf.ENCODINGS)
FIBO_STORE_BYTES = env.limit("FIBO_STORE_BYTES", conf.MIN_STORE_BYTES, conf.MAX_STORE_BYTES)

# Shared by hosts. boto3 reads its endpoint and credentials from AWS_ENDPOINT_URL and others.
FIBO_OBJECT_STORE = env.object_store("FIBO_OBJECT_STORE")
FIBO_FETCH = env.choice("FIBO_FETCH", conf.FETCH)

# For gunicorn: fibosite/gunicorn.conf.py gives the reasons.
PORT = env.whole("PORT", 8888, 1, 65535)
WEB_CONCURRENCY = env.whole("WEB_CONCURRENCY", 2, 1, 1024)
# The proxies that are trusted: by gunicorn for the scheme, by sequence/accounts/login.py for the
# client's address.
FORWARDED_ALLOW_IPS = env.networks("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")

DEBUG = env.switch("DJANGO_DEBUG")
SECRET_KEY = env.secret("DJANGO_SECRET_KEY")
if not SECRET_KEY:
    SECRET_KEY = secret_key.read_or_create(FIBO_DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.hosts(
    "DJANGO_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", socket.gethostname()]
)

INSTALLED_APPS = [
    "sequence",
    # Without autodiscovery, which fibosite/urls.py does: commands need not load the admin.
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
    # Only below the admin's address. The admin checks its forms against CSRF itself.
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


_facts = env.postgresql("DATABASE_URL")
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
    # The queue of segments that hosts build together (sequence/tasks.py).
    INSTALLED_APPS.append("procrastinate.contrib.django")
# Heartbeats and the silence after which a worker's jobs are retried, in seconds; how many segments
# a worker builds at once, like `prepopulate`; jobs that succeeded are deleted, as the index records
# what they stored.
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
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if FIBO_OBJECT_STORE:
    if find_spec("boto3") is None:
        sys.exit("FIBO_OBJECT_STORE needs more: pip install -r requirements-cluster.txt.")
    FIBO_OBJECT_STORE = FIBO_OBJECT_STORE._replace(endpoint_url=env.endpoint("AWS_ENDPOINT_URL"))

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# Headers of every answer. Scripts and styles are our own static files; none are inline.
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
# They ask for Django's middleware: for security headers, which are POLICY_HEADERS here, and against
# CSRF. Nothing here redirects to TLS or promises it (HSTS): gunicorn speaks plain HTTP, to curl or
# to a proxy, and either would break `make serve`. A proxy that ends TLS does both.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        # Django's own handler mails administrators; there are none.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # A client's mistake gets an answer and no line in the operator's log.
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "CRITICAL"},
        "sequence": {"level": "INFO"},
        # It warns of each failed connection; what fails without one is logged where it fails.
        "psycopg.pool": {"level": "ERROR"},
    },
}
