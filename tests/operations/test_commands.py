"""The commands as processes of their own."""

import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from sequence import conf
from tests.support import oracle
from tests.support.processes import ROOT, environment, manage, run

SMALL = {"FIBO_SEGMENT_BYTES": "20000"}


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    assert manage(tmp_path, "migrate", "--verbosity=0", **SMALL).returncode == 0
    return tmp_path


def text(data_dir: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((data_dir / "segments").glob("*.txt")))


def test_prepopulate_stores_reports_and_has_nothing_to_do_again(migrated: Path) -> None:
    first = manage(migrated, "prepopulate", "--upto=1000", "--workers=2", **SMALL)
    assert (first.returncode, first.stderr) == (0, "")
    *progress, closing = first.stdout.splitlines()
    assert len(progress) == 6
    assert re.fullmatch(r"segment \d, terms [\d,]+ to [\d,]+, [\d,]+ bytes \(6 of 6\)", progress[5])
    count = len(text(migrated).split())
    assert re.fullmatch(
        rf"The first 1,000 terms are stored: built {count:,} terms, {len(text(migrated)):,} bytes "
        r"in \d+\.\d\d s, [\d,]+ MB/s\.",
        closing,
    )
    assert text(migrated) == oracle.text(0, count)
    again = manage(migrated, "prepopulate", "--upto=1000", **SMALL)
    assert "built 0 terms, 0 bytes" in again.stdout


def test_prepopulate_stores_ten_thousand_terms_unless_told(migrated: Path) -> None:
    found = manage(migrated, "prepopulate", FIBO_SEGMENT_BYTES="4000000")
    assert "The first 10,000 terms are stored" in found.stdout
    found = manage(migrated, "prepopulate", FIBO_SEGMENT_BYTES="4000000", FIBO_PREPOPULATE="7")
    assert "The first 7 terms are stored" in found.stdout


def test_prepopulate_draws_a_bar_on_a_terminal(migrated: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    subprocess.run(
        [sys.executable, "manage.py", "prepopulate", "--upto=1000"],
        cwd=ROOT,
        env=environment(migrated, **SMALL),
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    os.close(theirs)
    assert "100%" in os.read(ours, 65536).decode()
    os.close(ours)


@pytest.mark.parametrize(
    ("command", "option", "allowed"),
    [
        ("prepopulate", "--upto=-1", "from 0 to 100000"),
        ("prepopulate", "--upto=100001", "from 0 to 100000"),
        ("prepopulate", "--upto=1e3", "from 0 to 100000"),
        ("prepopulate", "--workers=0", "from 1 to 1024"),
        ("verify", "--workers=0", "from 1 to 1024"),
    ],
)
def test_a_number_out_of_bounds_is_refused_in_a_sentence(
    migrated: Path, command: str, option: str, allowed: str
) -> None:
    found = manage(migrated, command, option, **SMALL)
    name, _, value = option.partition("=")
    sentence = f"{name} is '{value}'; it must be a whole number {allowed} in plain decimal digits."
    assert found.returncode == 2
    assert found.stderr.endswith(f"error: argument {name}: {sentence}\n")


def test_distributed_needs_a_database_of_all_hosts(migrated: Path) -> None:
    found = manage(migrated, "prepopulate", "--distributed", **SMALL)
    sentence = "--distributed needs DATABASE_URL: workers find their work there."
    assert (found.returncode, found.stderr) == (1, f"CommandError: {sentence}\n")


@contextmanager
def missing(index: Path) -> Iterator[None]:
    index.unlink()
    yield


@contextmanager
def overwritten(index: Path) -> Iterator[None]:
    index.write_bytes(b"none of SQLite's" * 4096)
    yield


@contextmanager
def locked(index: Path) -> Iterator[None]:
    with closing(sqlite3.connect(index, isolation_level=None)) as other:
        # In WAL mode an exclusive transaction alone lets others read.
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (missing, "(no such table: sequence_segment); manage.py migrate creates it."),
        (overwritten, "(file is not a database); manage.py verify --repair recreates it."),
        (
            locked,
            "(database is locked); another process is writing to it: try again when it is done.",
        ),
    ],
)
def test_a_command_says_what_to_do_about_the_index(
    migrated: Path, fault: Callable[[Path], AbstractContextManager[None]], said: str
) -> None:
    with fault(migrated / "index.sqlite3"):
        found = manage(migrated, "segments")
    assert found.returncode == 1
    assert found.stderr == f"CommandError: The index fails {said}\n"


