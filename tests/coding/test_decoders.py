"""What the packers make is right for everybody's decoder."""

import subprocess
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import httpx
import pytest
import requests
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib
from playwright.sync_api import sync_playwright
from zlib_ng import zlib_ng

from sequence.coding.coding import CODINGS
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import oracle

Decode = Callable[[bytes], bytes]

WINDOWS = [
    *((format, 0, terms) for format in FORMATS for terms in (0, 1, 10, 60, 100, 1_000)),
    *((format, 9_750, 9_850) for format in FORMATS),
    ("text", 0, 10_000),
    ("jsonl", 9_500, 10_500),
    ("csv", 5_000, 5_001),
]


def coded(coding: str, format: str, start: int, stop: int) -> bytes:
    """The window in the coding."""
    coder = CODINGS[coding].coder(Representation(FORMATS[format], Span(start, stop)))
    return coder.pack(oracle.written(format, start, stop)) + coder.finish()


def program(*command: str) -> Decode:
    """A program that decodes its input to its output."""

    def decode(body: bytes) -> bytes:
        return subprocess.run(command, input=body, capture_output=True, check=True).stdout

    return decode


def member(library: object) -> Decode:
    """A library with zlib's interface, which checks that one member is all there is."""

    def decode(body: bytes) -> bytes:
        decompressor = library.decompressobj(wbits=31)  # type: ignore[attr-defined]
        content: bytes = decompressor.decompress(body) + decompressor.flush()
        assert decompressor.eof
        assert not decompressor.unused_data
        return content

    return decode


def frame(body: bytes) -> bytes:
    """python-zstandard, which checks that one frame is all there is."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=128 * 1024).decompressobj()
    content = decompressor.decompress(body)
    assert decompressor.eof
    assert not decompressor.unused_data
    return content


NODE = "process.stdin.pipe(require('node:zlib').createGunzip()).pipe(process.stdout)"

DECODERS: dict[str, tuple[str, Decode]] = {
    "zlib": ("gzip", member(zlib)),
    "zlib-ng": ("gzip", member(zlib_ng)),
    "isal": ("gzip", member(isal_zlib)),
    "GNU gzip": ("gzip", program("gzip", "-dc")),
    "pigz": ("gzip", program("pigz", "-dc")),
    "busybox": ("gzip", program("busybox", "gunzip", "-c")),
    "libdeflate": ("gzip", program("libdeflate-gunzip", "-c")),
    "7-Zip": ("gzip", program("7zz", "x", "-tgzip", "-si", "-so")),
    "Node": ("gzip", program("node", "-e", NODE)),
    "python-zstandard": ("zstd", frame),
    "zstd": ("zstd", program("zstd", "-dcq")),
    "zstd in little memory": ("zstd", program("zstd", "-dcq", "--memory=128KiB")),
    "7-Zip's zstd": ("zstd", program("7zz", "x", "-tzstd", "-si", "-so")),
}


@pytest.mark.parametrize(("coding", "decode"), DECODERS.values(), ids=DECODERS)
def test_a_decoder_gives_the_representation_back(coding: str, decode: Decode) -> None:
    for window in WINDOWS:
        assert decode(coded(coding, *window)) == oracle.written(*window), window


@pytest.mark.parametrize("decoder", ["zlib", "zlib-ng", "isal", "python-zstandard"])
@settings(deadline=None)
@given(st.sampled_from(list(FORMATS)), st.integers(0, 9_900), st.integers(0, 300))
def test_any_window_comes_back(decoder: str, format: str, start: int, terms: int) -> None:
    coding, decode = DECODERS[decoder]
    body = coded(coding, format, start, start + terms)
    assert decode(body) == oracle.written(format, start, start + terms)


def test_zstd_itself_finds_the_frame_whole(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("zstd") / "whole.zst"
    path.write_bytes(coded("zstd", "text", 0, 10_000))
    assert b"Window Size: 128 KiB" in program("zstd", "-lv", str(path))(b"")
    program("zstd", "-tq", "--long", str(path))(b"")


class Coded(BaseHTTPRequestHandler):
    """Answers /CODING with the first terms, so coded."""

    terms: ClassVar = ("jsonl", 0, 10_000)

    def do_GET(self) -> None:
        coding = self.path[1:]
        body = coded(coding, *self.terms) if coding in CODINGS else b""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Encoding", coding)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Coded)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def with_chromium(url: str) -> bytes:
    """The content that a page's script gets."""
    with sync_playwright() as playwright:
        options = ["--no-sandbox"]  # as root there is none
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        page = browser.new_page()
        page.goto(url.rpartition("/")[0] + "/none")
        content: str = page.evaluate("url => fetch(url).then(answer => answer.text())", url)
        browser.close()
    return content.encode()


WITHOUT = ("requests", "zstd")
"""It needs a package of its own for that."""

CLIENTS: dict[str, Callable[[str], bytes]] = {
    "curl": lambda url: program("curl", "-sS", "--fail", "--compressed", url)(b""),
    "requests": lambda url: requests.get(url, timeout=60).content,
    "httpx": lambda url: httpx.get(url, timeout=60).content,
    "Chromium": with_chromium,
}


@pytest.mark.parametrize(
    ("client", "coding"),
    [(client, coding) for client in CLIENTS for coding in CODINGS if (client, coding) != WITHOUT],
)
def test_a_client_gives_the_representation_back(client: str, coding: str, address: str) -> None:
    assert CLIENTS[client](f"{address}/{coding}") == oracle.written(*Coded.terms)
