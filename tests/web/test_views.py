"""HOSTILE rows 1 to 9 over a real socket, other requests, and what only a test inside can see."""

import gzip
import hashlib
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from sequence.errors import SumMismatch
from sequence.index import rows
from sequence.models import Term
from sequence.segments import build, stream
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import oracle
from tests.support.servers import Server
from tests.support.waiting import idle

Queries = Callable[[int], AbstractContextManager[object]]

NUMBERS = "sn is {}; it must be a whole number from 0 to 100000 in plain decimal digits."

UNAVAILABLE = b"The store cannot answer this now; please try again.\n"

BAD_QUERIES = {
    # row 1
    "/?sn=": NUMBERS.format("''"),
    "/?sn": NUMBERS.format("''"),
    "/?": "Usage:",
    "/": "Usage:",
    # row 2
    "/?sn=+5": NUMBERS.format("' 5'"),
    "/?sn=%2B5": NUMBERS.format("'+5'"),
    "/?sn=%205": NUMBERS.format("' 5'"),
    "/?sn=5%20": NUMBERS.format("'5 '"),
    "/?sn=5%0A": NUMBERS.format(r"'5\n'"),
    "/?sn=%D9%A3": NUMBERS.format(r"'\u0663'"),
    "/?sn=%EF%BC%95": NUMBERS.format(r"'\uff15'"),
    "/?sn=1_000": NUMBERS.format("'1_000'"),
    "/?sn=1e3": NUMBERS.format("'1e3'"),
    "/?sn=0x10": NUMBERS.format("'0x10'"),
    "/?sn=5.0": NUMBERS.format("'5.0'"),
    "/?sn=%C2%B2": NUMBERS.format(r"'\xb2'"),
    "/?sn=%ff": NUMBERS.format(r"'\ufffd'"),
    "/?sn=%00": NUMBERS.format(r"'\x00'"),
    "/?sn=%zz": NUMBERS.format("'%zz'"),
    "/?sn=-0": NUMBERS.format("'-0'"),
    "/?sn=-5": NUMBERS.format("'-5'"),
    "/?sn=00005": NUMBERS.format("'00005'"),
    # row 4
    "/?sn=100001": NUMBERS.format("'100001'"),
    "/?sn=" + "9" * 3900: NUMBERS.format("'" + "9" * 40 + "'…"),
    # row 5
    "/?sn=1&sn=2": "sn is given more than once; it must be given once.",
    "/?SN=1": "Parameter 'SN' is not known; it must be sn or start or format or mod.",
    "/?sn[]=1": "Parameter 'sn[]' is not known; it must be sn or start or format or mod.",
    "/?sn=1&x=1": "Parameter 'x' is not known; it must be sn or start or format or mod.",
}


@pytest.mark.parametrize("target", BAD_QUERIES, ids=lambda target: target[:24])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_bad_query_is_refused_in_one_sentence(
    shared_server: Server, target: str, method: str
) -> None:
    status, headers, body = shared_server.get(target, method)
    assert status == 400
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    sentence = BAD_QUERIES[target]
    if method == "GET":
        text = body.decode()
        assert text == sentence + "\n" or (sentence == "Usage:" and text.startswith(sentence))
        assert text.count("\n") == 1
    else:
        assert body == b""


@pytest.mark.parametrize("sn", [1, 2, 3, 10, 1000])
def test_the_first_terms_are_answered_with_their_length(shared_server: Server, sn: int) -> None:
    status, headers, body = shared_server.get(f"/?sn={sn}")
    assert (status, body) == (200, oracle.text(0, sn))
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Type"] == "text/plain; charset=utf-8"


def test_no_terms_are_an_empty_answer(shared_server: Server) -> None:
    status, headers, body = shared_server.get("/?sn=0", Range="bytes=0-0")
    assert (status, headers["Content-Length"], body) == (200, "0", b"")


@pytest.mark.parametrize("target", ["/?sn=0", "/?sn=10", "/?sn=100000"])
def test_head_has_the_headers_of_get_and_no_body(shared_server: Server, target: str) -> None:
    with shared_server.asked(target) as response:
        get = dict(response.getheaders())
    status, head, body = shared_server.get(target, "HEAD")
    assert (status, body) == (200, b"")
    assert {**head, "Date": ""} == {**get, "Date": ""}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("target", ["/?sn=1", "/", "/livez", "/readyz"])