def test_a_killed_prepopulate_is_completed_by_the_next(migrated: Path) -> None:
    command = [sys.executable, "manage.py", "prepopulate", "--upto=20000", "--workers=3"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(migrated, **SMALL), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for _ in range(20):
            process.stdout.readline()
        process.kill()
    complete = manage(migrated, "prepopulate", "--upto=6000", **SMALL)
    assert complete.returncode == 0, complete.stderr
    left = {path.suffix for path in (migrated / "segments").iterdir()}
    assert left == {".txt", ".json"}
    assert text(migrated).startswith(oracle.text(0, 6000))


def test_an_interrupted_prepopulate_says_how_to_go_on(migrated: Path) -> None:
    command = [sys.executable, "manage.py", "prepopulate", "--upto=60000"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(migrated, **SMALL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            # Where it met a destructor or a callback, Python has only said so: as a user would.
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
            errors = errors[errors.rindex("Stopped") :]
    assert process.returncode == 1
    assert errors == "Stopped; what is stored stays. The same command goes on from here.\n"


def test_what_a_background_job_tests_can_be_interrupted() -> None:
    handler = "import signal; print(repr(signal.getsignal(signal.SIGINT)))"
    alike = "from tests.support.processes import start_alike; start_alike()"
    for setup, expected in (("", "Handlers.SIG_IGN"), (alike, "default_int")):
        program = f"""
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell without job control does
{setup}
subprocess.run([sys.executable, "-c", {handler!r}], check=True)
"""
        command = [sys.executable, "-c", program]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert expected in found.stdout


def test_segments_prints_the_table_and_its_totals(migrated: Path) -> None:
    manage(migrated, "prepopulate", "--upto=1000", **SMALL)
    found = manage(migrated, "segments", **SMALL)
    head, *rows, totals = found.stdout.splitlines()
    assert head.split()[0] == "segment"
    assert [row.split()[0] for row in rows] == ["0", "1", "2", "3", "4", "5"]
    content = text(migrated)
    count = len(content.split())
    assert totals == (
        f"6 segments, {count:,} terms, {len(content):,} bytes, {len(content) - count:,} digits."
    )


def test_prepopulate_rebuilds_files_that_are_gone(migrated: Path) -> None:
    manage(migrated, "prepopulate", "--upto=1000", **SMALL)
    before = text(migrated)
    for path in (migrated / "segments").glob("*.txt"):
        path.unlink()
    told = manage(migrated, "segments", **SMALL)
    assert "00000005.txt: Its file is missing." in told.stdout
    assert "0 segments, 0 terms, 0 bytes, 0 digits." in told.stdout
    assert told.stdout.splitlines()[-1].startswith(
        "6 further rows are wrong or without their file: "
    )
    rebuilt = manage(migrated, "prepopulate", "--upto=1000", **SMALL)
    assert f"built {len(before.split()):,} terms, {len(before):,} bytes" in rebuilt.stdout
    assert text(migrated) == before


@pytest.mark.parametrize("command", ["prepopulate", "segments", "check", "migrate"])
def test_a_store_of_another_layout_is_refused_and_not_touched(migrated: Path, command: str) -> None:
    manage(migrated, "prepopulate", "--upto=100", **SMALL)

    def snapshot() -> dict[str, int]:
        paths = [*(migrated / "segments").iterdir(), migrated / "index.sqlite3"]
        return {path.name: path.stat().st_mtime_ns for path in paths}

    before = snapshot()
    found = manage(migrated, command, FIBO_SEGMENT_BYTES="30000")
    assert found.returncode == 1
    kept = json.dumps({"layout_version": 1, "segment_bytes": 20000})
    asked = json.dumps({"layout_version": 1, "segment_bytes": 30000})
    assert f"was made with {kept}, and the settings ask for {asked}" in found.stderr
    assert "Traceback" not in found.stderr
    assert snapshot() == before


UPTO = 13_000
"""18 MB of text: some of it beyond the least that a store may have room for."""
LARGE = {"FIBO_SEGMENT_BYTES": "200000"}


@pytest.fixture(scope="module")
def populated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store for tests that copy it."""
    data_dir = tmp_path_factory.mktemp("populated") / "data"
    data_dir.mkdir()
    assert manage(data_dir, "prepopulate", f"--upto={UPTO}", **LARGE).returncode == 0
    return data_dir


@pytest.fixture
def copied(populated: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(populated, tmp_path / "data"))


def damage(data_dir: Path) -> None:
    for path in (data_dir / "segments").glob("*.txt"):
        path.write_bytes(b"9" + path.read_bytes()[1:])


def lower(data_dir: Path) -> None:
    """What is to be pruned is chosen by the settings alone."""


def lose(data_dir: Path) -> None:
    assert manage(data_dir, "verify", **LARGE).returncode == 0
    for path in (data_dir / "segments").glob("*.txt"):
        path.unlink()
    for path in data_dir.glob("index.sqlite3*"):
        path.unlink()


WORK: dict[str, tuple[Callable[[Path], None], str]] = {
    "verify --repair": (damage, ""),
    "prune": (lower, str(conf.MIN_STORE_BYTES)),
    f"prepopulate --upto={UPTO}": (lose, ""),
}
"""What a command has to do first, and FIBO_STORE_BYTES."""

LOST = {
    "a reader that goes away": "| head -1",
    "a reader that reads nothing": "| true",
    "a full disk": "> /dev/full",
    "closed output": ">&-",
    "closed errors": "2>&-",
    "everything closed": "<&- >&- 2>&-",
    "errors on a full disk": "2> /dev/full",
    "both on a full disk": "> /dev/full 2>&1",
    "both to a reader that goes away": "2>&1 | head -1",
}
"""What may become of the output of a command."""


def in_shell(command: str, data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `manage.py` with what follows in a shell; its own exit status is printed last."""
    arguments, _, lost = command.partition("  ")
    # Unbuffered for a reader of one line: output is to fail in the midst of it. Else at the end.
    unbuffered = "-u" if "head" in lost else ""
    script = f"{sys.executable} {unbuffered} manage.py {arguments} {lost}; exit ${{PIPESTATUS[0]}}"
    return run(["bash", "-c", script], data_dir, **variables)


def assert_quiet(found: subprocess.CompletedProcess[str]) -> None:
    for noise in ("Traceback", "Exception ignored", "Error", "Broken pipe"):
        assert noise not in found.stderr


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
@pytest.mark.parametrize("work", WORK)
def test_work_goes_on_without_its_output(copied: Path, work: str, lost: str) -> None:
    before, store_bytes = WORK[work]
    before(copied)
    bounded = {"FIBO_STORE_BYTES": store_bytes} if store_bytes else {}
    found = in_shell(f"{work}  {lost}", copied, **LARGE, **bounded)
    assert found.returncode == 0, found.stderr
    assert_quiet(found)
    assert ("The output cannot be written: No space left on device." in found.stderr) == (
        lost == "> /dev/full"
    )
    again = manage(copied, *work.split(), **LARGE, **bounded)
    assert again.returncode == 0
    closing = again.stdout.splitlines()[-1]
    assert re.search(r": 0 findings\.|Deleted: 0 files|: built 0 terms", closing), again.stdout


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
@pytest.mark.parametrize("report", ["segments", "prune --dry-run", "verify"])
def test_a_report_ends_quietly_without_its_output(populated: Path, report: str, lost: str) -> None:
    bounded = {"FIBO_STORE_BYTES": str(conf.MIN_STORE_BYTES)}
    found = in_shell(f"{report}  {lost}", populated, **LARGE, **bounded)
    assert_quiet(found)
    # Who asked for it has not got it, and did not choose so.
    assert found.returncode == lost.startswith("> /dev/full")


def test_the_exit_status_of_verify_tells_of_the_rest(copied: Path) -> None:
    damage(copied)
    for lost in ("", "| head -1", ">&-"):
        found = in_shell(f"verify  {lost}", copied, **LARGE)
        assert found.returncode == 1
        assert_quiet(found)


def test_what_cannot_be_stored_or_deleted_is_told_and_the_rest_is_done(copied: Path) -> None:
    segments = copied / "segments"
    names = sorted(path.name for path in segments.glob("*.txt"))
    stuck = names[-1]
    (segments / stuck).unlink()
    (segments / stuck / "precious").mkdir(parents=True)
    bounded = LARGE | {"FIBO_STORE_BYTES": str(conf.MIN_STORE_BYTES)}
    pruned = manage(copied, "prune", **bounded)
    assert pruned.returncode == 1
    assert re.fullmatch(
        rf"CommandError: {stuck} cannot be deleted: .* is a directory that is not empty; .*\.\n",
        pruned.stderr,
    )
    left = sorted(path.name for path in segments.glob("*.txt"))
    assert (left, len(left) < len(names) / 2 + 40) == ([*left[:-1], stuck], True)
    assert pruned.stdout.endswith(" bytes.\n")
    filled = manage(copied, "prepopulate", f"--upto={UPTO}", **LARGE)
    assert filled.returncode == 1
    assert re.fullmatch(
        rf"CommandError: Segment \d+ cannot be stored: .*{stuck} .*\n", filled.stderr
    )
    assert sorted(path.name for path in segments.glob("*.txt")) == names


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file": (Path.touch, "is a file; it must be a directory: move it away"),
    "a disk that is not mounted": (
        lambda path: path.symlink_to("/nowhere"),
        "is a link to /nowhere, which is no directory; it must be a directory: mount its disk",
    ),
}


@pytest.mark.parametrize(("make", "why"), UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize(
    "command", ["prepopulate", "segments", "verify", "verify --repair", "prune", "check", "migrate"]
)
def test_what_is_no_directory_of_segments_is_told_in_a_sentence(
    tmp_path: Path, command: str, make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "segments")
    found = manage(tmp_path, *command.split())
    assert found.returncode == 1
    assert f"{tmp_path / 'segments'} {why}" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(("make", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_server_tells_it_too_and_does_not_start(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "segments")
    config = ("--config=fibosite/gunicorn.conf.py", "--bind=127.0.0.1:0")
    found = run([sys.executable, "-m", "gunicorn", *config], tmp_path)
    assert found.returncode != 0
    assert f"{tmp_path / 'segments'} {why}" in found.stderr
    assert "Traceback" not in found.stderr


def test_eight_prepopulates_at_once_build_each_segment_once(migrated: Path) -> None:
    command = [sys.executable, "manage.py", "prepopulate", "--upto=2000", "--workers=2"]
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment(migrated, **SMALL), stdout=subprocess.PIPE
        )
        for _ in range(8)
    ]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert text(migrated).startswith(oracle.text(0, 2000))
    assert {path.suffix for path in (migrated / "segments").iterdir()} == {".txt", ".json"}
