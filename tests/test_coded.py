"""Segments in coded form: made once, kept, found again, within their room."""

import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from django.db import OperationalError
from pytest_django.fixtures import Settings

from sequence import build, coded, conf
from sequence.background import in_thread
from sequence.coded_stream import stream_coded
from sequence.coding import GZIP, ZSTD, Coding
from sequence.models import CodedSegment, Segment
from sequence.store.checksum import BlockChecksums
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests import oracle

pytestmark = pytest.mark.django_db(transaction=True)

TERMS = Span(5, 1500)


def kept_files(data_dir: Path) -> set[str]:
    names = (path.name for path in (data_dir / "segments").iterdir())
    return {name for name in names if "-" in name}


def body_of(coding: Coding, terms: Span = TERMS, name: str = "text") -> bytes:
    return b"".join(stream_coded(Representation(FORMATS[name], terms), coding))


def decoded(coding: Coding, body: bytes) -> bytes:
    if coding is GZIP:
        member = zlib.decompressobj(wbits=31)
        found = member.decompress(body)
        assert member.eof
        assert not member.unused_data
        return found
    return zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()


@pytest.mark.parametrize("coding", [GZIP, ZSTD], ids=["gzip", "zstd"])
@pytest.mark.parametrize("terms", [(0, 1), (5, 1500), (0, 1500), (20, 40), (1400, 1500)])
def test_a_coded_body_is_the_text_cold_and_warm(
    data_dir: Path, coding: Coding, terms: tuple[int, int]
) -> None:
    cold = body_of(coding, Span(*terms))
    assert decoded(coding, cold) == oracle.text(*terms)
    assert body_of(coding, Span(*terms)) == cold


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_coded_in_its_own_form(data_dir: Path, name: str) -> None:
    representation = Representation(FORMATS[name], TERMS)
    body = decoded(ZSTD, body_of(ZSTD, name=name))
    assert len(body) == representation.length
    digits = b"".join(part for part in body.split() if part)
    assert oracle.terms(TERMS.stop)[-1].strip() in digits
    assert {file.split(".")[1] for file in kept_files(data_dir)} == {name}


def test_whole_segments_are_kept_and_no_others(data_dir: Path) -> None:
    body_of(ZSTD)
    plan = conf.layout()
    wholes = [n for n in plan.numbers(TERMS) if plan.terms(n).within(TERMS) == plan.terms(n)]
    assert len(wholes) > 10
    assert kept_files(data_dir) == {f"{n:08}.text.zstd-level1" for n in wholes}
    assert CodedSegment.objects.count() == len(wholes)