def test_other_methods_are_not_allowed(shared_server: Server, method: str, target: str) -> None:
    status, headers, _ = shared_server.get(target, method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    "hosts",
    [["evil.example"], ["localhost", "localhost"], [], ["localhost@evil"], ["localhost, evil"]],
    ids=["foreign", "two", "none", "user", "list"],
)
def test_any_host_but_one_of_ours_is_refused(shared_server: Server, hosts: list[str]) -> None:
    lines = ["GET /?sn=3 HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close"]
    answer = shared_server.raw("\r\n".join([*lines, "", ""]))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_Host": "evil.example"},
        {"SCRIPT_NAME": "/evil"},
        {"Script_Name": "/evil"},
        {"PATH_INFO": "/admin/"},
        {"X_Script_Name": "/evil"},
    ],
)
def test_headers_of_proxies_are_ignored(shared_server: Server, headers: dict[str, str]) -> None:
    connection = shared_server.connect()
    for spelled in (str, lambda name: name.replace("_", "-")):
        connection.request("GET", "/?sn=3", headers={spelled(k): v for k, v in headers.items()})
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"0 1 1 ")
    connection.close()


def test_the_usage_line_names_the_service_and_its_limit(shared_server: Server) -> None:
    _, _, body = shared_server.get("/")
    assert body.decode() == (
        f"Usage: http://127.0.0.1:{shared_server.port}/?sn=20 gives the first 20 Fibonacci "
        "numbers; sn is a whole number from 0 to 100000.\n"
    )


def test_an_unknown_address_is_said_to_be_unknown(shared_server: Server) -> None:
    status, headers, body = shared_server.get("/nothing")
    assert status == 404
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert body == b"There is nothing at this address; see / for what there is.\n"


@pytest.mark.parametrize(("target", "word"), [("/livez", b"alive\n"), ("/readyz", b"ready\n")])
def test_the_probes_answer(shared_server: Server, target: str, word: bytes) -> None:
    assert shared_server.get(target)[::2] == (200, word)


@pytest.mark.django_db(transaction=True)
def test_a_short_warm_answer_takes_two_queries(
    data_dir: Path, client: Client, django_assert_num_queries: Queries
) -> None:
    build.segment(0)
    with django_assert_num_queries(2):
        response = client.get("/?sn=20")
        assert b"".join(response) == oracle.text(0, 20)


@pytest.mark.django_db(transaction=True)
def test_head_builds_nothing(data_dir: Path, client: Client) -> None:
    assert client.head("/?sn=100000").headers["Content-Length"] == "1045042806"
    assert not (data_dir / "segments").exists()


@pytest.mark.django_db(transaction=True)
def test_a_wrong_sum_is_told_before_the_first_byte(
    data_dir: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise SumMismatch(7)

    monkeypatch.setattr(stream, "compute_bytes", wrong)
    response = client.get("/?sn=20")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.content == UNAVAILABLE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("module", "part"), [(build, "build_or_reconcile"), (rows, "find")])
@pytest.mark.parametrize(
    "fault",
    [OSError(28, "No space left on device"), OperationalError("database is locked")],
    ids=["disk", "index"],
)
def test_a_store_that_fails_does_not_stop_an_answer(  # noqa: PLR0913, PLR0917
    data_dir: Path,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    module: ModuleType,
    part: str,
    fault: Exception,
) -> None:
    def fail(_: object) -> None:
        raise fault

    monkeypatch.setattr(module, part, fail)
    response = client.get("/?sn=1000")
    assert (response.status_code, b"".join(response)) == (200, oracle.text(0, 1000))
    assert str(fault) in caplog.text
    idle()


@pytest.mark.django_db(transaction=True)
def test_an_index_that_places_a_term_elsewhere_does_not_change_an_answer(
    data_dir: Path, client: Client
) -> None:
    build.segment(0)
    Term.objects.filter(n=19).update(position=7)
    response = client.get("/?sn=20")
    assert (response.status_code, b"".join(response)) == (200, oracle.text(0, 20))


