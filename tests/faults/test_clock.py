"""The clock is set back by a year between two starts: nothing but dates depends on it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import pytest

from tests.support import oracle
from tests.support.faults import Injected
from tests.support.processes import manage
from tests.support.servers import Server, served

pytestmark = pytest.mark.drill


LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
"""Of Debian's package faketime, which .ci/run installs."""

YEAR = timedelta(days=365)
A_YEAR_AGO = {"LD_PRELOAD": ":".join(map(str, LIBRARIES)), "FAKETIME": "-365d"}
"""Between two starts: a jump under a running process confuses the library's own sleep."""

SMALL = {"FIBO_SEGMENT_BYTES": "20000"}
TARGET = "/?sn=2000"


def date_of(server: Server) -> datetime:
    """What time the service thinks it is."""
    return parsedate_to_datetime(server.get("/livez")[1]["Date"])


def test_a_clock_that_jumps_back_a_year_makes_no_answer_stale(
    tmp_path: Path, injected: Injected
) -> None:
    assert LIBRARIES, "install Debian's package faketime"
    now, text = datetime.now(UTC), oracle.text(0, 2000)
    with served(tmp_path / "data", **SMALL) as server:
        assert abs(date_of(server) - now) < timedelta(minutes=1)
        status, headers, body = server.get(TARGET)
        assert (status, body) == (200, text)
    etag = headers["ETag"]
    with served(tmp_path / "data", **SMALL, **A_YEAR_AGO) as server:
        assert abs(date_of(server) - (now - YEAR)) < timedelta(minutes=1)
        assert server.get(TARGET)[1]["ETag"] == etag
        # There are no dates to compare: the ETag alone says what has not changed.
        for days in (-800, -365, -1, 0, 1):
            date = format_datetime(now + timedelta(days=days), usegmt=True)
            assert server.get(TARGET, If_Modified_Since=date)[0] == 200
            assert server.get(TARGET, If_Modified_Since=date, If_None_Match='"other"')[0] == 200
            assert server.get(TARGET, If_Unmodified_Since=date)[0] == 200
            found = server.get(TARGET, Range="bytes=0-9", If_Range=date)
            assert (found[0], found[2]) == (200, text)
        assert server.get(TARGET, If_None_Match=etag)[0] == 304
        assert server.get(TARGET, Range="bytes=0-9", If_Range=etag)[0] == 206
        assert server.get("/?sn=2001", If_None_Match=etag)[0] == 200

        # What is built and repaired now has dates before those of what was there.
        assert server.get("/?sn=4000", Accept_Encoding="gzip")[0] == 200
        first = server.data_dir / "segments" / "00000000.txt"
        first.write_bytes(bytes(len(first.read_bytes())))
        assert server.get("/?sn=4000")[2] == oracle.text(0, 4000)
    assert first.read_bytes() == text[: first.stat().st_size]
    for clock in (A_YEAR_AGO, {}):
        verified = manage(tmp_path / "data", "verify", **SMALL, **clock)
        assert verified.returncode == 0, verified.stdout
    injected("the clock set back by a year", 1, "no wrong 304, builds and verify as ever")
