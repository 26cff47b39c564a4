"""The description is true: schemathesis makes requests of it, and checks what comes back."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sequence.protocol.query import MAX_VALUE_DIGITS, TermQuery
from sequence.text import search
from sequence.text.digests import NAME
from sequence.text.facts import MAX_DIGITS
from sequence.text.format import FORMATS
from sequence.text.layout import MAX_N
from sequence.text.residues import MAX_MODULUS
from sequence.text.search import MIN_DIGITS, Place
from sequence.views import OPENAPI
from sequence.web import residues, term_facts
from tests.support.processes import ROOT
from tests.support.servers import Server


def test_the_service_is_as_it_is_described(serve: Callable[..., Server], tmp_path: Path) -> None:
    """All checks of schemathesis, on each address, with good and with bad parameters."""
    limits = {"FIBO_MAX_SN": "3000", "FIBO_MAX_TERM": "5000"}
    server = serve(**limits)  # it asks for the most again and again
    program = Path(sys.executable).parent / "schemathesis"
    address = f"http://127.0.0.1:{server.port}/openapi.json"
    found = subprocess.run(
        [program, "run", address, "--checks=all", "--max-examples=40", "--seed=1", "--no-color"],
        cwd=tmp_path,
        env=os.environ
        | {
            **limits,
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
    routes = {"/" + re.sub(r"<str:(\w+)>", r"{\1}", str(each.pattern)) for each in urlpatterns}
    assert described == routes


def test_the_description_has_the_maximum_that_the_settings_decide(shared_server: Server) -> None:
    status, headers, body = shared_server.get("/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    document = json.loads(body)
    assert document["openapi"].startswith("3.1")
    assert document["components"]["schemas"]["Count"]["maximum"] == 10_000_000


COMPONENTS = json.loads(OPENAPI)["components"]
LIMITS = {
    "n": MAX_N,
    "terms": MAX_N,
    "mod": MAX_MODULUS,
    "first": MAX_DIGITS,
    "last": MAX_DIGITS,
    "pictured": MAX_N,
    "walked": residues.MAX_MODULUS,
}


@pytest.mark.parametrize("parameter", LIMITS)
def test_the_limits_are_those_of_the_code(parameter: str) -> None:
    assert COMPONENTS["parameters"][parameter]["schema"]["maximum"] == LIMITS[parameter]


def test_the_longest_value_is_that_of_the_code() -> None:
    told = COMPONENTS["parameters"]["value"]["description"]
    assert told == f"At most {MAX_VALUE_DIGITS} digits."


def test_the_formats_and_their_media_types_are_those_of_the_code() -> None:
    assert COMPONENTS["parameters"]["representation"]["schema"]["enum"] == [*FORMATS, NAME]
    kinds = {each.media_type.partition(";")[0] for each in FORMATS.values()}
    whole = json.loads(OPENAPI)["paths"]["/"]["get"]["responses"]["200"]["content"].keys()
    assert whole == kinds | {"text/html"}
    assert COMPONENTS["responses"]["Ranges"]["content"].keys() == kinds | {"multipart/byteranges"}


def test_the_facts_of_a_term_are_those_of_the_code() -> None:
    schema = COMPONENTS["schemas"]["Term"]
    assert list(term_facts.of(MAX_N)) == schema["required"]
    assert list(term_facts.of(MAX_N, 10)) == list(schema["properties"])
    for name, found in {
        "Numeral": term_facts.in_base(7, 16),
        "Ends": term_facts.ends(TermQuery(7, first=1, last=1)),
        "Place": {"contains": "", **Place(7, 0, "", "")._asdict()},
    }.items():
        assert list(found) == list(COMPONENTS["schemas"][name]["properties"])


def test_the_digits_to_find_are_as_many_as_the_code_takes() -> None:
    pattern = f"^[0-9]{{{MIN_DIGITS},{search.MAX_DIGITS}}}$"
    assert COMPONENTS["parameters"]["contains"]["schema"]["pattern"] == pattern


def test_whatever_is_referred_to_is_there_and_whatever_is_there_is_referred_to() -> None:
    referred = set(re.findall(r'"#/components/(\w+)/([\w-]+)"', OPENAPI))
    assert referred == {(kind, name) for kind, named in COMPONENTS.items() for name in named}