@pytest.mark.django_db(transaction=True)
def test_a_store_of_another_layout_is_not_ready(
    data_dir: Path, client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    build.segment(0)
    settings.FIBO_SEGMENT_BYTES = 8192
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.content == UNAVAILABLE
    assert json.dumps({"layout_version": 1, "segment_bytes": 4096}) in caplog.text


@pytest.mark.parametrize("name", FORMATS)
def test_a_window_has_its_terms_in_its_format(shared_server: Server, name: str) -> None:
    status, headers, body = shared_server.get(f"/?sn=40&start=990&format={name}")
    values = [term.decode().strip() for term in oracle.terms(1030)[990:]]
    numbers = [str(n) for n in range(990, 1030)]
    expected = {
        "text": "".join(f"{value} " for value in values),
        "lines": "".join(f"{value}\n" for value in values),
        "bfile": "".join(f"{n} {value}\n" for n, value in zip(numbers, values, strict=True)),
        "jsonl": "".join(
            f'{{"n": {n}, "value": "{value}"}}\n' for n, value in zip(numbers, values, strict=True)
        ),
        "csv": "n,value\r\n"
        + "".join(f"{n},{value}\r\n" for n, value in zip(numbers, values, strict=True)),
    }
    assert (status, body.decode()) == (200, expected[name])
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Type"] == FORMATS[name].media_type


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            "/?sn=10&start=99991",
            "start is '99991'; it must be a whole number from 0 to 99990 in plain decimal digits.",
        ),
        (
            "/?sn=0&start=100001",
            "start is '100001'; it must be a whole number from 0 to 100000 in plain decimal "
            "digits.",
        ),
        (
            "/?sn=1&start=-1",
            "start is '-1'; it must be a whole number from 0 to 99999 in plain decimal digits.",
        ),
        (
            "/?sn=1&format=xml",
            "format is 'xml'; it must be text or lines or bfile or jsonl or csv or sha256.",
        ),
        (
            "/?sn=1&format=",
            "format is ''; it must be text or lines or bfile or jsonl or csv or sha256.",
        ),
        ("/?start=5", NUMBERS.format("missing")),
        (
            "/terms/05",
            "n is '05'; it must be a whole number from 0 to 1000000000000000000 in plain decimal "
            "digits.",
        ),
        (
            "/terms/1000000000000000001?format=json",
            "n is '1000000000000000001'; it must be a whole number from 0 to 1000000000000000000 "
            "in plain decimal digits.",
        ),
        (
            "/terms/10000001",
            "n is '10000001'; it must be at most 10000000 for its digits; format=json tells of it "
            "without them, first=20 or last=20 gives some.",
        ),
        (
            "/terms/7?mod=0",
            "mod is '0'; it must be a whole number from 1 to "
            "340282366920938463463374607431768211456 in plain decimal digits.",
        ),
        ("/terms/7?format=csv", "format is 'csv'; it must be text or json or html."),
        (
            "/terms/7?value=13",
            "Parameter 'value' is not known; it must be format or base or first or last or mod.",
        ),
        (
            "/terms",
            "value is missing; it must be a whole number of at most 8000 plain decimal digits.",
        ),
        (
            "/terms?value=+5",
            "value is ' 5'; it must be a whole number of at most 8000 plain decimal digits.",
        ),
    ],
)
def test_other_bad_parameters_are_refused_in_one_sentence(
    shared_server: Server, target: str, sentence: str
) -> None:
    status, headers, body = shared_server.get(target)
    assert (status, body.decode()) == (400, sentence + "\n")
    assert (headers["Cache-Control"], headers["Vary"]) == ("no-store", "Accept, Accept-Encoding")


@pytest.mark.parametrize(
    ("target", "following"),
    [
        ("/?sn=10", "/?sn=10&start=10"),
        ("/?sn=10&start=90&format=csv", "/?sn=10&start=100&format=csv"),
        ("/?sn=10&start=99985", "/?sn=5&start=99995"),
        ("/?sn=10&start=99990", None),
        ("/?sn=0&start=5", None),
    ],
)
def test_the_next_window_is_linked_if_there_is_one(
    shared_server: Server, target: str, following: str | None
) -> None:
    _, headers, _ = shared_server.get(target, "HEAD")
    links = headers["Link"].split(", ")
    assert links[-1] == '</openapi.json>; rel="service-desc"; type="application/json"'
    assert links[:-1] == ([f'<{following}>; rel="next"'] if following else [])


