"""A cluster as `make cluster` starts it, its store filled by two workers of which one is killed."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.conftest import ROOT, Server, environment
from tests.server.test_serving import LENGTH, SHA256
from tools.cluster import ceph, network
from tools.cluster.keys import kept
from tools.cluster.place import API_PORTS, FRONT_PORT, HOSTS, LOOPBACK, OBJECTS_PORT

TERMS = 100_000
SEGMENTS = 16
"""How many of them make up so many terms."""
MAX_TERMS = 110_000
"""What the hosts allow: so that there is something left that is not stored."""


class Asked(Server):
    """A server that runs already, at an address."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port

    def connect(self) -> HTTPConnection:
        """A new connection."""
        return HTTPConnection(self.address, self.port, timeout=120)

    def url(self, target: str) -> str:
        """The address of a target."""
        return f"http://{self.address}:{self.port}{target}"


class Running:
    """A cluster in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """A call of `python -m tools.cluster`, which may take a while."""
        variables = {"FIBO_CLUSTER_DIR": str(self.directory), "FIBO_MAX_SN": str(MAX_TERMS)}
        return subprocess.Popen(
            [sys.executable, "-m", "tools.cluster", *arguments],
            cwd=ROOT,
            env=environment(self.directory / "unused", **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def do(self, *arguments: str) -> str:
        """What the call printed, which must succeed."""
        with self.command(*arguments) as called:
            printed = called.communicate()[0]
        assert called.returncode == 0, printed
        return printed

    @contextmanager
    def without(self, *parts: str, fault: str = "kill", end: str = "start") -> Iterator[None]:
        """The cluster while a fault lasts, which is ended however the block ends."""
        self.do(fault, *parts)
        try:
            yield
        finally:
            self.do(end, *parts)

    @property
    def front(self) -> Asked:
        """nginx."""
        return Asked(LOOPBACK, FRONT_PORT)

    def api(self, host: str) -> Asked:
        """A host, past nginx."""
        return Asked(network.found(self.directory).host(host), API_PORTS[host])

    @property
    def apis(self) -> list[Asked]:
        """Both."""
        return [self.api(host) for host in HOSTS]

    @property
    def objects(self) -> Any:
        """A client of the object store, as the service has one."""
        keys = kept(self.directory)
        return boto3.client(
            "s3",
            endpoint_url=f"http://{LOOPBACK}:{OBJECTS_PORT}",
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            region_name=ceph.REGION,
            config=Config(
                connect_timeout=5,
                read_timeout=60,
                # For longer than it takes until a silent OSD is given up.
                retries={"mode": "standard", "total_max_attempts": 10},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def stored(self) -> list[str]:
        """The names of the segments in the object store, those of other objects left out."""
        found = self.objects.list_objects_v2(Bucket=ceph.BUCKET).get("Contents", ())
        return sorted(key for each in found if (key := each["Key"]).endswith(".txt"))


def until(true: Callable[[], bool], timeout_s: float = 60) -> None:
    """Waits until it is true."""
    deadline = monotonic() + timeout_s
    while not true():
        assert monotonic() < deadline
        sleep(0.02)


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


Injected = Callable[[str, int, str], None]


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


def hash_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
