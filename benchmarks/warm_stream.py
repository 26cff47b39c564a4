"""Compares our gunicorn, one worker, with nginx and sendfile, one worker: 100,000 stored terms sent
to curl over loopback. With --chunks, compares the lengths that our store reads at a time."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench import (
    TERMS,
    TEXT_BYTES,
    TEXT_SHA256,
    WHOLE,
    curl,
    get,
    heading,
    new_store,
    parser,
    report,
    report_first_bytes,
    scratch_directory,
    served,
    streams_in_turn,
)

from sequence.store import directory

CHUNK_LENGTHS_KIB = (64, 128, 256, 512, 1024)

WITH_CHUNKS = """
from sequence.store import directory

directory.CHUNK_BYTES = {length}

from fibosite.wsgi import application
"""

NGINX_CONF = """
daemon off;
{user}
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ }}
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
    }}
}}
"""


@contextmanager
def nginx(home: Path) -> Iterator[int]:
    """The port of an nginx that serves the files of the directory."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "nginx is missing: apt-get install nginx-light"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    conf = home / "nginx.conf"
    # Only root may read a temporary directory of root's.
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(NGINX_CONF.format(home=home, port=port, user=user))
    process = subprocess.Popen(
        [program, "-p", str(home), "-e", str(home / "error.log"), "-c", str(conf)]
    )
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns when something listens at the port."""
    for _ in range(100):
        assert process.poll() is None, "nginx ended"
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


def main() -> None:
    """Measures and prints."""
    arguments = parser(__doc__, rounds=9)
    arguments.add_argument("--chunks", action="store_true", help="compare CHUNK_BYTES instead")
    options = arguments.parse_args()
    with scratch_directory(options.directory) as scratch, ExitStack() as running:
        data = new_store(scratch / "data", TERMS)
        ports: dict[str, tuple[int, str]] = {}
        if options.chunks:
            for kib in CHUNK_LENGTHS_KIB:
                module = f"chunks_of_{kib}"
                (scratch / f"{module}.py").write_text(WITH_CHUNKS.format(length=kib * 1024))
                server = running.enter_context(
                    served(data, module, WEB_CONCURRENCY="1", PYTHONPATH=str(scratch))
                )
                ports[f"{kib} KiB"] = server.port, WHOLE
            title, against = "Lengths of a chunk", f"{directory.CHUNK_BYTES // 1024} KiB"
        else:
            home = scratch / "nginx"
            home.mkdir()
            join(data, home / "text")
            ours = running.enter_context(served(data, WEB_CONCURRENCY="1"))
            ports["nginx"] = running.enter_context(nginx(home)), "/text"
            ports["ours"] = ours.port, WHOLE
            title, against = "One worker each", "nginx"
        for port, target in ports.values():
            assert get(port, target) == (200, TEXT_SHA256)

        heading()
        sides: dict[str, Callable[[], tuple[float, float]]] = {
            name: partial(curl, port, target, TEXT_BYTES) for name, (port, target) in ports.items()
        }
        firsts, lasts = streams_in_turn(sides, options.rounds)
        report(f"{title}: {TERMS:,} stored terms to curl", lasts, against, TEXT_BYTES)
        report_first_bytes(f"{title}: first byte", firsts)


if __name__ == "__main__":
    main()
