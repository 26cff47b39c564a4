"""The verifier that users download, as a process."""

import subprocess
import sys
import warnings
from contextlib import redirect_stdout
from decimal import localcontext
from io import StringIO
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequence.text.compute import compute_bytes
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span
from tests.support import oracle
from tests.support.processes import ROOT

SCRIPT = ROOT / "docs" / "verify_download.py"
EACH_FORMAT = pytest.mark.parametrize("format", FORMATS)


def verified(content: bytes, *arguments: str) -> tuple[int, str]:
    """The status of the script, given this on standard input, and what it says."""
    ran = subprocess.run(
        [sys.executable, "-I", SCRIPT, *arguments], input=content, capture_output=True, check=False
    )
    assert ran.returncode in (0, 1), ran.stderr
    assert b"Traceback" not in ran.stderr
    return ran.returncode, (ran.stdout + ran.stderr).decode()


def test_the_script_has_at_most_thirty_lines() -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 30


@EACH_FORMAT
@pytest.mark.parametrize(
    ("start", "count"),
    [*((0, n) for n in (1, 2, 3, 1000)), (1, 1), (1, 2), (2, 3), (5, 1), (5, 2), (700, 20)],
)
def test_a_right_download_is_accepted(format: str, start: int, count: int) -> None:
    status, said = verified(oracle.written(format, start, start + count), "-", str(start))
    assert (status, said) == (
        0,
        f"F({start}) to F({start + count - 1}) are right: {count} terms.\n",
    )


@EACH_FORMAT
def test_a_file_is_read_without_a_start(format: str, tmp_path: Path) -> None:
    file = tmp_path / "download"
    file.write_bytes(oracle.written(format, 0, 100))
    assert verified(b"", str(file)) == (0, "F(0) to F(99) are right: 100 terms.\n")
    assert verified(oracle.written(format, 0, 100))[0] == 0


@EACH_FORMAT
def test_the_last_terms_of_100_000_are_accepted(format: str) -> None:
    window = Representation(FORMATS[format], Span(99_900, 100_000))
    excerpt = window.excerpt(Span(0, window.length))
    content = b"".join(excerpt.render(compute_bytes(excerpt.text)))
    assert verified(content, "-", "99900")[0] == 0
    assert verified(content)[0] == 1


def status_of(content: bytes, file: Path, start: int = 0) -> int:
    """What the script exits with, run in this process: a new one for each would take long."""
    file.write_bytes(content)
    with (
        pytest.MonkeyPatch.context() as patch,
        localcontext(),
        redirect_stdout(StringIO()),
        warnings.catch_warnings(action="ignore", category=ResourceWarning),
    ):
        patch.setattr(sys, "argv", [str(SCRIPT), str(file), str(start)])
        try:
            run_path(str(SCRIPT))
        except SystemExit as exited:
            return 1 if isinstance(exited.code, str) else int(exited.code or 0)
    return 0


def changed(content: bytes, at: int) -> bytes:
    """With another digit there, or another byte."""
    byte = content[at]
    other = ord("0") + (byte - ord("0") + 1) % 10 if chr(byte).isdigit() else byte ^ 1
    return content[:at] + bytes([other]) + content[at + 1 :]


@EACH_FORMAT
@pytest.mark.parametrize(("start", "stop"), [(0, 14), (1, 4), (5, 7), (200, 202)])
def test_any_byte_that_is_changed_left_out_or_twice_there_is_found(
    format: str, start: int, stop: int, tmp_path: Path
) -> None:
    right = oracle.written(format, start, stop)
    file = tmp_path / "download"
    assert status_of(right, file, start) == 0
    for at in range(len(right)):
        assert status_of(changed(right, at), file, start) == 1, at
        # The same byte twice, as in "1 1 " or "55", is the same whichever is left out.
        assert status_of(right[:at] + right[at + 1 :], file, start) == 1, at
        assert status_of(right[:at] + right[at : at + 1] + right[at:], file, start) == 1, at


@EACH_FORMAT
def test_a_download_that_is_cut_short_within_a_term_is_found(format: str, tmp_path: Path) -> None:
    right, file = oracle.written(format, 0, 20), tmp_path / "download"
    ends = {len(oracle.written(format, 0, count)) for count in range(1, 21)}
    for length in range(len(right)):
        if right[:length] == b"0 ":  # of a b-file, and all of the text of one term
            continue
        assert status_of(right[:length], file) == (length not in ends), length


@EACH_FORMAT
@settings(max_examples=25)
@given(st.integers(0, 3000), st.integers(1, 60), st.data())
def test_a_digit_that_is_changed_anywhere_is_found(
    format: str, start: int, count: int, data: st.DataObject
) -> None:
    right = oracle.written(format, start, start + count)
    at = data.draw(st.integers(0, len(right) - 1))
    with TemporaryDirectory() as directory:
        file = Path(directory) / "download"
        assert status_of(right, file, start) == 0
        assert status_of(changed(right, at), file, start) == 1


@pytest.mark.parametrize(
    "content", [b"", b"n,value\r\n", b"0", b"0 ,", b"n,value\r\n0 1 1 ", b"0,0\r\n"]
)
def test_what_is_no_download_of_terms_is_refused(content: bytes) -> None:
    assert verified(content)[0] == 1


def test_terms_that_follow_from_wrong_ones_are_found() -> None:
    """Addition alone would accept the Lucas numbers."""
    assert verified(b"2 1 3 4 7 11 18 29 ")[0] == 1
    assert verified(b"13 21 34 55 ")[0] == 1
    assert verified(b"13 21 34 55 ", "-", "7")[0] == 0
