"""Single bits flip, in segments and in the index: found, or harmless, and no answer is wrong."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from sequence import conf
from sequence.coding.coding import CODINGS
from sequence.operations import verify
from sequence.segments import build
from sequence.text.layout import Layout
from sequence.text.span import Span
from tests.support import oracle
from tests.support.decoding import decoded
from tests.support.faults import Injected
from tests.support.stored import findings, flip, flipped, replace_index
from tests.support.waiting import idle

pytestmark = [pytest.mark.drill, pytest.mark.django_db(transaction=True)]


FLIPS = 500
SEGMENT_BYTES = 100_000
TERMS = Layout(SEGMENT_BYTES).terms(9).stop
"""Those of ten segments: some 3,000 rows, a quarter of the index."""

UNCHECKED = re.compile(
    rb'"csrfmiddlewaretoken" value="\w+"'
    rb'|<td class="field-(?:\w+_at|served|checked_blocks|repaired)[ "].*?</td>'
    rb"|It was read.*?times\."
    rb'|<div class="coverage">.*?</div>',
    re.DOTALL,
)

SEGMENTS = "/admin/sequence/segment/"

WINDOWS = [(0, TERMS), (250, 1420), (TERMS - 2, TERMS)]


@pytest.fixture
def whole(data_dir: Path, settings: Settings) -> Path:
    """The directory of a store of segments."""
    settings.FIBO_SEGMENT_BYTES = SEGMENT_BYTES
    for number in conf.layout().numbers(Span(0, TERMS)):
        build.segment(number)
    assert findings() == []
    return data_dir / "segments"


def answer(client: Client, target: str, coding: str = "identity") -> tuple[int, bytes]:
    """Status and decoded body of what the service answers."""
    response = client.get(target, headers={"Accept-Encoding": coding})
    body = response.getvalue()
    assert response.headers.get("Content-Encoding", "identity") == coding
    return response.status_code, decoded(body, coding)


def assert_answers_are_right(client: Client, windows: list[tuple[int, int]] = WINDOWS) -> None:
    """Several windows, with and without a coding, and single terms."""
    for start, stop in windows:
        for coding in ("identity", *CODINGS):
            found = answer(client, f"/?sn={stop - start}&start={start}", coding)
            assert found == (200, oracle.text(start, stop)), (start, stop, coding)
    for n in (0, 99, TERMS - 1):
        assert answer(client, f"/terms/{n}") == (200, oracle.terms(TERMS)[n].strip() + b"\n")


def repair() -> None:
    """What `verify --repair` does."""
    verify.repair_faults()
    for name in dict.fromkeys(finding.name for finding in findings()):
        verify.repair_file(name)


def test_five_hundred_flipped_bits_in_segments_are_found_repaired_and_never_sent(
    whole: Path, client: Client, injected: Injected
) -> None:
    rng = random.Random(31)
    right = {path.name: path.read_bytes() for path in whole.iterdir()}
    names = sorted(right.keys() - {"layout.json"})
    found = 0
    for _ in range(FLIPS):
        name = rng.choice(names)
        flip(whole / name, rng.randrange(8 * len(right[name])))
        found += any(finding.name == name for finding in verify.verify_file(name).findings)
        assert_answers_are_right(client)
        idle()
        assert {path.name: path.read_bytes() for path in whole.iterdir()} == right, name
    assert found == FLIPS
    assert findings() == []
    injected("a bit flipped in a segment", FLIPS, f"{found} found, all repaired")


def told(operator: Client) -> tuple[int, bytes]:
    """What the service tells an operator of what is stored.

    Without times and counts, which nothing can check and nothing depends on; the page also has
    tokens of its own.
    """
    status, body = answer(operator, SEGMENTS)
    return status, UNCHECKED.sub(b"", body)


@pytest.fixture
def operator(client: Client, own_index: Path) -> Client:
    """A browser that is logged in."""
    client.raise_request_exception = False
    client.force_login(User.objects.create_superuser("operator"))
    return client


def test_five_hundred_flipped_bits_in_the_index_are_found_or_harmless(
    own_index: Path, operator: Client, whole: Path, injected: Injected
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    right, shown = own_index.read_bytes(), told(operator)
    assert shown[0] == 200
    rng, outcomes = random.Random(32), Counter[str]()
    for bit in (rng.randrange(8 * len(right)) for _ in range(FLIPS)):
        replace_index(own_index, flipped(right, bit))
        found = findings()
        status, page = told(operator)
        # 503 as long as the index cannot be read; it is being rebuilt then.
        assert status in (200, 302, 503), bit
        # An operator who is logged out is told nothing wrong.
        assert found or status != 200 or (status, page) == shown, bit
        assert_answers_are_right(operator)
        outcomes["found" if found else "harmless"] += 1
        if found:
            replace_index(own_index, flipped(right, bit))
            repair()
            assert findings() == [], bit
            assert_answers_are_right(operator, WINDOWS[:1])
    outcome = f"{outcomes['found']} found and repaired, {outcomes['harmless']} harmless"
    assert outcomes["found"] > FLIPS / 5
    injected("a bit flipped in the index", outcomes.total(), outcome)
