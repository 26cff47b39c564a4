"""Daemons of a cluster: they outlive who starts them, and leave nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import soon
from tools.cluster.place import LOOPBACK, Failed, Place, render
from tools.cluster.processes import Daemon, born

FAMILY = "sleep 60 & sleep 60 & wait"
"""What a shell does that has two children."""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with two children."""
    daemon = Daemon("family", ["sh", "-c", FAMILY], tmp_path)
    daemon.start()
    soon(3, lambda: len(daemon._family()))
    yield daemon
    daemon.kill()


def test_a_daemon_is_found_again_and_ends_when_told(family: Daemon) -> None:
    same = Daemon(family.name, family.command, family.directory)
    pid = same.pid()
    assert pid == family.pid()
    same.start()
    assert same.pid() == pid
    same.stop()
    assert family.pid() is None


def test_children_end_with_it_also_when_they_have_outlived_it(family: Daemon) -> None:
    pid = family.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    soon(0, lambda: family.pid() or 0)
    children = family._family()
    assert len(children) == 2
    family.stop()
    assert not any(map(born, children))


def test_one_that_is_paused_can_be_stopped(family: Daemon) -> None:
    family.pause()
    family.stop()
    assert family.pid() is None


def test_a_pid_of_another_process_is_not_taken_for_it(family: Daemon, tmp_path: Path) -> None:
    (tmp_path / "run" / "other.pid").write_text(f"{family.pid()} before-the-boot/1")
    other = Daemon("other", ["true"], tmp_path)
    assert other.pid() is None
    other.kill()
    assert family.pid()


def test_one_that_ends_at_once_says_why(tmp_path: Path) -> None:
    daemon = Daemon("short", ["sh", "-c", "echo the disk is full; exit 1"], tmp_path, ready=never)
    with pytest.raises(Failed, match=r"short ended; the end of .*:\nthe disk is full"):
        daemon.start()


def test_one_that_is_never_ready_is_told_of(tmp_path: Path) -> None:
    daemon = Daemon("slow", ["sleep", "60"], tmp_path, ready=never, ready_s=0.1)
    with pytest.raises(Failed, match="slow is not ready"):
        daemon.start()
    daemon.stop()


def never() -> bool:
    """False."""
    return False


def test_nothing_is_left_unsaid_in_the_templates() -> None:
    text = render("gateway.conf", name="a", port=8895, directory="/d")
    assert "@" not in text
    assert "endpoint=127.0.0.1:8895" in text
    with pytest.raises(KeyError):
        render("gateway.conf", name="a")


def test_hosts_without_namespaces_are_all_on_loopback(tmp_path: Path) -> None:
    assert {Place(tmp_path, namespaces=False).host(name) for name in "ab"} == {LOOPBACK}
    assert len({Place(tmp_path, namespaces=True).host(name) for name in "ab"}) == 2


def test_the_command_names_what_it_does_not_know(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.cluster", "up"],
        env={"FIBO_CLUSTER_DIR": str(tmp_path / ("d" * 80))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("make cluster: FIBO_CLUSTER_DIR is ")
