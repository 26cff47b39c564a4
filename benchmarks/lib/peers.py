"""The peers that serve the same text from a file: nginx and caddy."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.lib.bench import TEXT_BYTES, Server, listening, program, stop

WORKERS = 2

NGINX_CONF = """
daemon off;
{user}
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    sendfile on;
    default_type text/plain;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {home};
        {more}
    }}
}}
"""


CADDYFILE = """
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    root * {home}
    file_server
}}
"""


def unused_port() -> int:
    """Return a port that is free now."""
    with listening() as socket_:
        port: int = socket_.getsockname()[1]
        return port


@contextmanager
def nginx(home: Path, more: str = "") -> Iterator[Server]:
    """An nginx that serves the files of the directory; `more` goes on with its configuration."""
    port, conf = unused_port(), home / "nginx.conf"
    # Only root may read a temporary directory of root's.
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(NGINX_CONF.format(home=home, port=port, user=user, workers=WORKERS, more=more))
    arguments = ["-p", str(home), "-e", str(home / "error.log"), "-c", str(conf)]
    with running([program("nginx", "nginx-light"), *arguments], port, os.environ) as server:
        yield server


@contextmanager
def caddy(home: Path) -> Iterator[Server]:
    """A caddy that serves the files of the directory."""
    port, conf = unused_port(), home / "Caddyfile"
    conf.write_text(CADDYFILE.format(home=home, port=port))
    command = [program("caddy", "caddy"), "run", "--config", str(conf), "--adapter", "caddyfile"]
    environment = os.environ | {"GOMAXPROCS": str(WORKERS), "HOME": str(home)}
    with running(command, port, environment) as server:
        yield server


@contextmanager
def running(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[Server]:
    """A peer that listens at the port."""
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield Server(port, process)
    finally:
        stop(process)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when something listens at the port."""
    for _ in range(100):
        assert process.poll() is None, "the server ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError


def join(data_dir: Path, path: Path) -> None:
    """Write the stored text of all TERMS as one file."""
    with path.open("wb") as joined:
        for segment in sorted((data_dir / "segments").glob("*.txt")):
            with segment.open("rb") as file:
                shutil.copyfileobj(file, joined, 1024 * 1024)
        # The last segment is complete, and so goes on with terms beyond them.
        joined.truncate(TEXT_BYTES)
