"""nginx before two hosts: it answers as one of them."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.cluster import Running
from tests.support.fronts import REQUESTS, WINDOW, answered
from tests.support.reference import LENGTH, SHA256, TERMS
from tests.support.servers import sha256_of

pytestmark = pytest.mark.cluster


def test_every_answer_is_the_same_as_a_host_gives(cluster: Running) -> None:
    front, api = cluster.front, cluster.api("a")
    statuses = set()
    for request in REQUESTS:
        direct = answered(api, *request)
        # Twice, as the hosts take turns.
        for _ in range(2):
            assert answered(front, *request) == direct, request
        statuses.add(direct[0])
    assert statuses == {200, 204, 206, 304, 400, 404, 405, 406, 412, 416}


def test_a_hundred_thousand_terms_are_right(cluster: Running, reference: Path) -> None:
    # The reference came through it while no host had any of it; by now both have the beginning.
    for _ in range(2):
        assert sha256_of(cluster.front, f"/?sn={TERMS}") == SHA256


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        # Over the border of two segments.
        ("bytes=67108000-67109000", 67108000, 67109000),
        ("bytes=1045042800-", 1045042800, LENGTH - 1),
        ("bytes=-7", LENGTH - 7, LENGTH - 1),
        ("bytes=1045042800-9999999999999", 1045042800, LENGTH - 1),
    ],
)
def test_a_range_is_right(
    asked: str, first: int, last: int, cluster: Running, reference: Path
) -> None:
    status, headers, body = cluster.front.get(f"/?sn={TERMS}", Range=asked)
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
def test_codings_are_offered_and_ranges_have_none(coding: str, cluster: Running) -> None:
    plain = cluster.front.get("/?sn=5000")
    coded = cluster.front.get("/?sn=5000", Accept_Encoding=coding)
    assert coded[1]["Content-Encoding"] == coding
    assert coded[1]["ETag"] != plain[1]["ETag"]
    # A range of it is one of the bytes without coding, and of no other entity.
    ranged = cluster.front.get("/?sn=5000", Accept_Encoding=coding, Range="bytes=10-19")
    assert (ranged[0], ranged[2]) == (206, plain[2][10:20])
    assert ranged[1]["ETag"] == plain[1]["ETag"]


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
