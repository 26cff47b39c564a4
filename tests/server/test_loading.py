"""A worker has loaded what its answers need: later it may have no descriptor left for a file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT, environment

PATHS = (
    *("/", "/?sn=x", "/?sn=0", "/nothing", "/terms/10", "/terms?value=55", "/terms?value=%00"),
    *("/terms/60000", "/terms?contains=1234", "/?sn=5&mod=7", "/?sn=5&format=sha256"),
    *("/?n=5", "/?ask=5&start=2", "/?ask=x", "/look-up?n=7", "/look-up?n=x"),
    *("/plots", "/livez", "/readyz", "/metrics", "/openapi.json", "/robots.txt", "/favicon.ico"),
)

PROGRAM = """
import io, json, sys
from fibosite.wsgi import application

opened = []
loaded = set(sys.modules)
sys.addaudithook(lambda event, told: event == "open" and opened.append(str(told[0])))
for path in json.loads(sys.argv[1]):
    for accept in ("text/html", "application/json"):
        address, _, query = path.partition("?")
        body = application(
            {
                "REQUEST_METHOD": "GET",
                "RAW_URI": path,
                "PATH_INFO": address,
                "QUERY_STRING": query,
                "SERVER_NAME": "localhost",
                "SERVER_PORT": "80",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "HTTP_HOST": "localhost",
                "HTTP_ACCEPT": accept,
                "wsgi.input": io.BytesIO(),
                "wsgi.url_scheme": "http",
            },
            lambda status, headers: None,
        )
        b"".join(body)
        body.close()
print(json.dumps([opened, sorted(set(sys.modules) - loaded)]))
"""


COMPILER = "llvmlite"
"""Loaded for the first long term, search or segment; if that fails it is tried again."""


@pytest.fixture(scope="module")
def loaded_late(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    """The files that are opened, and the modules that are imported, for the first answers."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(PATHS)],
        cwd=ROOT,
        env=environment(tmp_path_factory.mktemp("data")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    files, modules = json.loads(done.stdout)
    return (
        [path for path in files if COMPILER not in path],
        [module for module in modules if not module.startswith(COMPILER)],
    )


def test_no_answer_imports_a_module(loaded_late: tuple[list[str], list[str]]) -> None:
    assert loaded_late[1] == []


def test_no_answer_opens_a_file_of_the_program(loaded_late: tuple[list[str], list[str]]) -> None:
    program = (str(ROOT / "sequence"), str(ROOT / "fibosite"), sys.prefix, sys.base_prefix)
    assert [path for path in loaded_late[0] if Path(path).as_posix().startswith(program)] == []
