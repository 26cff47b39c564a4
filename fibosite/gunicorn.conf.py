"""gunicorn's settings: few threads, and as many connections as descriptors allow."""

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
    """Whether IPv6 sockets can be bound: kernels and containers may be without IPv6."""
    with suppress(OSError), socket(AF_INET6) as probe:
        probe.bind(("::", 0))
        return True
    return False


def bind_to_ipv6(listener: TCP6Socket, unbound: socket) -> None:
    """Bind an IPv6 socket; for IPv6 only, if another one is bound to the same port for IPv4.

    gunicorn leaves that to the kernel, and by default [::] takes IPv4 too: binding 0.0.0.0 then
    fails. A socket for both would see 127.0.0.1 as ::ffff:127.0.0.1, which no list of proxies has.
    """
    _, port = listener.cfg_addr
    if ("0.0.0.0", port) in listener.conf.address:  # noqa: S104
        unbound.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
    unbound.bind(listener.cfg_addr)


TCP6Socket.bind = bind_to_ipv6

bind = [f"0.0.0.0:{settings.PORT}", *([f"[::]:{settings.PORT}"] if has_ipv6() else [])]
forwarded_allow_ips = ",".join(settings.FORWARDED_ALLOW_IPS)

# docs/decisions/0002-event-loop.md. Two processes, so that one can fail.
worker_class = "fibosite.worker.ThreadWorker"
workers = settings.WEB_CONCURRENCY
# benchmarks/topics/mixed_load.py compares numbers of threads.
threads = 16

# In case address space is limited: a thread's stack would take 8 MiB of it, and glibc's arena for
# each thread 64 MiB (M_ARENA_MAX, mallopt(3)).
threading.stack_size(2 * 1024 * 1024)
if mallopt := getattr(CDLL(None), "mallopt", None):
    mallopt(-8, 2)

# The usual limit of 1,024 is there for select(), which nothing here uses.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
# A connection may hold a segment file too, and a thread four files of SQLite's; 64 are for the
# process itself. More connections wait in the listen queue.
worker_connections = max(1, min((most - 64 - 4 * threads) // 2, 20_000))
# The workers share the loaded program's memory, and a program that cannot start fails at once.
preload_app = True

# 90 s let 1 GB end at 100 Mbit/s, and are systemd's default before it kills.
graceful_timeout = 90
# For a worker's heartbeat, and for a request from its first byte to its last (fibosite/worker.py).
timeout = 30
keepalive = 5

# gunicorn's maximum: `/terms?value=` takes long numbers.
limit_request_line = 8190
# Each may have 8 KB; fibosite/http1.py limits all of them together.
limit_request_fields = http1.MAX_FIELDS

# fibosite/http1.py builds on this parser, whether others are installed or not.
http_parser = "python"
# By default any client on this host may set SCRIPT_NAME and PATH_INFO by headers.
forwarder_headers = ""
# By default gunicorn opens a control socket in the home directory.
control_socket_disable = True


# For the workers' heartbeats, which are empty files. If no directory can be written to, gunicorn's
# default ends in a traceback.
worker_tmp_dir = settings.TEMPORARY_DIR
if not worker_tmp_dir:
    sys.exit("No directory can be written to, and workers need one: set TMPDIR to one that can be.")

# A reader that accepts nothing for so long is dropped. A slow one looks the same between two
# windows that it announces: for 10 s at 10 kB/s, for more than 120 s if it was fast before
# (docs/decisions/0002-event-loop.md).
STALL_TIMEOUT_S = 300


def when_ready(server: Arbiter) -> None:
    """Compile the content codings once for all workers, and have the kernel drop stalled readers.

    Accepted connections inherit TCP_USER_TIMEOUT from the listening socket. A socket that was
    passed on with a limit of its own keeps that.
    """
    from sequence.coding.coder import packer

    # Asking compiles it: now, and not for the first client that accepts a coding.
    packer.available  # noqa: B018
    for listener in server.LISTENERS:
        # A Unix socket has no such option, and its reader is a proxy.
        if isinstance(listener, TCPSocket) and not listener.getsockopt(
            IPPROTO_TCP, TCP_USER_TIMEOUT
        ):
            listener.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, STALL_TIMEOUT_S * 1000)


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Give the worker a free place to count in (sequence/web/counting.py)."""
    worker.place = counting.free_place({each.place for each in server.WORKERS.values()})


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Count in that place."""
    counting.take_place(worker.place)


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Subtract the streams of a worker that is gone from those in progress."""
    counting.leave_place(worker.place)


def post_worker_init(worker: Worker) -> None:
    """Start the background work: reconciliation, write-behind counters, closing unused files."""
    from sequence import background
    from sequence.index import counters
    from sequence.operations import reconcile
    from sequence.store import opened

    background.start_periodic(counters.write, opened.close_unused)
    reconcile.submit()


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """Stop the background work: no client waits for it, and Python would finish it at exit."""
    from sequence.index import counters, health
    from sequence.operations import jobs
    from sequence.segments import build

    for background in (build.builders, health.index_thread, jobs.running):
        background.stop()
    counters.write()
