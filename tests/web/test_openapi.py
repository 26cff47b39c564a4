"""The description is true: schemathesis makes requests of it, and checks what comes back."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.servers import Server


def test_the_service_is_as_it_is_described(serve: Callable[..., Server], tmp_path: Path) -> None:
    """All checks of schemathesis, on each address, with good and with bad parameters."""
    server = serve(FIBO_MAX_SN="3000")  # it asks for the most again and again
    program = Path(sys.executable).parent / "schemathesis"
    address = f"http://127.0.0.1:{server.port}/openapi.json"
    found = subprocess.run(
        [program, "run", address, "--checks=all", "--max-examples=40", "--seed=1", "--no-color"],
        cwd=tmp_path,
        env=os.environ
        | {
            "FIBO_MAX_SN": "3000",
            "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    tested = re.search(r"Tested: (\d+)", found.stdout)
    passed = re.search(r"(\d+) generated, (\d+) passed", found.stdout)
    assert tested, found.stdout
    # All but the GET by which it read the description.
    assert int(tested[1]) == operations(server) - 1
    assert passed, found.stdout
    assert int(passed[1]) >= 200


def operations(server: Server) -> int:
    """How many operations are described."""
    paths = json.loads(server.get("/openapi.json")[2])["paths"]
    return sum(len({"get", "head"} & set(path)) for path in paths.values())


def test_every_public_address_is_described(shared_server: Server) -> None:
    from sequence.urls import urlpatterns

    described = set(json.loads(shared_server.get("/openapi.json")[2])["paths"])
    routes = {"/" + str(pattern.pattern).replace("<str:n>", "{n}") for pattern in urlpatterns}
    assert described == routes


def test_the_description_tells_the_maximum(shared_server: Server) -> None:
    status, headers, body = shared_server.get("/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    document = json.loads(body)
    assert document["openapi"].startswith("3.1")
    parameters = {p["name"]: p["schema"] for p in document["paths"]["/"]["parameters"]}
    assert parameters["sn"] == {"type": "integer", "minimum": 0, "maximum": 100_000}
