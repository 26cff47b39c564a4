"""A cluster as `make cluster` starts it, its store filled by two workers of which one is killed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.support.cluster import Running
from tests.support.reference import LENGTH, SHA256, TERMS, hash_of
from tests.support.waiting import until


@pytest.fixture(scope="session")
def cluster() -> Iterator[Running]:
    """A cluster without any term stored, ended when the tests have."""
    # Below /tmp pytest's directories are root's alone, and the engines are run by others.
    directory = Path(mkdtemp(prefix="fibo-cluster-test-", dir="/var/tmp"))
    directory.chmod(0o755)
    running = Running(directory)
    try:
        running.do("up")
        yield running
    finally:
        running.do("down")
        # Its logs tell what went wrong, where something did.
        if not os.environ.get("FIBO_CLUSTER_KEEP"):
            shutil.rmtree(directory)


@pytest.fixture(scope="session")
def populated(cluster: Running) -> Running:
    """The cluster with its first 100,000 terms stored, by two workers of which one was killed."""
    with cluster.command("manage", "prepopulate", "--distributed", f"--upto={TERMS}") as populate:
        # In the middle: some are there, and the worker is at another one.
        until(lambda: len(cluster.stored()) >= 2 or populate.poll() is not None)
        assert populate.poll() is None, populate.communicate()[0]
        with cluster.without("worker.a"):
            printed = populate.communicate(timeout=240)[0]
    assert populate.returncode == 0, printed
    return cluster


@pytest.fixture(scope="session")
def reference(populated: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The text of 100,000 terms in a file, known to be right; it came through the front, cold."""
    path = tmp_path_factory.mktemp("reference") / "text"
    curl = ["curl", "-sSf", "-o", str(path)]
    subprocess.run([*curl, populated.front.url(f"/?sn={TERMS}")], check=True)
    assert path.stat().st_size == LENGTH
    assert hash_of(path) == SHA256
    return path
