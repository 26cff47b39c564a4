"""Answers in a content coding: encoded as they are sent, and nothing of them is stored."""

import sqlite3
from contextlib import closing
from importlib import import_module
from itertools import accumulate
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from sequence.coding import coder
from sequence.coding.coding import CODINGS, MIN_BYTES
from sequence.segments import build
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span
from sequence.web.responses import MAX_WHOLE_BYTES
from tests.support import oracle
from tests.support.decoding import decoded
from tests.support.processes import manage
from tests.support.servers import Server, served
from tests.support.waiting import idle, soon

every_coding = pytest.mark.parametrize("coding", CODINGS)
every_format = pytest.mark.parametrize("format", FORMATS)

TERMS = 1500


@pytest.mark.django_db(transaction=True)
@every_coding
@every_format
def test_an_answer_has_the_same_bytes_whatever_is_stored_and_how(
    data_dir: Path, settings: Settings, client: Client, coding: str, format: str
) -> None:
    found = set()
    for segment_bytes, built in ((4096, ()), (4096, (1, 3)), (50_000, range(4))):
        settings.FIBO_SEGMENT_BYTES = segment_bytes
        settings.FIBO_DATA_DIR = data_dir / f"{segment_bytes}-{len(built)}"
        settings.FIBO_DATA_DIR.mkdir()
        for number in built:
            build.segment(number)
        response = client.get(
            f"/?sn={TERMS}&start=7&format={format}", headers={"Accept-Encoding": coding}
        )
        found.add((response.headers["ETag"], response.getvalue()))
        idle()
    ((etag, body),) = found
    version = CODINGS[coding].version
    assert etag == f'"1-7-{TERMS + 7}-{format}-{coding}-{version}"'
    assert decoded(body, coding) == oracle.written(format, 7, TERMS + 7)


@every_coding
@every_format
def test_from_the_least_length_on_every_answer_is_shorter_encoded(coding: str, format: str) -> None:
    """The first terms are the worst: most of what they have is not digits."""
    for start in (0, 1, 9, 90, 900):
        sizes = []
        for sn in range(1, 120):
            window = Representation(FORMATS[format], Span(start, start + sn))
            if window.length >= MIN_BYTES:
                coder = CODINGS[coding].coder(window)
                content = oracle.written(format, start, start + sn)
                sizes.append(len(coder.pack(content) + coder.finish()) / window.length)
                break
        assert sizes
        assert sizes[0] < 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("encodings", "offered"), [(["gzip", "zstd"], "zstd"), (["gzip"], "gzip"), ([], None)]
)
def test_the_setting_says_what_is_offered(
    data_dir: Path, settings: Settings, client: Client, encodings: list[str], offered: str | None
) -> None:
    settings.FIBO_ENCODINGS = encodings
    response = client.get("/?sn=500", headers={"Accept-Encoding": "gzip, zstd"})
    assert response.headers.get("Content-Encoding") == offered
    assert decoded(response.getvalue(), offered) == oracle.text(0, 500)


@pytest.mark.django_db(transaction=True)
def test_a_host_that_cannot_run_compiled_code_offers_none(
    data_dir: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coder.packer, "_available", False)
    response = client.get("/?sn=500", headers={"Accept-Encoding": "gzip, zstd"})
    assert "Content-Encoding" not in response.headers
    assert response.headers["Content-Length"] == str(len(oracle.text(0, 500)))


def last_term_within(length: int) -> int:
    """How many of the first terms have at most so many bytes of text."""
    lengths = accumulate(map(len, oracle.terms(2000)))
    return next(sn for sn, found in enumerate(lengths) if found > length)


SHORT, WHOLE = last_term_within(MIN_BYTES - 1), last_term_within(MAX_WHOLE_BYTES)


