"""The real settings with a data directory and small segments of the tests' own."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_directory = tempfile.mkdtemp(prefix="fibo-tests-")
atexit.register(shutil.rmtree, _directory, ignore_errors=True)
# Never what a developer works with, such as an index; tests/index/test_postgresql.py names its own.
OURS = (
    "FIBO_",
    "DJANGO_",
    "PORT",
    "WEB_CONCURRENCY",
    "DATABASE_URL",
    "FORWARDED_ALLOW_IPS",
    "GUNICORN_",
)
"""How the variables begin that change what the service does."""
_url = os.environ.get("FIBO_TEST_DATABASE_URL")
for _name in [name for name in os.environ if name.startswith(OURS)]:
    if _name != "DJANGO_SETTINGS_MODULE":
        del os.environ[_name]
os.environ["FIBO_DATA_DIR"] = _directory
os.environ["FIBO_SEGMENT_BYTES"] = "4096"
if _url:
    os.environ["DATABASE_URL"] = _url

from fibosite.settings import *  # noqa: E402, F403
from fibosite.settings import DATABASES  # noqa: E402

if not _url:
    # Files and not memory, as builders in other threads must see it.
    for _alias, _database in DATABASES.items():
        _database["TEST"] = {"NAME": Path(_directory) / f"test-{_alias}.sqlite3"}
    # Real processes show that it is durable; here it is emptied after each test.
    DATABASES["accounts"]["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
