"""A cluster as `make cluster` starts it, in a directory of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.support.processes import ROOT, environment
from tests.support.servers import Server
from tools.cluster import ceph, network
from tools.cluster.keys import kept
from tools.cluster.place import API_PORTS, FRONT_PORT, HOSTS, LOOPBACK, OBJECTS_PORT

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
