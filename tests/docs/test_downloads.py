"""Downloads by the clients that people use: each ends with the right bytes, or says that not."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import NamedTuple

import httpx
import psutil
import pytest
import requests
import zstandard

from tests.support import oracle
from tests.support.processes import ROOT, manage
from tests.support.reference import LENGTH, SHA256, hash_of
from tests.support.servers import Server, served

# The window begins and ends within a segment, and has some ten whole ones between.
SMALL_SEGMENTS = {"FIBO_SEGMENT_BYTES": "65536"}
WINDOW, START, STOP = "/?sn=2500&start=400", 400, 2900

BROKEN = "/?sn=40000"


@pytest.fixture(scope="module")
def small_segments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose answers are made of many segments, and coded ones of as many pieces."""
    with served(tmp_path_factory.mktemp("small") / "data", **SMALL_SEGMENTS) as server:
        yield server


def kill_workers(server: Server) -> None:
    """Breaks off what the server sends; its master starts other workers."""
    for worker in psutil.Process(server.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # one that was killed before may be listed still
            worker.kill()


def address(server: Server, target: str) -> str:
    """What a client on this host is told to fetch."""
    return f"http://localhost:{server.port}{target}"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_requests_finds_the_same_bytes_in_each_coding(small_segments: Server, coding: str) -> None:
    wanted = {"Accept-Encoding": coding}
    url = address(small_segments, WINDOW)
    with requests.get(url, headers=wanted, stream=True, timeout=60) as response:
        assert response.headers["Content-Encoding"] == coding
        if coding == "gzip":
            found = response.content
        else:
            # Without backports.zstd requests leaves zstd to its caller.
            decompressor = zstandard.ZstdDecompressor()
            found = decompressor.stream_reader(response.raw, read_across_frames=True).read()
    assert found == oracle.text(START, STOP)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_httpx_finds_the_same_bytes_in_each_coding(small_segments: Server, coding: str) -> None:
    """It fails where a frame of zstd ends with what one read of the connection gives."""
    url = address(small_segments, WINDOW)
    with httpx.stream("GET", url, headers={"Accept-Encoding": coding}, timeout=60) as response:
        assert response.headers["Content-Encoding"] == coding
        found = b"".join(response.iter_bytes())
    assert found == oracle.text(START, STOP)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_requests_says_when_an_answer_breaks_off(shared_server: Server, coding: str) -> None:
    wanted = {"Accept-Encoding": coding}
    url = address(shared_server, BROKEN)
    with requests.get(url, headers=wanted, stream=True, timeout=60) as response:
        chunks = response.iter_content(65536)
        next(chunks)
        kill_workers(shared_server)
        with pytest.raises(requests.RequestException):
            list(chunks)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_httpx_says_when_an_answer_breaks_off(shared_server: Server, coding: str) -> None:
    url = address(shared_server, BROKEN)
    with httpx.stream("GET", url, headers={"Accept-Encoding": coding}, timeout=60) as response:
        chunks = response.iter_bytes()
        next(chunks)
        kill_workers(shared_server)
        with pytest.raises(httpx.TransportError):
            list(chunks)


# From here on with tools that Python does not bring, of which `make test` installs a few only.

FILE = "terms.txt"


class Download(NamedTuple):
    """A command that goes on with FILE where it is, and its option for bytes a second at most."""

    command: str
    most_rate: str


DOWNLOADS = [
    Download(f"curl -sS -C - -o {FILE}", "--limit-rate"),
    Download(f"curl -sS --compressed -C - -o {FILE}", "--limit-rate"),
    Download(f"wget -q -c -O {FILE}", "--limit-rate"),
    Download(f"aria2c -q -c -x16 -s16 -k1M -o {FILE}", "--max-overall-download-limit"),
]
each_download = pytest.mark.parametrize("download", DOWNLOADS, ids=lambda each: each.command)


def command(line: str, *arguments: str) -> list[str]:
    """The words of a command whose program must be there."""
    program, *words = shlex.split(line)
    path = shutil.which(program)
    if path is None:
        pytest.fail(f"{program} is not installed; .ci/run installs it.")
    return [path, *words, *arguments]


def fetched(
    line: str, server: Server, target: str, directory: Path
) -> subprocess.CompletedProcess[bytes]:
    """What a command did to fetch an answer, and printed."""
    return subprocess.run(
        command(line, address(server, target)),
        cwd=directory,
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A directory whose gigabytes go with the test."""
    yield tmp_path
    # A browser that was killed may still be writing there.
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has everything stored."""
    directory = tmp_path_factory.mktemp("warm")
    with served(directory / "data") as server:
        manage(server.data_dir, "prepopulate", "--upto=100000")
        yield server
    shutil.rmtree(directory)


@pytest.fixture(params=["cold", "warm"])
def server(request: pytest.FixtureRequest, scratch: Path) -> Iterator[Server]:
    """A server that has nothing stored, and one that has everything."""
    if request.param == "warm":
        yield request.getfixturevalue("warm")
    else:
        with served(scratch / "data") as cold:
            yield cold


@pytest.mark.drill
@each_download
def test_a_download_that_was_killed_is_completed(
    server: Server, scratch: Path, download: Download
) -> None:
    words = command(download.command, download.most_rate, str(LENGTH // 5))
    with subprocess.Popen([*words, address(server, "/?sn=100000")], cwd=scratch) as process:
        while process.poll() is None and not (scratch / FILE).exists():
            time.sleep(0.01)
        time.sleep(0.5)
        assert process.poll() is None
        process.kill()
    assert fetched(download.command, server, "/?sn=100000", scratch).returncode == 0
    assert (scratch / FILE).stat().st_size == LENGTH
    assert hash_of(scratch / FILE) == SHA256


@pytest.mark.drill
@each_download
def test_a_download_goes_on_and_does_not_begin_again(
    server: Server, scratch: Path, download: Download
) -> None:
    text = oracle.text(0, 3000)
    # What is there already is kept as it is: the first byte tells.
    (scratch / FILE).write_bytes(b"#" + text[1:400_000])
    assert fetched(download.command, server, "/?sn=3000", scratch).returncode == 0
    assert (scratch / FILE).read_bytes() == b"#" + text[1:]


@pytest.mark.drill
def test_a_download_does_not_go_on_with_other_bytes(small_segments: Server, scratch: Path) -> None:
    (scratch / FILE).write_bytes(b"#")
    line = f"curl -sS -C - -H 'If-Range: \"another\"' -o {FILE}"
    assert fetched(line, small_segments, "/?sn=3000", scratch).returncode == 33
    assert (scratch / FILE).read_bytes() == b"#"


@pytest.mark.drill
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_curl_finds_the_same_bytes_in_each_coding(
    small_segments: Server, scratch: Path, coding: str
) -> None:
    line = f"curl -sS --compressed -H 'Accept-Encoding: {coding}' -D head -o {FILE}"
    assert fetched(line, small_segments, WINDOW, scratch).returncode == 0
    assert f"Content-Encoding: {coding}" in (scratch / "head").read_text()
    assert (scratch / FILE).read_bytes() == oracle.text(START, STOP)


@pytest.mark.drill
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_curl_finds_a_hundred_thousand_terms_in_each_coding(
    warm: Server, scratch: Path, coding: str
) -> None:
    line = f"curl -sS --compressed -H 'Accept-Encoding: {coding}' -o {FILE}"
    assert fetched(line, warm, "/?sn=100000", scratch).returncode == 0
    assert hash_of(scratch / FILE) == SHA256


@pytest.mark.drill
@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_curl_says_when_an_answer_breaks_off(warm: Server, scratch: Path, coding: str) -> None:
    line = f"curl -sS --compressed --limit-rate 20M -H 'Accept-Encoding: {coding}' -o {FILE}"
    killing = threading.Timer(2, kill_workers, [warm])
    killing.start()
    found = fetched(line, warm, BROKEN, scratch)
    killing.join()
    # CURLE_PARTIAL_FILE, for a body that ends before its length or before its last chunk.
    assert found.returncode == 18, found.stderr
    size = (scratch / FILE).stat().st_size
    assert 0 < size < 167_000_000
    status, _, beginning = warm.get(BROKEN, Range=f"bytes=0-{size - 1}")
    assert (status, (scratch / FILE).read_bytes()) == (206, beginning)


# Browsers have crypto.subtle in secure contexts only, of which localhost is one.
PAGE = """<!doctype html><script type="module">
let found;
try {
  const response = await fetch(ADDRESS);
  const body = await response.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  const hex = Array.from(digest, byte => byte.toString(16).padStart(2, "0")).join("");
  found = [response.headers.get("Content-Encoding"), body.byteLength, hex];
} catch (error) {
  found = String(error);
}
await fetch("/", {method: "POST", body: JSON.stringify(found)});
</script>"""


def fetched_by_chromium(url: str, profile: Path) -> object:
    """The coding, the length and the SHA-256 of what a page of another origin finds there."""
    page = PAGE.replace("ADDRESS", json.dumps(url)).encode()
    reports: Queue[object] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(page)

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: pytest shows enough."""

    line = "chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage"
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        browser = subprocess.Popen(
            command(line, f"--user-data-dir={profile}", f"http://localhost:{pages.server_port}/"),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return reports.get(timeout=120)
        finally:
            # The browser is a group of processes.
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            pages.shutdown()


@pytest.mark.drill
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize(
    ("segments", "target"),
    [(SMALL_SEGMENTS, WINDOW), ({}, "/?sn=40000")],
    ids=["small segments", "segments"],
)
def test_chromium_finds_the_same_bytes_in_each_coding(
    scratch: Path, segments: dict[str, str], target: str, coding: str
) -> None:
    with served(scratch / "data", FIBO_ENCODINGS=coding, **segments) as server:
        found = fetched_by_chromium(address(server, target), scratch / "profile")
        with server.asked(target) as response:
            length = int(response.headers["Content-Length"])
            sha256 = hashlib.file_digest(response, "sha256").hexdigest()
    assert found == [coding, length, sha256]


EXAMPLE = re.compile(r"```(console|python)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


def shell_of(example: str) -> tuple[str, str]:
    """The commands of a console, which begin with `$ ` and go on with `> `, and what they print."""
    lines = example.splitlines()
    commands = [line[2:] for line in lines if line.startswith(("$ ", "> "))]
    printed = [line for line in lines if not line.startswith(("$ ", "> "))]
    return "\n".join(commands), "".join(f"{line}\n" for line in printed)


@pytest.mark.drill
def test_every_example_of_the_page_does_what_it_shows(warm: Server, scratch: Path) -> None:
    page = (ROOT / "docs" / "downloading.md").read_text()
    for program in ("curl", "wget", "aria2c", "zstd", "jq"):
        command(program)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for language, example, shown in EXAMPLE.findall(page):
        script, expected = (example, shown) if language == "python" else shell_of(example)
        interpreter = sys.executable if language == "python" else "/bin/bash"
        found = subprocess.run(
            [interpreter, "-c", script.replace(":8888", f":{warm.port}")],
            cwd=scratch,
            env=os.environ | {"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert found.stdout.replace(f":{warm.port}", ":8888") == expected, script
