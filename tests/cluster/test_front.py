"""nginx with slices, before two hosts: it answers as one of them, and asks for nothing twice."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.cluster import Running
from tests.support.fronts import REQUESTS, WINDOW, answered
from tests.support.metrics import scraped, value
from tests.support.reference import LENGTH, SHA256, TERMS
from tests.support.servers import sha256_of

pytestmark = pytest.mark.cluster

Answer = tuple[int, dict[str, str], bytes]

CACHE = "X-Cache-Status"
"""The header that tells whether the first slice was in nginx's cache."""


def texts_sent(cluster: Running) -> float:
    """How many requests for texts the hosts have answered."""
    pages = [scraped(api) for api in cluster.apis]
    return sum(value(page, "fibo_requests_total", format="text") for page in pages)


def settled(answer: Answer) -> Answer:
    """The answer but for what may differ: the front's own header, and the order of a policy.

    nginx tells of ranges where it answers with all, and not where it answers with one.
    """
    status, headers, body = answer
    if status == 206:
        headers.pop("Accept-Ranges", None)
    policy = "; ".join(sorted(headers.get("Content-Security-Policy", "").split("; ")))
    kept = {name: value for name, value in headers.items() if name != CACHE}
    return status, kept | {"Content-Security-Policy": policy}, body


def test_every_answer_is_the_same_as_a_host_gives(cluster: Running) -> None:
    front, api = cluster.front, cluster.api("a")
    statuses = set()
    for request in REQUESTS:
        direct = settled(answered(api, *request))
        # Twice: out of a host, and out of the cache where it is kept.
        for _ in range(2):
            assert settled(answered(front, *request)) == direct, request
        statuses.add(direct[0])
    assert statuses == {200, 204, 206, 304, 400, 404, 405, 406, 412, 416}


def test_a_hundred_thousand_terms_are_right_cold_and_warm(
    cluster: Running, reference: Path
) -> None:
    # The reference came through it when nothing was in the cache; since then others may have
    # displaced some of it.
    assert sha256_of(cluster.front, f"/?sn={TERMS}") == SHA256
    before = texts_sent(cluster)
    assert sha256_of(cluster.front, f"/?sn={TERMS}") == SHA256
    assert texts_sent(cluster) == before
    assert cluster.front.get(f"/?sn={TERMS}", Range="bytes=0-0")[1][CACHE] == "HIT"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        # Over the border of two slices, and of two segments.
        ("bytes=1048570-1048580", 1048570, 1048580),
        ("bytes=67108000-67109000", 67108000, 67109000),
        ("bytes=1045042800-", 1045042800, LENGTH - 1),
        ("bytes=-7", LENGTH - 7, LENGTH - 1),
        ("bytes=1045042800-9999999999999", 1045042800, LENGTH - 1),
    ],
)
def test_a_range_is_right(
    asked: str, first: int, last: int, cluster: Running, reference: Path
) -> None:
    # Other terms than the cache has, and the same bytes.
    for target in (f"/?sn={TERMS}", f"/?sn={TERMS}&start=0"):
        status, headers, body = cluster.front.get(target, Range=asked)
        assert status == 206
        assert headers["Content-Range"] == f"bytes {first}-{last}/{LENGTH}"
        with reference.open("rb") as right:
            right.seek(first)
            assert body == right.read(last - first + 1)


def test_conditions_are_as_a_host_has_them(cluster: Running) -> None:
    front = cluster.front
    etag = front.get(WINDOW)[1]["ETag"]
    assert front.get(WINDOW, If_None_Match=etag)[0] == 304
    assert front.get(WINDOW, If_Match='"other"')[0] == 412
    for condition, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        found = front.get(WINDOW, Range="bytes=5-9", If_Range=condition)
        assert (found[0], found[1]["ETag"]) == (status, etag)


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
def test_codings_are_offered_and_bypass_the_slices(coding: str, cluster: Running) -> None:
    plain = cluster.front.get("/?sn=5000")
    coded = cluster.front.get("/?sn=5000", Accept_Encoding=coding)
    assert coded[1]["Content-Encoding"] == coding
    assert CACHE not in coded[1]
    assert coded[1]["ETag"] != plain[1]["ETag"]
    # A range of it is one of the bytes without coding, and of no other entity.
    ranged = cluster.front.get("/?sn=5000", Accept_Encoding=coding, Range="bytes=10-19")
    assert (ranged[0], ranged[2]) == (206, plain[2][10:20])
    assert ranged[1]["ETag"] == plain[1]["ETag"]


@pytest.mark.parametrize(
    "target", ["/admin/login/", "/metrics", "/readyz", "/livez", "/terms/10", "/?sn=five", "/"]
)
def test_what_may_change_is_not_kept(target: str, cluster: Running) -> None:
    for _ in range(2):
        assert cluster.front.get(target)[1].get(CACHE) in (None, "MISS")


def test_an_operator_can_log_in(cluster: Running, tmp_path: Path) -> None:
    cluster.do("manage", "shell", "-c", MAKE_OPERATOR)
    cookies = tmp_path / "cookies"
    kept = str(cookies)
    curl = ["curl", "-sS", "-b", kept, "-c", kept, "-o", os.devnull, "-w", "%{http_code}"]
    login = cluster.front.url("/admin/login/")
    subprocess.run([*curl, login], check=True, capture_output=True)
    token = next(
        line.split()[-1] for line in cookies.read_text().splitlines() if "csrftoken" in line
    )
    form = f"username=operator&password=a-long-one&next=/admin/&csrfmiddlewaretoken={token}"
    done = subprocess.run(
        [*curl, "-d", form, "-H", f"Referer: {login}", login],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "302"
    # The session began at one host, and is known at both.
    for _ in range(4):
        page = cluster.front.url("/admin/")
        shown = subprocess.run([*curl, page], check=True, capture_output=True, text=True)
        assert shown.stdout == "200"


MAKE_OPERATOR = """
from django.contrib.auth.models import User
User.objects.filter(username="operator").delete()
User.objects.create_superuser("operator", password="a-long-one")
"""
