"""All processes of a host know of the job that an operator started, as long as it lives."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.utils.timezone import now

from sequence.operations import jobs
from tests.support.processes import ROOT
from tests.support.waiting import until

PROGRAM = """
import django, time
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from sequence.operations import jobs
for database in ("default", "accounts"):
    call_command("migrate", database=database, verbosity=0)
def work(run):
    for item in run.counted(range(10**6), 10**6):
        time.sleep(0.01)
    return jobs.Outcome(30, "Stopped.")
user = User.objects.create_user("ann")
print(jobs.submit(user.pk, "it", "Doing it.", work).result())
"""


@pytest.fixture
def process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process of the host, with a job that runs."""
    environment = {"DJANGO_SETTINGS_MODULE": "fibosite.settings", "FIBO_DATA_DIR": str(data_dir)}
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: (found := jobs.progress()) is not None and found.done > 3)
    yield started
    started.kill()
    started.wait()


def test_a_job_of_a_process_that_is_killed_does_not_seem_to_run(
    process: subprocess.Popen[str],
) -> None:
    found = jobs.progress()
    assert found
    assert 3 < found.done < found.total == 10**6
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert jobs.progress() is None


def test_a_job_is_stopped_by_another_process(process: subprocess.Popen[str]) -> None:
    jobs.stop()
    found = jobs.progress()
    assert found is None or found.is_stopping
    assert process.communicate(timeout=60)[0] == "Outcome(level=30, sentence='Stopped.')\n"
    assert jobs.progress() is None


def test_nothing_is_to_be_stopped_if_nothing_runs(data_dir: Path) -> None:
    jobs.stop()
    assert list(data_dir.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"1 2 3", b"x" * 64])
def test_a_file_that_nobody_holds_is_no_job(data_dir: Path, content: bytes) -> None:
    (data_dir / "job.lock").write_bytes(content)
    assert jobs.progress() is None


@pytest.mark.parametrize(
    ("elapsed_s", "done", "total", "left"),
    [
        (10, 0, 4, ""),
        (10, 1, 4, "30 s"),
        (10, 4, 4, "0 s"),
        (90, 1, 3, "3 min"),
        (3600, 1, 6, "5 h"),
    ],
)
def test_what_is_left_takes_as_long_as_what_is_done(
    elapsed_s: int, done: int, total: int, left: str
) -> None:
    # A little less, as time goes on.
    entry = LogEntry(action_time=now() - timedelta(seconds=elapsed_s - 0.01))
    assert jobs.left(entry, jobs.Progress(1, done, total, is_stopping=False)) == left
