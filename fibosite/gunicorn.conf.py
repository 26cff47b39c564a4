"""gunicorn's settings: many threads, as a long answer holds one for as long as its client reads."""

from gunicorn.http.errors import InvalidHeader
from gunicorn.http.message import Request
from gunicorn.workers.base import Worker

from fibosite import settings

wsgi_app = "fibosite.wsgi"
bind = f"0.0.0.0:{settings.PORT}"

# benchmarks/mixed_load.py compares these. gthread and not sync, which kills a slow reader after
# `timeout`; two processes, so that one can be lost; threads for more slow readers than are likely.
worker_class = "gthread"
workers = settings.WEB_CONCURRENCY
threads = 256
worker_connections = 1000
# Shares the loaded program's memory among the workers, and fails at once where it cannot start.
preload_app = True

# A minute and a half lets 1 GB end at 100 Mbit/s, and is what systemd grants before it kills.
graceful_timeout = 90
timeout = 30
keepalive = 5

# gunicorn would take SCRIPT_NAME and PATH_INFO from the headers of any client on this host.
forwarder_headers = ""
# It would also open a control socket in the home directory.
control_socket_disable = True


def pre_request(worker: Worker, request: Request) -> None:
    """Refuses HTTP/1.1 without exactly one Host (RFC 9112, section 3.2).

    Django would take the address that the server listens on for the missing one.
    """
    hosts = [value for name, value in request.headers if name == "HOST"]
    if request.version >= (1, 1) and len(hosts) != 1:
        raise InvalidHeader("HOST", request)
