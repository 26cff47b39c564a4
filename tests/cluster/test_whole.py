"""The cluster as a whole: stopped and started again it has its data, and all of it is right."""

from pathlib import Path

import psutil
import pytest

from tests.support.cluster import Running
from tests.support.faults import Injected
from tests.support.reference import SHA256, TERMS
from tests.support.servers import sha256_of
from tools.cluster import network

pytestmark = pytest.mark.cluster


def processes_of(cluster: Running) -> list[str]:
    """The processes that have to do with the cluster's directory, by their commands."""
    name = str(cluster.directory)
    return [
        " ".join(command)
        for process in psutil.process_iter(["cmdline", "environ"])
        if name in " ".join(command := process.info["cmdline"] or [])
        or name in " ".join((process.info["environ"] or {}).values())
    ]


def test_down_leaves_nothing_running_and_up_brings_all_of_it_back(
    cluster: Running, reference: Path, injected: Injected
) -> None:
    stored = cluster.stored()
    assert len(processes_of(cluster)) >= 13
    cluster.do("down")
    assert processes_of(cluster) == []
    assert not network.there()
    cluster.do("up")
    assert cluster.stored() == stored
    assert sha256_of(cluster.api("b"), f"/?sn={TERMS}") == SHA256
    injected("all of it stopped, and started again", 1, "the same hash")


def test_everything_may_be_killed_at_once(
    cluster: Running, reference: Path, injected: Injected
) -> None:
    stored = cluster.stored()
    names = [line.split()[0] for line in cluster.do("status").splitlines() if " runs as " in line]
    assert len(names) == 13
    cluster.do("kill", *names)
    cluster.do("up")
    assert cluster.stored() == stored
    assert sha256_of(cluster.api("a"), f"/?sn={TERMS}") == SHA256
    injected("all of it killed, and started again", 1, "the same hash")


def test_verify_finds_nothing(cluster: Running, reference: Path) -> None:
    assert "wrong" not in cluster.do("manage", "verify")
