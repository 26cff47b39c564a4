"""The requests of HOSTILE rows 1 to 9 over a real socket, and what a test can only see inside."""

import json
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from sequence import build
from sequence.models import Term
from tests import oracle
from tests.conftest import Server

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
    "/?SN=1": "Parameter 'SN' is not known; it must be sn.",
    "/?sn[]=1": "Parameter 'sn[]' is not known; it must be sn.",
    "/?sn=1&x=1": "Parameter 'x' is not known; it must be sn.",
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
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "hosts",
    [["evil.example"], ["localhost", "localhost"], [], ["localhost@evil"], ["localhost, evil"]],
    ids=["foreign", "two", "none", "user", "list"],
)
def test_any_host_but_one_of_ours_is_refused(shared_server: Server, hosts: list[str]) -> None:
    lines = ["GET /?sn=3 HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close"]
    with socket.create_connection(("127.0.0.1", shared_server.port), 30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
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
    build.build(0)
    with django_assert_num_queries(2):
        response = client.get("/?sn=20")
        assert b"".join(response) == oracle.text(0, 20)


@pytest.mark.django_db(transaction=True)
def test_head_builds_nothing(data_dir: Path, client: Client) -> None:
    assert client.head("/?sn=100000").headers["Content-Length"] == "1045042806"
    assert not (data_dir / "segments").exists()


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_the_store_is_told_before_the_first_byte(data_dir: Path, client: Client) -> None:
    (data_dir / "segments" / build.build(0).name).unlink()
    response = client.get("/?sn=20")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.content == UNAVAILABLE


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_the_index_is_told_before_the_first_byte(
    data_dir: Path, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    build.build(0)
    Term.objects.filter(n=19).update(position=7)
    response = client.get("/?sn=20")
    assert response.status_code == 503
    assert response.content == UNAVAILABLE
    assert "The index has the end of term 19 at offset" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_store_of_another_layout_is_not_ready(
    data_dir: Path, client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    build.build(0)
    settings.FIBO_SEGMENT_BYTES = 8192
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.content == UNAVAILABLE
    assert json.dumps({"layout_version": 1, "segment_bytes": 4096}) in caplog.text