def test_the_links_lead_through_the_sequence(shared_server: Server) -> None:
    target, found = "/?sn=700&start=97000&format=bfile", b""
    while target:
        _, headers, body = shared_server.get(target)
        found += body
        link = re.match(r'<([^>]*)>; rel="next"', headers["Link"])
        target = link[1] if link else ""
    assert [int(line.split()[0]) for line in found.splitlines()] == list(range(97_000, 100_000))


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/?sn=20", "fibonacci-20.txt"),
        ("/?sn=20&start=5&format=lines", "fibonacci-20-from-5.lines.txt"),
        ("/?sn=20&start=5&format=bfile", "fibonacci-20-from-5.bfile.txt"),
        ("/?sn=20&format=jsonl", "fibonacci-20.jsonl"),
        ("/?sn=20&format=csv", "fibonacci-20.csv"),
        ("/terms/20", "fibonacci-1-from-20.lines.txt"),
        # The same bytes.
        ("/?sn=1&start=20&format=lines", "fibonacci-1-from-20.lines.txt"),
    ],
)
def test_a_download_has_a_name(shared_server: Server, target: str, name: str) -> None:
    _, headers, _ = shared_server.get(target, "HEAD")
    assert headers["Content-Disposition"] == f'inline; filename="{name}"'


def test_no_two_representations_share_a_name() -> None:
    windows = [Span(start, start + sn) for start in range(12) for sn in range(120)]
    names = {Representation(format, w).file_name for w in windows for format in FORMATS.values()}
    assert len(names) == len(windows) * len(FORMATS)


