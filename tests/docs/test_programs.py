"""The programs and commands of the guides, as their pages show them, print what the pages say."""

import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import NamedTuple

import pytest

from sequence.web import guides
from tests.support.processes import ROOT
from tests.support.servers import Server

GUIDES = ("programs.md", "check-your-arithmetic.md")
FENCE = re.compile(r"```(\S[^\n]*)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


class Example(NamedTuple):
    """A program, or the commands of a console, and what is printed."""

    guide: str
    language: str
    code: str
    printed: str


def examples() -> list[Example]:
    """All examples of the guides."""
    return [
        Example(guide, *found)
        for guide in GUIDES
        for found in FENCE.findall((ROOT / "docs" / guide).read_text())
    ]


def named(example: Example) -> str:
    """The guide, and the line that tells the example from others."""
    return f"{example.guide}: {example.code.splitlines()[0][:60]}"


def shell_of(example: Example) -> tuple[str, str]:
    """The commands of a console, which begin with `$ ` and go on with `> `, and what they print."""
    lines = example.code.splitlines()
    commands = [line[2:] for line in lines if line.startswith(("$ ", "> "))]
    printed = [line for line in lines if not line.startswith(("$ ", "> "))]
    return "\n".join(commands), "".join(f"{line}\n" for line in printed)


def run(words: list[str], script: str, server: Server, directory: Path) -> str:
    """What a script prints that asks the server."""
    found = subprocess.run(
        [*words, script.replace(":8888", f":{server.port}")],
        cwd=directory,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return found.stdout


@pytest.mark.parametrize("example", examples(), ids=named)
def test_an_example_prints_what_it_shows(
    example: Example, shared_server: Server, tmp_path: Path
) -> None:
    interpreters = {
        "console": ["/bin/bash", "-o", "pipefail", "-c"],
        "python": [sys.executable, "-W", "error", "-c"],
        "r": ["Rscript", "-e"],
        "js": ["node", "--input-type=module", "--eval"],
    }
    words = interpreters[example.language]
    assert shutil.which(words[0]), f"{words[0]} is not installed"
    script, printed = example.code, example.printed
    if example.language == "console":
        script, printed = shell_of(example)
    assert printed
    assert run(words, script, shared_server, tmp_path) == printed


@pytest.mark.parametrize("example", examples(), ids=named)
def test_an_example_is_in_the_page_with_its_own_server(
    example: Example, shared_server: Server
) -> None:
    _, _, body = shared_server.get(f"/docs/{example.guide.removesuffix('.md')}", Accept="text/html")
    shown = [
        unescape(code) for code in re.findall(r"<code id[^>]*>(.*?)</code>", body.decode(), re.S)
    ]
    address = f"http://127.0.0.1:{shared_server.port}"
    code = example.code
    if example.language == "console":
        code, _ = shell_of(example)
    assert code.strip("\n").replace(guides.ADDRESS, address) in "\n".join(shown)


def test_every_command_of_the_reference_is_answered(shared_server: Server, tmp_path: Path) -> None:
    _, _, body = shared_server.get("/docs/api", Accept="text/html")
    commands = [
        unescape(each) for each in re.findall(r"<code id[^>]*>(curl .*?)</code>", body.decode())
    ]
    assert len(commands) >= 10
    for command in commands:
        found = subprocess.run(
            ["/bin/bash", "-c", command], cwd=tmp_path, capture_output=True, timeout=60, check=False
        )
        assert (found.returncode, found.stderr) == (0, b""), command
        assert found.stdout