@every_coding
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("sn", "has"),
    [
        (0, {"Content-Length"}),
        (SHORT, {"Content-Length"}),
        (SHORT + 1, {"Content-Encoding", "Content-Length"}),
        (WHOLE, {"Content-Encoding", "Content-Length"}),
        (WHOLE + 1, {"Content-Encoding"}),
    ],
)
def test_a_short_answer_has_its_length_and_a_long_one_is_chunked(
    shared_server: Server, coding: str, method: str, sn: int, has: set[str]
) -> None:
    _, expected, content = shared_server.get(f"/?sn={sn}", Accept_Encoding=coding)
    status, headers, body = shared_server.get(f"/?sn={sn}", method, Accept_Encoding=coding)
    assert status == 200
    assert body == (content if method == "GET" else b"")
    of_both = ("ETag", "Content-Encoding", "Content-Length")
    assert [headers.get(name) for name in of_both] == [expected.get(name) for name in of_both]
    assert headers.keys() & {"Content-Encoding", "Content-Length"} == has
    assert headers.get("Content-Encoding", coding) == coding
    assert headers.get("Content-Length", str(len(content))) == str(len(content))
    assert headers["Accept-Ranges"] == "bytes"
    assert decoded(content, headers.get("Content-Encoding")) == oracle.text(0, sn)


SMALL = {"FIBO_SEGMENT_BYTES": "65536", "FIBO_PREPOPULATE": "1000"}

OLD_TABLE, *_ = import_module("sequence.migrations.0001_index").OLD_TABLES

# What 0.1.0 made of the tables while it was developed, from what it makes now.
OLD_INDEX = f"""
ALTER TABLE sequence_segment RENAME COLUMN repaired TO healed;
CREATE TABLE {OLD_TABLE} (
    name varchar(64) PRIMARY KEY, length_bytes bigint, crc32 bigint, block_checksums BLOB,
    seal bigint, created_at datetime, segment_id bigint NOT NULL
    REFERENCES sequence_segment (number) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO {OLD_TABLE}
    SELECT printf('%08d.text.zstd-level1', number), 1, 1, x'', 1, created_at, number
    FROM sequence_segment;
DELETE FROM django_migrations WHERE app = 'sequence';
INSERT INTO django_migrations (app, name, applied) VALUES
    ('sequence', '0001_initial', '2026-11-24'), ('sequence', '0002_coded', '2026-11-24'),
    ('sequence', '0003_seal', '2026-11-25'), ('sequence', '0004_usage', '2026-11-25');
"""  # noqa: S608
OLD_FILES = [
    *(f"{number:08}.text.zstd-level1" for number in range(4)),
    *("00000001.jsonl.gzip-huffman", "00000009.csv.gzip-huffman.part", "coded.lock"),
]


def test_a_store_of_before_is_brought_over(tmp_path: Path) -> None:
    assert manage(tmp_path, "prepopulate", "--upto=3000", **SMALL).returncode == 0
    segments = tmp_path / "segments"
    plain = sorted(path.name for path in segments.glob("*.txt"))
    made_at = [(segments / name).stat().st_mtime_ns for name in plain]
    with closing(sqlite3.connect(tmp_path / "index.sqlite3")) as index:
        index.executescript(OLD_INDEX)
    for name in OLD_FILES:
        (segments / name).write_bytes(b"\x28\xb5\x2f\xfd")
    others = ["00000001.notes.tar-gz", "notes.text.zst"]
    for name in others:
        (segments / name).touch()
    with served(tmp_path, **SMALL) as server:
        status, _, body = server.get("/?sn=3000", Accept_Encoding="zstd")
        assert (status, decoded(body, "zstd")) == (200, oracle.text(0, 3000))
        soon(len(plain), lambda: server.log.read_text().count("Reconciled segment"))
        assert server.stop() == 0
        log = server.log.read_text()
        assert log.count("Removed 7 files of encoded segments") == log.count("Removed ") == 1
        assert "ERROR" not in log
    left = sorted(path.name for path in segments.iterdir())
    assert left == sorted([*plain, "layout.json", *others])
    assert [(segments / name).stat().st_mtime_ns for name in plain] == made_at
    verified = manage(tmp_path, "verify", **SMALL)
    assert verified.returncode == 0, verified.stdout + verified.stderr