@pytest.mark.parametrize(
    ("target", "how"),
    [
        ("/?sn=6800", "inline"),
        ("/?sn=7000", "attachment"),
        ("/?sn=100000&format=csv", "attachment"),
        ("/terms/99999", "inline"),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_what_is_too_long_for_a_browser_is_downloaded(
    shared_server: Server, target: str, how: str, accept: str
) -> None:
    """By its length alone, so that caches need not tell clients apart."""
    _, headers, _ = shared_server.get(target, "HEAD", Accept=accept)
    if target.startswith("/?"):
        assert headers["Vary"] == "Accept-Encoding"
    if "Content-Disposition" in headers:
        assert headers["Content-Disposition"].startswith(f"{how}; ")


@pytest.mark.parametrize(
    ("accept", "problem"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", True),
        ("application/problem+json", True),
        ("text/plain;q=0.5, application/json", True),
        ("text/plain, application/json", False),
        ("application/json;q=0, */*", False),
        ("application/*", True),
        ("image/png", False),
    ],
)
def test_errors_are_problems_for_those_who_prefer_json(
    shared_server: Server, accept: str | None, problem: bool
) -> None:
    status, headers, body = shared_server.get("/?sn=x", **({"Accept": accept} if accept else {}))
    assert status == 400
    if problem:
        assert headers["Content-Type"] == "application/problem+json"
        assert json.loads(body) == {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": NUMBERS.format("'x'"),
            "parameter": "sn",
            "value": "x",
            "maximum": 100_000,
        }
    else:
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert body.decode() == NUMBERS.format("'x'") + "\n"


def test_a_problem_names_the_parameter_as_it_was_sent(shared_server: Server) -> None:
    _, _, body = shared_server.get("/?SN=5", Accept="application/json")
    problem = json.loads(body)
    assert (problem["parameter"], problem["value"]) == ("SN", "5")
    assert problem["detail"].startswith("Parameter 'SN' is not known; it must be sn or start")


@pytest.mark.parametrize(
    ("target", "method", "headers", "status"),
    [
        ("/nothing", "GET", {}, 404),
        ("/", "GET", {}, 400),
        ("/?sn=5", "POST", {}, 405),
        ("/?sn=5", "GET", {"Accept_Encoding": "identity;q=0, br"}, 406),
        ("/?sn=5", "GET", {"If_Match": '"x"'}, 412),
        ("/?sn=5", "GET", {"Range": "bytes=9-5"}, 416),
        ("/terms?value=4", "GET", {}, 404),
        ("/?sn=5", "GET", {"Host": "evil.example"}, 400),
    ],
)
def test_every_error_has_both_forms(
    shared_server: Server, target: str, method: str, headers: dict[str, str], status: int
) -> None:
    plain_status, plain_headers, sentence = shared_server.get(target, method, **headers)
    json_status, json_headers, problem = shared_server.get(
        target, method, Accept="application/json", **headers
    )
    assert (plain_status, json_status) == (status, status)
    assert json.loads(problem)["detail"] + "\n" == sentence.decode()
    assert json.loads(problem)["status"] == status
    assert plain_headers["Cache-Control"] == json_headers["Cache-Control"] == "no-store"


def test_pages_of_any_origin_may_read_the_answers(shared_server: Server) -> None:
    for target in ("/?sn=5", "/terms/5", "/?sn=x", "/openapi.json"):
        _, headers, _ = shared_server.get(target, Origin="https://example.org")
        assert headers["Access-Control-Allow-Origin"] == "*"
        exposed = headers["Access-Control-Expose-Headers"].split(", ")
        assert {"ETag", "Content-Range", "Content-Length", "Link"} <= set(exposed)


def test_a_preflight_allows_ranges_and_conditions(shared_server: Server) -> None:
    status, headers, body = shared_server.get(
        "/?sn=5",
        "OPTIONS",
        Origin="https://example.org",
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="range, if-none-match",
    )
    assert (status, body, "Content-Type" in headers) == (204, b"", False)
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"] == headers["Allow"] == "GET, HEAD, OPTIONS"
    allowed = headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Range", "If-Range", "If-None-Match", "If-Match"} <= set(allowed)


def test_the_admin_is_for_its_own_origin(shared_server: Server) -> None:
    _, headers, _ = shared_server.get("/admin/login/", Origin="https://example.org")
    assert not [name for name in headers if name.startswith("Access-Control")]


def test_one_term_is_its_digits(shared_server: Server) -> None:
    for n in (0, 1, 2, 100, 2999):
        _, headers, body = shared_server.get(f"/terms/{n}")
        assert body == oracle.terms(3000)[n].strip() + b"\n"
        assert headers["Content-Length"] == str(len(body))
        assert headers["Vary"] == "Accept-Encoding, Accept"


def test_one_term_has_ranges_and_a_validator(shared_server: Server) -> None:
    digits = oracle.terms(2001)[2000].strip()
    status, headers, body = shared_server.get("/terms/2000", Range="bytes=-11")
    assert (status, body) == (206, digits[-10:] + b"\n")
    assert shared_server.get("/terms/2000", If_None_Match=headers["ETag"])[0] == 304


@pytest.mark.parametrize("ask", [{"format": "json"}, {"Accept": "application/json"}])
def test_one_term_is_described_in_json(shared_server: Server, ask: dict[str, str]) -> None:
    by_query = "format" in ask
    target = "/terms/2000?format=json" if by_query else "/terms/2000"
    status, headers, body = shared_server.get(target, **({} if by_query else ask))
    digits = oracle.terms(2001)[2000].strip()
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {
        "n": 2000,
        "digit_count": len(digits),
        "first_digits": digits[:20].decode(),
        "last_digits": digits[-20:].decode(),
        "bit_length": int(digits).bit_length(),
        "offset": len(oracle.text(0, 2000)),
        "segment": 0,
        "sha256": hashlib.sha256(digits).hexdigest(),
    }
    assert shared_server.get(target, If_None_Match=headers["ETag"], **ask)[0] == 304


def test_facts_go_to_ten_to_the_18(shared_server: Server) -> None:
    status, _, body = shared_server.get(f"/terms/{10**18}?format=json&mod=1000000007")
    known = json.loads(body)
    assert status == 200
    assert (known["n"], known["sha256"], known["mod"]) == (10**18, None, 1000000007)
    assert known["residue"] == int(shared_server.get(f"/terms/{10**18}?mod=1000000007")[2])
    tail = int(shared_server.get(f"/terms/{10**18}?mod={10**20}")[2])
    assert known["last_digits"] == f"{tail:020}"


@pytest.mark.parametrize(
    ("value", "numbers"),
    [("0", [0]), ("1", [1, 2]), ("2", [3]), ("144", [12])],
)
def test_a_value_is_found_in_the_sequence(
    shared_server: Server, value: str, numbers: list[int]
) -> None:
    lines = "".join(f"{n}\n" for n in numbers)
    assert shared_server.get(f"/terms?value={value}")[2].decode() == lines
    _, _, body = shared_server.get(f"/terms?value={value}&format=json")
    assert json.loads(body) == {"value": value, "n": numbers}


def test_a_long_value_is_found_in_the_sequence(shared_server: Server) -> None:
    digits = str(next(islice(oracle.fibonacci(), 38_000, None)))
    assert len(digits) > 7900
    assert shared_server.get(f"/terms?value={digits}")[2] == b"38000\n"
    status, _, body = shared_server.get(f"/terms?value={digits[:-1]}7")
    assert status == 404
    assert body.endswith(b", which is not a Fibonacci number.\n")
    assert shared_server.get(f"/terms?value={'1' * 8001}")[0] == 400


BROWSERS = {
    "firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "chromium": (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
        "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
    ),
}


@pytest.mark.parametrize("browser", BROWSERS)
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/", 200),
        ("/terms/7", 200),
        ("/terms/7?mod=5", 200),
        ("/terms/100000", 200),
        (f"/terms/{10**18}", 200),
        ("/terms/07", 400),
        ("/terms?value=13", 200),
        ("/terms?value=14", 404),
        ("/terms?value=x", 400),
        ("/?sn=x", 400),
        ("/?sn=5&format=pdf", 400),
        ("/?n=10,946", 200),
        ("/?n=x", 400),
        ("/?ask=50,000&start=0&format=bfile", 200),
        ("/?ask=x", 400),
        ("/look-up?n=x", 400),
        ("/plots", 200),
        ("/plots?sn=0", 400),
        ("/nothing", 404),
    ],
)
def test_browsers_are_shown_a_page(
    shared_server: Server, target: str, status: int, browser: str
) -> None:
    found, headers, body = shared_server.get(target, Accept=BROWSERS[browser])
    assert (found, headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert body.startswith(b"<!doctype html>")
    assert headers["Content-Length"] == str(len(body))
    assert headers["Cache-Control"] == ("public, no-cache" if status == 200 else "no-store")
    assert {"Accept", "Accept-Encoding"} <= set(headers["Vary"].split(", "))
    packed = shared_server.get(target, Accept=BROWSERS[browser], Accept_Encoding="gzip")
    assert packed[1]["Content-Encoding"] == "gzip"
    assert packed[1]["Content-Length"] == str(len(packed[2]))
    assert gzip.decompress(packed[2]) == body
    if status == 200:
        again = shared_server.get(target, Accept=BROWSERS[browser], If_None_Match=headers["ETag"])
        assert again[0] == 304


@pytest.mark.parametrize("browser", BROWSERS)
@pytest.mark.parametrize(
    ("target", "content_type"),
    [
        ("/?sn=5", "text/plain; charset=utf-8"),
        ("/?sn=5&format=csv", "text/csv; charset=utf-8; header=present"),
        ("/terms/7?format=text", "text/plain; charset=utf-8"),
        ("/terms/7?format=html&fbclid=x", "text/html; charset=utf-8"),
        ("/?utm_source=x", "text/html; charset=utf-8"),
        ("/terms/7?format=json", "application/json"),
        ("/terms?value=13&format=text", "text/plain; charset=utf-8"),
    ],
)
def test_browsers_have_what_they_ask_for_by_its_format(
    shared_server: Server, target: str, content_type: str, browser: str
) -> None:
    _, headers, _ = shared_server.get(target, Accept=BROWSERS[browser])
    assert headers["Content-Type"] == content_type


def test_a_shared_link_is_a_page_for_those_who_accept_anything(shared_server: Server) -> None:
    """As most of those do that preview links."""
    for target in ("/terms/777", "/terms?contains=1234"):
        page = shared_server.get(target, Accept="text/html")[2].decode()
        (link,) = re.findall('<meta property="og:url" content="http://[^/]*([^"]*)">', page)
        _, headers, body = shared_server.get(link.replace("&amp;", "&"), Accept="*/*")
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"og:image" in body


@pytest.mark.parametrize("accept", [None, "*/*", "text/plain", "application/json", "text/*"])
def test_others_are_shown_no_page(shared_server: Server, accept: str | None) -> None:
    asks = {"Accept": accept} if accept else {}
    for target in ("/", "/terms/7", "/terms?value=13", "/terms?value=14", "/nothing"):
        _, headers, _ = shared_server.get(target, **asks)
        assert "html" not in headers["Content-Type"]


def test_no_answer_to_head_has_a_body(serve: Callable[..., Server]) -> None:
    server = serve()
    for target in ("/livez", "/nothing", "/", "/?sn=5", "/?sn=x", "/terms/5", "/metrics", "/plots"):
        for accept in ("*/*", "text/html"):
            _, headers, body = server.get(target, "HEAD", Accept=accept)
            assert (body, int(headers["Content-Length"]) > 0) == (b"", True)
    # gunicorn says where it had to drop one.
    assert "body" not in server.log.read_text()
