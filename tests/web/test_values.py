"""Single terms, residues, digests and digits to find over a socket, against slow oracles."""

import gzip
import hashlib
import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import gmpy2
import psutil
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sequence.text import facts
from sequence.text.format import FORMATS
from sequence.text.layout import MAX_N, digit_count
from sequence.text.residues import MAX_COUNTED
from sequence.web.bulkhead import MAX_ENTERED
from tests.support import matrix, oracle, search_oracle
from tests.support.servers import Server, served
from tests.support.waiting import until

MILLION = 4_784_969
"""The first term of a million digits."""
P = 2**61 - 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has nothing stored."""
    with served(tmp_path_factory.mktemp("values") / "data") as server:
        yield server


# Single terms


@pytest.mark.parametrize("n", [0, 1, 2, 100, 49_999, 50_000, 99_999, 100_000, 10**6, MILLION])
@pytest.mark.parametrize("radix", [10, 16])
def test_a_term_is_its_digits_in_either_base(server: Server, n: int, radix: int) -> None:
    status, headers, body = server.get(f"/terms/{n}?base={radix}")
    right = gmpy2.fib(n).digits(radix) + "\n"
    assert (status, body.decode()) == (200, right)
    assert headers["Content-Length"] == str(len(right))
    assert headers["Cache-Control"].endswith("immutable")
    status, head, body = server.get(f"/terms/{n}?base={radix}", "HEAD")
    assert (status, body, head["ETag"]) == (200, b"", headers["ETag"])


def test_the_last_term_is_that_of_gmp_and_the_next_one_is_refused(server: Server) -> None:
    assert server.get("/terms/10000000")[2].decode() == gmpy2.fib(10**7).digits() + "\n"
    for target in ("/terms/10000001", "/terms/10000001?base=16"):
        status, _, body = server.get(target, Accept="application/problem+json")
        problem = json.loads(body)
        assert (status, problem["parameter"], problem["maximum"]) == (400, "n", 10_000_000)
    status, _, body = server.get("/terms/10000001?format=json")
    assert (status, json.loads(body)["sha256"]) == (200, None)


@pytest.mark.parametrize("target", ["/terms/1000000", "/terms/1000000?base=16"])
def test_ranges_of_a_term_are_cut_out_of_its_digits(server: Server, target: str) -> None:
    _, headers, whole = server.get(target)
    for asked, right in (
        ("0-9", whole[:10]),
        ("-11", whole[-11:]),
        ("100000-100099", whole[100_000:100_100]),
        (f"{len(whole) - 1}-", b"\n"),
    ):
        status, found, body = server.get(target, Range=f"bytes={asked}")
        assert (status, body) == (206, right)
        assert found["ETag"] == headers["ETag"]
    status, _, body = server.get(target, Range="bytes=0-4,100-104")
    assert status == 206
    assert whole[:5] in body
    assert whole[100:105] in body
    assert server.get(target, Range=f"bytes={len(whole)}-")[0] == 416
    assert server.get(target, If_None_Match=headers["ETag"])[0] == 304


def test_the_two_bases_have_validators_and_names_of_their_own(server: Server) -> None:
    decimal, hexadecimal = (
        server.get(f"/terms/5000{query}", "HEAD")[1] for query in ("", "?base=16")
    )
    for name in ("ETag", "Content-Disposition"):
        assert decimal[name] != hexadecimal[name]


def test_a_term_comes_in_each_coding(server: Server) -> None:
    right = gmpy2.fib(MILLION).digits().encode() + b"\n"
    etags = set()
    for coding, decoded in (("gzip", gzip.decompress), ("zstd", zstandard.decompress)):
        _, headers, body = server.get(f"/terms/{MILLION}", Accept_Encoding=coding)
        assert headers["Content-Encoding"] == coding
        assert decoded(body) == right
        etags.add(headers["ETag"])
    assert len(etags) == 2
    _, headers, _ = server.get(f"/terms/{MILLION}?base=16", Accept_Encoding="gzip, zstd")
    assert "Content-Encoding" not in headers


def test_nothing_is_stored_for_a_term(server: Server) -> None:
    for n in (99_998, 700_000):
        server.get(f"/terms/{n}")
        server.get(f"/terms/{n}?format=json")
        server.get(f"/terms/{n}", Accept="text/html")
    server.get("/terms?contains=777777")
    assert list((server.data_dir / "segments").glob("*.txt*")) == []


@pytest.mark.parametrize("n", [0, 100, 99_999, 100_000, 1_234_567])
def test_json_has_the_hash_of_the_digits_in_either_base(server: Server, n: int) -> None:
    value = gmpy2.fib(n)
    known = json.loads(server.get(f"/terms/{n}?format=json")[2])
    assert known["sha256"] == hashlib.sha256(value.digits().encode()).hexdigest()
    assert known["bit_length"] == (value.bit_length() if n else 0)
    known = json.loads(server.get(f"/terms/{n}?format=json&base=16")[2])
    assert known == {
        "n": n,
        "base": 16,
        "digit_count": len(value.digits(16)),
        "bit_length": value.bit_length() if n else 0,
        "sha256": hashlib.sha256(value.digits(16).encode()).hexdigest(),
    }


@pytest.mark.parametrize("n", [0, 7, 5000, 10**18])
def test_the_ends_of_a_term_come_alone_together_and_in_json(server: Server, n: int) -> None:
    first, last = facts.first_digits(n, 100), facts.last_digits(n, 50)
    if n < 10**6:
        digits = gmpy2.fib(n).digits()
        assert (first, last) == (digits[:100], digits[-50:])
    else:
        assert int(last) == matrix.residue(n, 10**50)
    assert server.get(f"/terms/{n}?first=100")[2].decode() == f"{first}\n"
    assert server.get(f"/terms/{n}?last=50")[2].decode() == f"{last}\n"
    assert server.get(f"/terms/{n}?last=50&first=100")[2].decode() == f"{first}\n{last}\n"
    assert json.loads(server.get(f"/terms/{n}?first=100&last=50&format=json")[2]) == {
        "n": n,
        "digit_count": digit_count(n),
        "first_digits": first,
        "last_digits": last,
    }


def test_ten_thousand_digits_of_the_farthest_term_are_given(server: Server) -> None:
    first, last = server.get(f"/terms/{MAX_N}?first=10000&last=10000")[2].decode().split()
    assert (len(first), len(last)) == (10_000, 10_000)
    assert first.startswith(facts.first_digits(MAX_N, 60))
    assert gmpy2.mpz(last) == matrix.residue(MAX_N, 10**10_000)


# Windows of residues


@settings(max_examples=60)
@given(
    st.sampled_from(list(FORMATS)),
    st.integers(0, 2500),
    st.integers(0, 300),
    st.integers(1, 2**128),
)
def test_a_window_of_residues_is_that_of_the_terms(
    server: Server, format: str, start: int, sn: int, modulus: int
) -> None:
    target = f"/?sn={sn}&start={start}&format={format}&mod={modulus}"
    status, headers, body = server.get(target)
    lines = [
        oracle.WRITTEN[format].format(n=n, value=int(oracle.terms(2800)[n]) % modulus)
        for n in range(start, start + sn)
    ]
    right = (oracle.HEADERS.get(format, "") + "".join(lines)).encode()
    assert (status, body) == (200, right)
    assert headers["Content-Length"] == str(len(right))
    if len(right) > 20:
        status, found, part = server.get(target, Range=f"bytes=7-{len(right) - 5}")
        assert (status, part) == (206, right[7:-4])
        assert found["ETag"] == headers["ETag"]


def test_residues_go_to_the_last_term_and_no_further(server: Server) -> None:
    assert server.get("/?sn=2&start=9999999&mod=1000000007&format=bfile")[2].decode() == (
        f"9999999 {matrix.residue(9_999_999, 10**9 + 7)}\n"
        f"10000000 {matrix.residue(10_000_000, 10**9 + 7)}\n"
    )
    for target in ("/?sn=2&start=10000000&mod=7", "/?sn=10000001&mod=7", "/?sn=1&mod=0"):
        assert server.get(target)[0] == 400
    assert server.get(f"/?sn=1&mod={2**128}")[2] == b"0 "
    assert server.get(f"/?sn=1&mod={2**128 + 1}")[0] == 400


def test_many_residues_come_whole_without_a_length(server: Server) -> None:
    count = MAX_COUNTED + 1
    status, headers, body = server.get(f"/?sn={count}&mod={P}&format=lines", Range="bytes=0-9")
    assert (status, headers["Transfer-Encoding"]) == (200, "chunked")
    assert headers["Accept-Ranges"] == "none"
    assert headers["Content-Disposition"].startswith("attachment")
    a, b, right = 0, 1, []
    for _ in range(count):
        right.append(b"%d\n" % a)
        a, b = b, (a + b) % P
    assert body == b"".join(right)
    status, head, body = server.get(f"/?sn={count}&mod={P}&format=lines", "HEAD")
    assert (status, body, head["ETag"]) == (200, b"", headers["ETag"])
    assert "Content-Length" not in head


def test_many_residues_end_with_the_connection_if_the_client_knows_no_chunks(
    server: Server,
) -> None:
    head, _, body = server.raw(f"GET /?sn={MAX_COUNTED + 1}&mod=2 HTTP/1.0\r\n\r\n").partition(
        b"\r\n\r\n"
    )
    assert b"\r\nContent-Length" not in head
    assert body == (b"0 1 1 " * MAX_COUNTED)[: 2 * (MAX_COUNTED + 1)]


def test_a_hundred_thousand_residues_have_their_length_and_a_coding(server: Server) -> None:
    target = f"/?sn={MAX_COUNTED}&mod={2**127 - 1}"
    _, headers, whole = server.get(target)
    assert headers["Content-Length"] == str(len(whole))
    assert whole.count(b" ") == MAX_COUNTED
    for coding, decoded in (("gzip", gzip.decompress), ("zstd", zstandard.decompress)):
        _, headers, body = server.get(target, Accept_Encoding=coding)
        assert headers["Content-Encoding"] == coding
        assert len(body) < 0.5 * len(whole)
        assert decoded(body) == whole


def test_windows_of_residues_lead_to_the_next_ones(server: Server) -> None:
    _, headers, _ = server.get("/?sn=10&mod=7&format=csv")
    assert '</?sn=10&start=10&format=csv&mod=7>; rel="next"' in headers["Link"]
    _, headers, _ = server.get("/?sn=10&start=9999991&mod=7")
    assert "next" not in headers["Link"]
    _, headers, _ = server.get("/?sn=10&start=99985&format=sha256")
    assert '</?sn=5&start=99995&format=sha256>; rel="next"' in headers["Link"]


# Digests


def test_digests_are_those_of_each_term(server: Server) -> None:
    lines = [
        f"{hashlib.sha256(digits.strip()).hexdigest()}  F({n})\n"
        for n, digits in enumerate(oracle.terms(2000))
    ]
    for start, stop in ((0, 2000), (0, 0), (5, 6), (995, 1010)):
        right = "".join(lines[start:stop]).encode()
        target = f"/?sn={stop - start}&start={start}&format=sha256"
        status, headers, body = server.get(target)
        assert (status, body) == (200, right)
        assert headers["Content-Length"] == str(len(right))
        if right:
            _, _, part = server.get(target, Range="bytes=3-70")
            assert part == right[3:71]


def test_digests_are_accepted_by_sha256sum(server: Server, tmp_path: Path) -> None:
    for n in range(30):
        (tmp_path / f"F({n})").write_bytes(server.get(f"/terms/{n}")[2].rstrip())
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet"],  # noqa: S607
        input=server.get("/?sn=30&format=sha256")[2],
        cwd=tmp_path,
        check=True,
    )


# Digits to find


@pytest.mark.parametrize("digits", ["1234", "0000", "14159265", "19901231", "35897932"])
def test_digits_are_found_in_the_first_term_that_has_them(server: Server, digits: str) -> None:
    status, headers, body = server.get(f"/terms?contains={digits}&format=json")
    found = json.loads(body)
    assert status == 200
    assert headers["Cache-Control"].endswith("immutable")
    term = server.get(f"/terms/{found['n']}")[2].decode().strip()
    at = found["position"]
    assert term.find(digits) == at
    assert term[max(at - 20, 0) : at] == found["before"]
    assert term[at + len(digits) :][:20] == found["after"]
    text = server.get(f"/terms?contains={digits}")[2].decode()
    assert dict(line.split(" ", 1) for line in text.splitlines()) == {
        name: str(value) for name, value in found.items()
    }
    page = server.get(f"/terms?contains={digits}", Accept="text/html")[2].decode()
    assert f"<mark>{digits}</mark>" in page
    assert f'href="/terms/{found["n"]}"' in page


@given(st.text("0123456789", min_size=4, max_size=6))
@settings(max_examples=40)
def test_digits_are_found_where_a_slow_search_finds_them(server: Server, digits: str) -> None:
    right = search_oracle.first_place(digits, 3000)
    status, _, body = server.get(f"/terms?contains={digits}&format=json")
    if right is not None:
        found = json.loads(body)
        assert (status, tuple(found.values())) == (200, (digits, *right))


def test_digits_that_no_term_has_are_not_found(server: Server) -> None:
    status, headers, body = server.get(f"/terms?contains={'1' * 40}")
    assert (status, headers["Cache-Control"]) == (404, "no-store")
    assert body.endswith(b"which none of the first 100,000 terms contains.\n")
    status, _, body = server.get(f"/terms?contains={'1' * 40}", Accept="text/html")
    assert status == 404
    assert b"is in none of them" in body


REFUSED = {
    "/terms?contains=123": "contains is '123'; it must be 4 to 40 plain decimal digits.",
    f"/terms?contains={'1' * 41}": "contains is '1111",
    "/terms?contains=12%2034": "contains is '12 34'",
    "/terms?contains=1990-12-31": "contains is '1990-12-31'",
    "/terms?contains=%D9%A3%D9%A3%D9%A3%D9%A3": r"contains is '\u0663",
    "/terms?contains=": "contains is ''",
    "/terms?contains=1234&value=5": "contains is '1234'; it must be left out if value is given.",
    "/terms/7?base=8": "base is '8'; it must be 10 or 16.",
    "/terms/7?base=16&mod=5": "mod is '5'; it must be left out if base is given.",
    "/terms/7?mod=5&first=3": "first is '3'; it must be left out if mod is given.",
    "/terms/7?first=0": "first is '0'; it must be a whole number from 1 to 10000",
    "/terms/7?last=10001": "last is '10001'; it must be a whole number from 1 to 10000",
    "/?sn=5&mod=x": "mod is 'x'; it must be a whole number from 1 to",
    "/?sn=5&mod=7&format=sha256": "format is 'sha256'; it must be text or lines or bfile or jsonl "
    "or csv if mod is given.",
    "/?sn=100001&format=sha256": "sn is '100001'; it must be a whole number from 0 to 100000",
}


@pytest.mark.parametrize("target", REFUSED)
def test_what_makes_no_sense_is_refused_in_one_sentence(server: Server, target: str) -> None:
    status, _, body = server.get(target)
    assert status == 400
    assert body.decode().startswith(REFUSED[target])
    assert body.count(b"\n") == 1


# Long computations


@pytest.fixture
def long(serve: Callable[..., Server]) -> Server:
    """A server of one process, whose search of all terms would take a quarter of an hour."""
    return serve(FIBO_MAX_SN="10000000", WEB_CONCURRENCY="1")


def search_for_ever(server: Server) -> socket.socket:
    """A client that waits for the outcome of a search of all terms."""
    client = socket.create_connection(("127.0.0.1", server.port), 60)
    client.sendall(f"GET /terms?contains={'1' * 40} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client


def is_busy(server: Server) -> bool:
    """Whether the worker computes."""
    (worker,) = psutil.Process(server.process.pid).children()
    return bool(worker.cpu_percent(0.3) > 10)


def test_a_client_that_leaves_stops_its_search(long: Server) -> None:
    client = search_for_ever(long)
    until(lambda: is_busy(long))
    client.close()
    until(lambda: not is_busy(long))
    # The next one has its turn.
    assert long.get("/terms?contains=1234")[0] == 200
    assert "Traceback" not in long.log.read_text()


def test_long_computations_are_bounded_and_leave_threads_for_others(long: Server) -> None:
    with ExitStack() as leaving:
        for _ in range(MAX_ENTERED):
            leaving.enter_context(search_for_ever(long))
        until(lambda: long.get("/terms?contains=1234")[0] == 503)
        for _ in range(20):
            status, headers, body = long.get("/terms?contains=1234")
            assert (status, headers["Retry-After"]) == (503, "5")
            assert re.match(rb"\d+ long computations run or wait already", body)
        # Others do not wait.
        for target in ("/terms/10000000", "/terms/1000?format=json", "/?sn=1000&mod=7", "/livez"):
            assert long.get(target)[0] == 200
    until(lambda: long.get("/terms?contains=1234")[0] == 200)
    # One that is refused is no failure, and fills no log.
    log = long.log.read_text()
    assert log.count("long computations run or wait") == 1
    assert "failed" not in log
    assert "Service Unavailable" not in log


def test_of_many_long_terms_some_are_refused_and_their_heads_are_not(
    serve: Callable[..., Server],
) -> None:
    server = serve(WEB_CONCURRENCY="1")
    targets = [f"/terms/{10**7 - n}" for n in range(16)]
    with ThreadPoolExecutor(len(targets)) as clients:
        found = list(clients.map(lambda target: server.get(target)[0], targets))
        assert set(found) == {200, 503}
        heads = list(clients.map(lambda target: server.get(target, "HEAD")[0], targets))
    assert set(heads) == {200}


def test_a_client_that_has_pipelined_more_is_seen_to_leave(long: Server) -> None:
    client = search_for_ever(long)
    client.sendall(b"G")
    until(lambda: is_busy(long))
    client.close()
    until(lambda: not is_busy(long))


def test_the_last_term_is_a_setting(serve: Callable[..., Server]) -> None:
    server = serve(FIBO_MAX_TERM="1000", FIBO_MAX_SN="2000")
    assert server.get("/terms/1000")[0] == 200
    status, _, body = server.get("/terms/1001")
    assert (status, body.decode().partition(" for")[0]) == (
        400,
        "n is '1001'; it must be at most 1000",
    )
    assert json.loads(server.get("/terms/1001?format=json")[2])["sha256"] is None
    assert server.get("/?sn=1&start=1000&mod=7")[0] == 200
    assert server.get("/?sn=1&start=1001&mod=7")[0] == 400
    assert server.get("/?sn=2000")[0] == 200
