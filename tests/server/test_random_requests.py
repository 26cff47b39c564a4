"""Ten thousand random requests over a socket, each compared with the oracle in every byte."""

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from tests.support.http_oracle import (
    CODINGS,
    Answer,
    Window,
    answer,
)
from tests.support.http_rows import ETAGS, ROWS, TARGET, TARGETS, Right, in_full
from tests.support.random_requests import (
    Request,
    Tags,
    asked,
    faults_of,
    some_request,
    some_windows,
)
from tests.support.servers import Server

SEED = 20_260_711
REQUESTS = 10_000
OFTEN = 50


def named_for_coding(window: Window, coding: str) -> str:
    """The ETag of the rows' window."""
    return ETAGS[coding]


@pytest.mark.parametrize(("headers", "right"), ROWS.values(), ids=ROWS)
def test_the_oracle_is_right_about_headers(headers: dict[str, str], right: Right) -> None:
    assert answer("GET", TARGET, headers, named_for_coding) == in_full(right)


@pytest.mark.parametrize(("line", "headers", "right"), TARGETS)
def test_the_oracle_is_right_about_targets(
    line: str, headers: dict[str, str], right: Answer
) -> None:
    method, target = line.split(" ")
    assert answer(method, target, headers, named_for_coding) == right


def outcomes_of(request: Request, right: Answer) -> Iterator[str]:
    """The kinds of answer that the test must have met."""
    kind = (" multipart" if right.parts else " single") if right.status == 206 else ""
    yield f"{right.status}{kind}"
    if right.status == 200 and request.method == "GET":
        yield right.coding


def test_random_requests_are_answered_as_the_oracle_says(shared_server: Server) -> None:
    rng = Random(SEED)
    connections = [shared_server.connect() for _ in range(3)]
    tags = Tags(lambda request: asked(connections[0], request))
    windows = some_windows(rng)
    met: Counter[str] = Counter()
    wrong = []
    for number in range(REQUESTS):
        request = some_request(rng, windows, tags)
        right = answer(request.method, request.target, request.headers, tags.of)
        connection = rng.choice(connections)
        met["kept connection"] += connection.sock is not None
        met.update(outcomes_of(request, right))
        try:
            reply = asked(connection, request)
        except Exception as error:
            error.add_note(f"request {number}: {request}")
            raise
        wrong += [f"{request}\n  {fault}" for fault in faults_of(request, right, reply, tags)]
    for connection in connections:
        connection.close()
    assert not wrong, f"{len(wrong)} faults, at first:\n" + "\n".join(wrong[:10])
    expected = ("200", "206 single", "206 multipart", "304", "400", "406", "412", "416")
    rare = {name for name in (*expected, *CODINGS, "kept connection") if met[name] < OFTEN}
    assert not rare, met
