"""What a request may cost follows from what it gets: what would cost more is refused at once."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from sequence.text.span import Span
from sequence.web.responses import max_ranges
from tests.support.servers import Server

FIELD_BYTES = 8100
LISTS = {
    "Accept": ",",
    "Accept-Encoding": "gzip,",
    "If-None-Match": '"a",',
    "If-Match": 'W/"a",',
    "If-Range": '"',
    "Cookie": "a=b;",
    "Range": "0-0,",
    "Forwarded": "for=a,",
    "X-Forwarded-For": "127.0.0.1,",
    "Accept-Language": "en;q=0.1,",
    "X-Unknown": "a",
}


def filled(name: str, fields: int) -> str:
    """So many fields of that name, each as long as one may be."""
    pattern = LISTS[name]
    return "".join(f"{name}: {(pattern * FIELD_BYTES)[:FIELD_BYTES]}\r\n" for _ in range(fields))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("fields", "refused"), [(1, False), (2, False), (3, True), (60, True)])
def test_headers_that_are_long_together_are_refused(
    shared_server: Server, name: str, fields: int, refused: bool
) -> None:
    head = f"GET /?sn=10 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{filled(name, fields)}"
    answer = shared_server.raw(f"{head}\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ") == refused
    assert (b"with 16,384 bytes together." in answer) == refused


@pytest.mark.parametrize(
    ("terms", "most"), [(10, 16), (100_000, 16), (300_000, 16), (10**6, 5), (10**7, 2)]
)
def test_ranges_are_fewer_as_terms_are_longer(terms: int, most: int) -> None:
    """Each is computed from the number of a term alone, be it for one byte."""
    assert max_ranges(Span(0, terms)) == most
    assert max_ranges(Span(terms - 1, terms)) == most


def test_the_ranges_of_long_terms_are_refused_before_any_is_computed(
    client: Client, settings: Settings
) -> None:
    settings.FIBO_MAX_SN = 10**7
    header = ",".join(f"{10**13 + 10**10 * n}-{10**13 + 10**10 * n}" for n in range(16))
    found = client.get("/?sn=10000000", headers={"Range": f"bytes={header}"})
    assert found.status_code == 416
    assert "with one to 2 ranges" in found.content.decode()
