"""gunicorn's settings: many threads, as a long answer holds one for as long as its client reads."""

import atexit
import os
import resource
import sys
from shutil import rmtree
from socket import IPPROTO_TCP, TCP_USER_TIMEOUT
from tempfile import mkdtemp

from gunicorn.arbiter import Arbiter
from gunicorn.http.errors import InvalidHeader, LimitRequestHeaders
from gunicorn.http.message import Request
from gunicorn.sock import TCPSocket
from gunicorn.workers.base import Worker

from fibosite import settings

wsgi_app = "fibosite.wsgi"
bind = f"0.0.0.0:{settings.PORT}"

# benchmarks/mixed_load.py compares these. gthread and not sync, which kills a slow reader after
# `timeout`; two processes, so that one can be lost; threads for more slow readers than are likely.
worker_class = "fibosite.worker.ThreadWorker"
workers = settings.WEB_CONCURRENCY
threads = 256
worker_connections = 1000
# Shares the loaded program's memory among the workers, and fails at once where it cannot start.
preload_app = True

# A minute and a half lets 1 GB end at 100 Mbit/s, and is what systemd grants before it kills.
graceful_timeout = 90
# Of a worker's heart, and of a request from its first byte to its last (fibosite/worker.py).
timeout = 30
keepalive = 5

# The most that gunicorn allows: `/terms?value=` takes long numbers.
limit_request_line = 8190
# Of 8 KB each, and all of them together; gunicorn joins those of one name.
limit_request_fields = 64
MAX_HEADERS_BYTES = 16 * 1024

# gunicorn would take SCRIPT_NAME and PATH_INFO from the headers of any client on this host.
forwarder_headers = ""
# It would also open a control socket in the home directory.
control_socket_disable = True


def remove_counts(directory: str, owner: int) -> None:
    """Removes the directory; in the process that made it only, as its workers inherit the duty."""
    if os.getpid() == owner:
        rmtree(directory, ignore_errors=True)


# Where the processes count together (sequence/metrics.py). prometheus_client looks for it when it
# is first imported. A reload (SIGHUP) reads this file again and goes on with the same counts.
if "prometheus_client" not in sys.modules:
    # In memory where possible: a process that writes to a mapped file on a full disk is killed.
    in_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    counts = os.environ["PROMETHEUS_MULTIPROC_DIR"] = mkdtemp(prefix="fibo-counts-", dir=in_memory)
    # Not gunicorn's on_exit, which is not called where the application refuses to start.
    atexit.register(remove_counts, counts, os.getpid())


# A reader that accepts nothing for so long is dropped. A slow one looks like that between two
# windows that it announces: for 10 s at 10 kB/s, for more than 120 s where it was fast before
# (docs/decisions/0002-threads.md).
STALL_TIMEOUT_S = 300

# A thread holds up to five: connection, selector, segment, and two of SQLite. The usual limit of
# 1,024 is there for select(), which nothing here uses.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def when_ready(server: Arbiter) -> None:
    """Has the kernel drop stalled readers: connections inherit it from the socket they came by.

    A socket that was handed over with a limit of its own keeps that.
    """
    for listener in server.LISTENERS:
        # A socket in the file system (AF_UNIX) has no such option; there a proxy is the reader.
        if isinstance(listener, TCPSocket) and not listener.getsockopt(
            IPPROTO_TCP, TCP_USER_TIMEOUT
        ):
            listener.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, STALL_TIMEOUT_S * 1000)


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Takes the streams of a worker that is gone, however it went, from those in progress."""
    # Here and not above, where the directory is not yet there.
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def post_worker_init(worker: Worker) -> None:
    """Begins what goes on beside the requests.

    Segments that the index does not know of are taken in, and counts are written.
    """
    from sequence import index, upkeep, usage

    usage.write_now_and_then()
    index.restorers.soon("take in", upkeep.take_in)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """Drops what no client waits for any more; Python would finish it before it ends."""
    from sequence import build, coded, index, populate, usage

    for background in (build.builders, coded.coders, index.restorers, populate.populating):
        background.stop()
    usage.write()


def pre_request(worker: Worker, request: Request) -> None:
    """Refuse headers that are long together, and HTTP/1.1 without exactly one Host.

    Headers by RFC 9110, section 5.4: they would cost more to understand than what is asked for.
    Host by RFC 9112, section 3.2: Django would take the address that the server listens on for the
    missing one.
    """
    if sum(len(name) + len(value) for name, value in request.headers) > MAX_HEADERS_BYTES:
        raise LimitRequestHeaders(f"The headers are longer than {MAX_HEADERS_BYTES:,} bytes.")
    hosts = [value for name, value in request.headers if name == "HOST"]
    if request.version >= (1, 1) and len(hosts) != 1:
        raise InvalidHeader("HOST", request)
