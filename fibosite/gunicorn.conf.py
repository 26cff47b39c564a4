"""gunicorn's settings: few threads that work, and as many connections as descriptors allow."""

import resource
import sys
import threading
from contextlib import suppress
from ctypes import CDLL
from socket import AF_INET6, IPPROTO_IPV6, IPPROTO_TCP, IPV6_V6ONLY, TCP_USER_TIMEOUT, socket

from gunicorn.arbiter import Arbiter
from gunicorn.sock import TCP6Socket, TCPSocket
from gunicorn.workers.base import Worker

from fibosite import http1, settings
from sequence.web import counting

wsgi_app = "fibosite.wsgi"


def has_ipv6() -> bool:
    """Whether sockets of IPv6 can be bound here: kernels and containers may be without it."""
    with suppress(OSError), socket(AF_INET6) as probe:
        probe.bind(("::", 0))
        return True
    return False


def bind_to_ipv6(listener: TCP6Socket, unbound: socket) -> None:
    """Bind a socket of IPv6, for IPv6 alone if another one is bound to the port for IPv4.

    gunicorn leaves that to the kernel, where by default [::] takes IPv4 as well: then 0.0.0.0 is in
    use. One socket for both would see 127.0.0.1 as ::ffff:127.0.0.1, which no list of proxies has.
    """
    _, port = listener.cfg_addr
    if ("0.0.0.0", port) in listener.conf.address:  # noqa: S104
        unbound.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
    unbound.bind(listener.cfg_addr)


TCP6Socket.bind = bind_to_ipv6

bind = [f"0.0.0.0:{settings.PORT}", *([f"[::]:{settings.PORT}"] if has_ipv6() else [])]
forwarded_allow_ips = ",".join(settings.FORWARDED_ALLOW_IPS)

# docs/decisions/0002-event-loop.md; two processes, so that one can be lost.
worker_class = "fibosite.worker.ThreadWorker"
workers = settings.WEB_CONCURRENCY
# benchmarks/topics/mixed_load.py compares numbers of them.
threads = 16

# Where address space is limited: a thread's stack would take 8 MiB of it, and what glibc keeps for
# each thread's allocations (M_ARENA_MAX, mallopt(3)) 64 MiB.
threading.stack_size(2 * 1024 * 1024)
if mallopt := getattr(CDLL(None), "mallopt", None):
    mallopt(-8, 2)

# The usual limit of 1,024 is there for select(), which nothing here uses.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
# A connection may hold a segment too, and a thread four files of SQLite's; the rest is the
# process's own. More connections wait in the listen queue.
worker_connections = max(1, min((most - 64 - 4 * threads) // 2, 20_000))
# Shares the loaded program's memory among the workers, and fails at once where it cannot start.
preload_app = True

# A minute and a half lets 1 GB end at 100 Mbit/s, and is what systemd grants before it kills.
graceful_timeout = 90
# Of a worker's heart, and of a request from its first byte to its last (fibosite/worker.py).
timeout = 30
keepalive = 5

# The most that gunicorn allows: `/terms?value=` takes long numbers.
limit_request_line = 8190
# Of 8 KB each; fibosite/http1.py bounds all of them together.
limit_request_fields = http1.MAX_FIELDS

# fibosite/http1.py builds on this parser, whatever others are installed.
http_parser = "python"
# gunicorn would take SCRIPT_NAME and PATH_INFO from the headers of any client on this host.
forwarder_headers = ""
# It would also open a control socket in the home directory.
control_socket_disable = True


# For the workers' heartbeats, which are empty files. gunicorn's own choice may be a traceback.
worker_tmp_dir = settings.TEMPORARY_DIR
if not worker_tmp_dir:
    sys.exit("No directory can be written to, and workers need one: set TMPDIR to one that can be.")

# A reader that accepts nothing for so long is dropped. A slow one looks like that between two
# windows that it announces: for 10 s at 10 kB/s, for more than 120 s where it was fast before
# (docs/decisions/0002-event-loop.md).
STALL_TIMEOUT_S = 300


def when_ready(server: Arbiter) -> None:
    """Compile what encodes answers, for all workers, and have the kernel drop stalled readers.

    Connections inherit the latter from the socket they came by.

    A socket that was handed over with a limit of its own keeps that.
    """
    from sequence.coding.coder import packer

    # Asked, so that it is found out now, and not by the first client who accepts a coding.
    packer.available  # noqa: B018
    for listener in server.LISTENERS:
        # A socket in the file system (AF_UNIX) has no such option; there a proxy is the reader.
        if isinstance(listener, TCPSocket) and not listener.getsockopt(
            IPPROTO_TCP, TCP_USER_TIMEOUT
        ):
            listener.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, STALL_TIMEOUT_S * 1000)


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Give the worker a place to count in (sequence/web/counting.py) that no other one has."""
    worker.place = counting.free_place({each.place for each in server.WORKERS.values()})


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Count in that place."""
    counting.take_place(worker.place)


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Take the streams of a worker that is gone, however it went, from those in progress."""
    counting.leave_place(worker.place)


def post_worker_init(worker: Worker) -> None:
    """Begin the background work: files and rows are reconciled, counts written, files closed."""
    from sequence import background
    from sequence.index import counters
    from sequence.operations import reconcile
    from sequence.store import opened

    background.start_periodic(counters.write, opened.close_unused)
    reconcile.submit()


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """Drops what no client waits for any more; Python would finish it before it ends."""
    from sequence.index import counters, health
    from sequence.operations import populate
    from sequence.segments import build

    for background in (build.builders, health.index_thread, populate.populating):
        background.stop()
    counters.write()
