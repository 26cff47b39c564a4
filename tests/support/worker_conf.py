"""The service's configuration of gunicorn for worker_app.py, changed as a test asks."""

import _thread
import os
from itertools import count
from pathlib import Path
from runpy import run_path
from typing import Any

from fibosite import worker

ours = run_path(str(Path(worker.__file__).with_name("gunicorn.conf.py")))
globals().update({name: value for name, value in ours.items() if not name.startswith("__")})

wsgi_app = "tests.support.worker_app"
workers = int(os.environ.get("TEST_WORKERS", "1"))
threads = 2


def post_worker_init(_worker: Any) -> None:
    """Nothing: there is no store."""


def worker_exit(_server: Any, _worker: Any) -> None:
    """Nothing."""


_begun = count()


def _begin_a_few(*arguments: Any) -> int:
    if next(_begun) >= int(os.environ["TEST_THREADS"]):
        raise RuntimeError("can't start new thread")
    return _thread.start_new_thread(*arguments)


if "TEST_THREADS" in os.environ:
    setattr(worker, "start_new_thread", _begin_a_few)  # noqa: B010
