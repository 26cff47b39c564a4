"""Whatever happens to the index of a running service, answers are right and it is repaired."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep

import pytest

from tests.support import oracle
from tests.support.faults import Injected
from tests.support.index_faults import FAULTS, altered
from tests.support.processes import manage
from tests.support.servers import Serve, Server, served
from tests.support.waiting import soon

pytestmark = pytest.mark.drill


SMALL = {"FIBO_SEGMENT_BYTES": "100000"}
TERMS = 5000
"""In 27 segments."""

TARGETS = {
    f"/?sn={TERMS}": oracle.text(0, TERMS),
    "/?sn=20": oracle.text(0, 20),
    "/?sn=500&start=4000": oracle.text(4000, 4500),
    "/terms/3000": oracle.terms(3001)[3000].strip() + b"\n",
}


def etags(server: Server) -> dict[str, str]:
    """The validators of the answers."""
    return {target: server.get(target, "HEAD")[1]["ETag"] for target in TARGETS}


def until(ended: Event, act: Callable[[], None]) -> None:
    """Does it again and again."""
    while not ended.is_set():
        act()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_index_may_fail_while_the_service_runs(
    serve: Serve, injected: Injected, fault: str
) -> None:
    server = serve(**SMALL)
    for target in TARGETS:
        server.get(target, Accept_Encoding="zstd")
    known, index = etags(server), server.data_dir / "index.sqlite3"
    statuses: list[int] = []

    def ask_all() -> None:
        for target, text in TARGETS.items():
            status, headers, body = server.get(target)
            statuses.append(status)
            if status == 503:
                assert int(headers["Retry-After"]) > 0
            else:
                assert (headers["ETag"], body) == (known[target], text)

    with ThreadPoolExecutor(4) as pool:
        asking = Event()
        readers = [pool.submit(until, asking, ask_all) for _ in range(4)]
        sleep(0.3)
        before = len(statuses)
        FAULTS[fault](index)
        sleep(3)
        asking.set()
        for reader in readers:
            reader.result(60)
    assert len(statuses) > before > 0
    assert set(statuses) <= {200, 503}
    assert etags(server) == known
    assert server.get(f"/?sn={TERMS}")[2] == TARGETS[f"/?sn={TERMS}"]
    assert server.stop() == 0

    def verified(*arguments: str) -> int:
        return manage(server.data_dir, "verify", *arguments, **SMALL).returncode

    if FAULTS[fault] is altered:  # a service does not look at every row
        assert [verified(), verified("--repair")] == [1, 0]
    else:
        with served(server.data_dir, **SMALL):
            soon(0, verified)
    assert verified() == 0
    refused = statuses.count(503)
    injected(
        f"the index of a running service, {fault}",
        1,
        f"{len(statuses) - refused} answers right, {refused} put off",
    )
