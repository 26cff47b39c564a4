"""Compares our gunicorn with nginx and caddy, two workers each: 100,000 stored terms sent over
loopback to 1, 8 and 64 clients at once. With --chunks, compares the lengths that our store reads at
a time.

A client is a process that receives into one MiB of memory; the same for all sides. What CPU time
clients and server took is told, as they share the cores.
"""

import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import plots
from bench import (
    TERMS,
    TEXT_BYTES,
    TEXT_SHA256,
    WHOLE,
    Server,
    Target,
    curl,
    get,
    heading,
    judge,
    listening,
    new_store,
    parser,
    program,
    ratios,
    report,
    report_first_bytes,
    scratch_directory,
    served,
    stop,
    streams_in_turn,
    table,
)
from clients import Streamed, stream

from sequence.store.store import CHUNK_BYTES

WORKERS = 2
CLIENTS = {1: 1.0, 8: 1.0, 64: 0.9}
"""How many clients at once, and how much of nginx's throughput is asked of us."""

CHUNK_LENGTHS_KIB = (64, 128, 256, 512, 1024)

WITH_CHUNKS = """
from sequence.store import directory

directory.CHUNK_BYTES = {length}

from fibosite.wsgi import application
"""

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


def free_port() -> int:
    """A port that is free now."""
    with listening() as socket_:
        port: int = socket_.getsockname()[1]
        return port


@contextmanager
def nginx(home: Path, more: str = "") -> Iterator[Server]:
    """An nginx that serves the files of the directory; `more` goes on with its configuration."""
    port, conf = free_port(), home / "nginx.conf"
    # Only root may read a temporary directory of root's.
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(NGINX_CONF.format(home=home, port=port, user=user, workers=WORKERS, more=more))
    arguments = ["-p", str(home), "-e", str(home / "error.log"), "-c", str(conf)]
    with running([program("nginx", "nginx-light"), *arguments], port, os.environ) as server:
        yield server


@contextmanager
def caddy(home: Path) -> Iterator[Server]:
    """A caddy that serves the files of the directory."""
    port, conf = free_port(), home / "Caddyfile"
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
    """Returns when something listens at the port."""
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
    """Writes the stored text of all TERMS as one file."""
    with path.open("wb") as joined:
        for segment in sorted((data_dir / "segments").glob("*.txt")):
            with segment.open("rb") as file:
                shutil.copyfileobj(file, joined, 1024 * 1024)
        # The last segment is complete, and so goes on with terms beyond them.
        joined.truncate(TEXT_BYTES)


def compare_chunks(scratch: Path, data: Path, rounds: int) -> None:
    """Measures and prints the lengths of a chunk, one worker each."""
    with ExitStack() as stack:
        sides = {}
        for kib in CHUNK_LENGTHS_KIB:
            module = f"chunks_of_{kib}"
            (scratch / f"{module}.py").write_text(WITH_CHUNKS.format(length=kib * 1024))
            server = stack.enter_context(
                served(data, module, WEB_CONCURRENCY="1", PYTHONPATH=str(scratch))
            )
            sides[f"{kib} KiB"] = partial(curl, server.port, WHOLE, TEXT_BYTES)
        firsts, lasts = streams_in_turn(sides, rounds)
    against = f"{CHUNK_BYTES // 1024} KiB"
    report(f"Lengths of a chunk: {TERMS:,} stored terms to curl", lasts, against, TEXT_BYTES)
    report_first_bytes("Lengths of a chunk: first byte", firsts)


Side = tuple[Server, str]


def compare(sides: dict[str, Side], count: int, rounds: int) -> dict[str, list[float]]:
    """Measures and prints so many clients at once; the seconds that each side took."""
    used: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}

    def together(name: str) -> tuple[float, float]:
        server, target = sides[name]
        before = server.cpu_seconds()
        found: Streamed = stream(server.port, target, TEXT_BYTES, count)
        used[name].append((server.cpu_seconds() - before, found.client_cpu_s))
        return found.first_s, found.last_s

    firsts, lasts = streams_in_turn({name: partial(together, name) for name in sides}, rounds)
    title = f"{TERMS:,} stored terms to {count} at once, {WORKERS} workers each"
    report(title, lasts, "nginx", count * TEXT_BYTES)
    report_first_bytes(f"{title}: the first byte of any", firsts)
    rows = [
        [name, *(f"{statistics.median(side) / count:.3f}" for side in zip(*seconds, strict=True))]
        for name, seconds in used.items()
    ]
    table(f"{title}: CPU seconds a stream", ["side", "server", "client"], rows)
    return lasts


def main() -> None:
    """Measures and prints."""
    arguments = parser(__doc__, rounds=9)
    arguments.add_argument("--chunks", action="store_true", help="compare CHUNK_BYTES instead")
    options = arguments.parse_args()
    with scratch_directory(options.directory) as scratch, ExitStack() as stack:
        data = new_store(scratch / "data", TERMS)
        heading()
        if options.chunks:
            compare_chunks(scratch, data, options.rounds)
            return
        home = scratch / "files"
        home.mkdir()
        join(data, home / "text")
        ours = stack.enter_context(served(data, WEB_CONCURRENCY=str(WORKERS)))
        sides: dict[str, Side] = {
            "nginx": (stack.enter_context(nginx(home)), "/text"),
            "caddy": (stack.enter_context(caddy(home)), "/text"),
            "ours": (ours, WHOLE),
        }
        for server, target in sides.values():
            assert get(server.port, target) == (200, TEXT_SHA256)

        targets, throughput = [], {}
        for count, least in CLIENTS.items():
            # Many streams are a mean of their own, and take long.
            rounds = options.rounds if count < 10 else min(options.rounds, 3)
            lasts = compare(sides, count, rounds)
            found = ratios(lasts["nginx"], lasts["ours"])
            who = f"{count} client{'s' * (count > 1)}"
            targets.append(Target(f"nginx's throughput, {who}", found, at_least=least))
            for name, seconds in lasts.items():
                throughput[f"{who}: {name}"] = [count * TEXT_BYTES / 1e9 / s for s in seconds]
        judge(*targets)
        if options.plots:
            title = f"{TERMS:,} stored terms over loopback, two workers each"
            plots.bars("warm_stream", title, throughput, "GB/s in total")


if __name__ == "__main__":
    main()