def test_what_is_kept_is_not_made_again(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cold = body_of(GZIP)
    monkeypatch.setattr(coded, "make", None)
    assert body_of(GZIP) == cold


def test_many_who_ask_at_once_have_it_made_once(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[str] = []
    keep = coded._keep

    def noted(name: str, *arguments: object) -> CodedSegment | None:
        published.append(name)
        return keep(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(coded, "_keep", noted)
    text = FORMATS["text"]
    with ThreadPoolExecutor(8) as pool:
        made = [
            pool.submit(in_thread, lambda: coded.soon(3, text, ZSTD).result()) for _ in range(40)
        ]
        assert len({str(future.result()) for future in made}) == 1
    assert published == ["00000003.text.zstd-level1"]


def test_building_does_not_wait_for_coding(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def wait(*_: object) -> None:
        go_on.wait(60)

    monkeypatch.setattr(coded, "_keep", wait)
    coding = [coded.soon(n, FORMATS["text"], ZSTD) for n in range(20)]
    try:
        assert build.soon(30).result(timeout=30) == Segment(number=30)
        assert not any(future.done() for future in coding)
    finally:
        go_on.set()
    assert [future.result(timeout=30) for future in coding] == [None] * 20


def test_a_row_describes_its_file(data_dir: Path) -> None:
    row = coded.soon(2, FORMATS["bfile"], GZIP).result()
    assert row is not None
    content = (data_dir / "segments" / row.name).read_bytes()
    checksums = BlockChecksums()
    checksums.update(content)
    assert (row.length_bytes, row.block_checksums) == (len(content), checksums.digest())
    plain = zlib.decompressobj(wbits=-15).decompress(content)
    assert row.crc32 == zlib.crc32(plain)
    assert plain.startswith(b"%d " % conf.layout().terms(2).start)


def test_without_room_all_is_coded_as_it_is_sent(data_dir: Path, settings: Settings) -> None:
    kept = body_of(ZSTD)
    for row in CodedSegment.objects.all():
        build.store().remove(row.name)
        row.delete()
    settings.FIBO_ENCODED_BYTES = 5 * 2048
    assert body_of(ZSTD) == kept  # byte for byte, as the strong ETag is the same
    assert CodedSegment.objects.count() >= 4
    assert CodedSegment.objects.total_bytes() <= 5 * 2048
    assert CodedSegment.objects.count() == len(kept_files(data_dir))


@pytest.mark.parametrize(
    "fault",
    [OSError(28, "No space left on device"), OperationalError("database is locked")],
    ids=["disk", "index"],
)
def test_what_cannot_be_kept_does_not_stop_the_answer(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
) -> None:
    body_of(ZSTD)

    def fail(*_: object) -> CodedSegment:
        raise fault

    monkeypatch.setattr(coded, "_keep", fail)
    assert decoded(GZIP, body_of(GZIP)) == oracle.text(*TERMS)
    assert "Keeping 00000003.text.gzip-huffman failed: " in caplog.text
    assert not {name for name in kept_files(data_dir) if "gzip" in name}


@pytest.mark.parametrize("name", ["text", "csv"])
def test_a_body_has_the_same_bytes_kept_or_not(
    data_dir: Path, settings: Settings, name: str
) -> None:
    for terms in (TERMS, Span(0, 900)):
        kept = body_of(GZIP, terms, name)
        CodedSegment.objects.all().delete()
        settings.FIBO_ENCODED_BYTES = 0
        assert body_of(GZIP, terms, name) == kept
        assert CodedSegment.objects.count() == 0
        settings.FIBO_ENCODED_BYTES = None


def test_a_kept_file_that_is_gone_is_made_again(data_dir: Path) -> None:
    body = body_of(ZSTD)
    path = data_dir / "segments" / "00000003.text.zstd-level1"
    path.unlink()
    assert body_of(ZSTD) == body
    assert path.exists()


def test_a_file_whose_row_cannot_be_written_is_removed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.build(3)

    def locked(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(CodedSegment, "save", locked)
    assert coded.make(3, FORMATS["text"], ZSTD) is None
    assert kept_files(data_dir) == set()


def test_pieces_never_end_where_a_chunk_does(data_dir: Path) -> None:
    chunks = list(stream_coded(Representation(FORMATS["text"], TERMS), ZSTD))
    ends, at = set(), 0
    for chunk in chunks[:-1]:
        at += len(chunk)
        ends.add(at)
    rest, frame_ends = b"".join(chunks), set()
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        frame.decompress(rest)
        rest = frame.unused_data
        frame_ends.add(at + len(chunks[-1]) - len(rest))
    assert len(frame_ends) > 10
    assert not ends & frame_ends


def test_a_kept_file_that_is_short_is_made_again(data_dir: Path) -> None:
    whole = body_of(ZSTD)
    path = data_dir / "segments" / "00000003.text.zstd-level1"
    path.write_bytes(path.read_bytes()[:-1])
    assert body_of(ZSTD) == whole


@pytest.mark.parametrize(
    ("encodings", "offered"),
    [(["gzip", "zstd"], [ZSTD, GZIP]), (["gzip"], [GZIP]), ([], [])],
)
def test_the_setting_says_what_is_offered(
    settings: Settings, encodings: list[str], offered: list[Coding]
) -> None:
    settings.FIBO_ENCODINGS = encodings
    assert coded.offered() == offered
