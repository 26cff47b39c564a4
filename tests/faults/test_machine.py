"""A machine that has less than usual: no executable memory, no room in memory, nowhere to write."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from secrets import token_urlsafe

import pytest

from tests.support import oracle
from tests.support.processes import run
from tests.support.servers import Serve, sha256_of

TERMS = 8000
TARGET = f"/?sn={TERMS}"
SHA256 = hashlib.sha256(oracle.text(0, TERMS)).hexdigest()

WITHOUT_EXECUTABLE_MEMORY = (
    *(sys.executable, "-c"),
    "import ctypes, os, sys\n"
    "assert not ctypes.CDLL(None).prctl(65, 1, 0, 0, 0), 'PR_SET_MDWE needs Linux 6.3'\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
)

# The mounts are those of the process alone, and go with it.
IN_MOUNTS = ("unshare", "--mount", "--propagation=private", "sh", "-ec")
FULL_MEMORY = """
mount -t tmpfs -o size=16k none /dev/shm
cat /dev/zero >/dev/shm/full 2>&- || true
exec "$@"
"""
READ_ONLY = """
mount --bind "$FIBO_DATA_DIR" /mnt
export FIBO_DATA_DIR=/mnt
mount -t tmpfs -o ro none /dev/shm
mount --bind "$PWD" "$PWD"
mount -o remount,bind,ro "$PWD"
mount --bind /tmp /tmp
mount -o remount,bind,ro /tmp
cd "$PWD"
mount -o remount,bind,ro /
exec "$@"
"""
NOTHING_WRITABLE = READ_ONLY.replace("exec", "mount -o remount,bind,ro /mnt\nexec")

on_hosts_with_little_to_write_to = pytest.mark.parametrize(
    "mounts", [FULL_MEMORY, READ_ONLY], ids=["full memory", "read-only root"]
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def command(
    data_dir: Path, before: tuple[str, ...], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """What `manage.py` printed and returned on such a machine."""
    small = {"FIBO_SEGMENT_BYTES": "500000", "FIBO_STORE_BYTES": "16777216"}
    return run([*before, sys.executable, "manage.py", *arguments], data_dir, **small)


def test_commands_and_answers_are_right_without_executable_memory(
    serve: Serve, tmp_path: Path
) -> None:
    for arguments in (["prepopulate", "--upto=3000"], ["verify", "--repair"], ["segments"]):
        found = command(tmp_path, WITHOUT_EXECUTABLE_MEMORY, *arguments)
        assert found.returncode == 0, found.stderr
    server = serve(*WITHOUT_EXECUTABLE_MEMORY, FIBO_SEGMENT_BYTES="500000", WEB_CONCURRENCY="1")
    assert [sha256_of(server, TARGET) for _ in range(2)] == [SHA256] * 2
    log = server.log.read_text()
    assert log.count("The text is computed by decimal, which is slower: ") == 1
    assert "was sent SIG" not in log


@pytest.mark.drill
@as_root
@on_hosts_with_little_to_write_to
def test_a_host_with_little_to_write_to_serves_and_counts(serve: Serve, mounts: str) -> None:
    server = serve(*IN_MOUNTS, mounts, "sh", FIBO_SEGMENT_BYTES="500000")
    for _ in range(40):
        assert server.get("/?sn=10")[0] == 200
        assert server.get("/nowhere")[0] == 404
    assert sha256_of(server, TARGET) == SHA256
    series = b'fibo_requests_total{code="%d",format="%b",method="GET"} %d.0'
    page = server.get("/metrics")[2]
    assert series % (200, b"text", 41) in page
    assert series % (404, b"none", 40) in page
    assert server.stop() == 0
    log = server.log.read_text()
    assert "was sent SIG" not in log
    assert "Traceback" not in log


@pytest.mark.drill
@as_root
@on_hosts_with_little_to_write_to
def test_every_command_does_on_a_host_with_little_to_write_to(tmp_path: Path, mounts: str) -> None:
    before = (*IN_MOUNTS, mounts, "sh")
    for arguments in (
        *(["migrate"], ["prepopulate", "--upto=8000"], ["segments"], ["verify", "--repair"]),
        ["prune"],
    ):
        found = command(tmp_path, before, *arguments)
        assert found.returncode == 0, found.stderr
    (tmp_path / "segments" / "00000999.txt").write_bytes(b"x")
    assert "Deleted: 1 files" in command(tmp_path, before, "prune").stdout
    assert {path.name for path in tmp_path.iterdir()} >= {"index.sqlite3", "segments"}
    assert not [*tmp_path.glob("tmp*"), *tmp_path.glob("etilqs*"), *tmp_path.glob("wgunicorn*")]


@pytest.mark.drill
@as_root
def test_a_host_with_nothing_to_write_to_says_what_to_set(tmp_path: Path) -> None:
    gunicorn = (sys.executable, "-m", "gunicorn", "--config=fibosite/gunicorn.conf.py")
    found = run(
        [*IN_MOUNTS, NOTHING_WRITABLE, "sh", *gunicorn, "--bind=127.0.0.1:0"],
        tmp_path,
        DJANGO_SECRET_KEY=token_urlsafe(64),
    )
    assert found.returncode == 1
    assert found.stderr == (
        "No directory can be written to, and workers need one: set TMPDIR to one that can be.\n"
    )
