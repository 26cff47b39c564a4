"""The object store: Ceph, with two gateways that speak S3, and a bucket on it."""

import json
import shutil
import uuid
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tools.cluster.keys import Keys
from tools.cluster.place import (
    CEPH_PORTS,
    GATEWAY_PORTS,
    GATEWAYS,
    LOOPBACK,
    MON_PORTS,
    Failed,
    Place,
    render,
)
from tools.cluster.processes import Daemon, always, as_user, directory_of, program, run

USER = "ceph"
"""The user that Debian's package makes for it."""

OSDS = (0, 1, 2)
OSD_BYTES = 6 << 30
BUCKET = "fibo"


class Ceph:
    """A Ceph of its own below the cluster's directory."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.directory = place.directory / "ceph"
        self.variables = {"CEPH_CONF": str(self.directory / "ceph.conf")}
        self.fsid = uuid.uuid5(uuid.NAMESPACE_URL, f"file://{self.directory}")

    def daemons(self) -> list[Daemon]:
        """All of them, in the order they start in."""
        return [
            self._daemon("mon", ["ceph-mon", "-i", "a"], self._make_mon, self._answers, MON_PORTS),
            # Objects are stored without it: nobody waits until it is ready.
            self._daemon("mgr", ["ceph-mgr", "-i", "a"], self._make_mgr, always),
            *(
                self._daemon(
                    f"osd.{number}",
                    ["ceph-osd", "-i", str(number)],
                    partial(self._make_osd, number),
                    partial(self._is_up, number),
                )
                for number in OSDS
            ),
            *(
                self._daemon(
                    f"gateway.{name}",
                    ["radosgw", "-n", f"client.rgw.{name}"],
                    partial(self._make_gateway, name),
                    partial(speaks_http, GATEWAY_PORTS[name]),
                    (GATEWAY_PORTS[name],),
                )
                for name in GATEWAYS
            ),
        ]

    def _daemon(
        self,
        name: str,
        command: list[str],
        prepare: Callable[[], None],
        ready: Callable[[], bool],
        ports: tuple[int, ...] = (),
    ) -> Daemon:
        """A daemon of Ceph; `-f` keeps it in the foreground."""
        return Daemon(
            name,
            [program(command[0]), *command[1:], "-f"],
            self.place.directory,
            user=USER,
            variables=self.variables,
            work_directory=self.place.directory,
            listens=[(LOOPBACK, port) for port in ports],
            prepare=prepare,
            ready=ready,
            # An OSD that was killed reads its log again.
            ready_s=90,
            stop_s=60,
        )

    def configure(self) -> None:
        """Write its configuration."""
        for path in (self.directory, self.directory / "log", self.directory / "crash"):
            directory_of(USER, path)
        gateways = (
            render("gateway.conf", name=name, port=GATEWAY_PORTS[name], directory=self.directory)
            for name in GATEWAYS
        )
        text = render(
            "ceph.conf",
            fsid=self.fsid,
            directory=self.directory,
            mon_v2=MON_PORTS[0],
            mon_v1=MON_PORTS[1],
            port_min=CEPH_PORTS[0],
            port_max=CEPH_PORTS[1],
            osd_bytes=OSD_BYTES,
            gateways="\n".join(gateways),
        )
        (self.directory / "ceph.conf").write_text(text)

    def run(self, name: str, *arguments: str, given: str = "") -> str:
        """What one of Ceph's commands printed that was given a text; raise Failed."""
        return run([*as_user(USER), program(name), *arguments], self.variables, given)

    def ceph(self, *arguments: str, given: str = "") -> str:
        """Return what `ceph` printed; raise Failed, also if the monitor does not answer."""
        return self.run("ceph", "--connect-timeout", "5", *arguments, given=given)

    def _new(self, name: str) -> Path | None:
        """Return a new data directory for a daemon, or None if one was completed before.

        What was begun and not completed holds nothing yet, and is begun again.
        """
        path = self.directory / name
        if self._made(name).exists():
            return None
        shutil.rmtree(path, ignore_errors=True)
        return directory_of(USER, path)

    def _made(self, name: str) -> Path:
        """The file that tells that a daemon's directory is complete."""
        return self.directory / f"{name}.made"

    def _keyring(self, name: str, *capabilities: str) -> None:
        """Have the monitor make a key with these capabilities, unless it has, and keep it."""
        path = self.directory / f"{name}.keyring"
        self.ceph("auth", "get-or-create", name, *capabilities, "-o", str(path))

    def _make_mon(self) -> None:
        self.configure()
        if not self._new("mon.a"):
            return
        own, admin = (str(self.directory / f"{name}.keyring") for name in ("mon", "client.admin"))
        tool = partial(self.run, "ceph-authtool")
        tool("--create-keyring", own, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        everything = [word for part in ("mon", "osd", "mgr") for word in ("--cap", part, "allow *")]
        tool("--create-keyring", admin, "--gen-key", "-n", "client.admin", *everything)
        tool(own, "--import-keyring", admin)
        monmap = str(self.directory / "monmap")
        addresses = ",".join(
            f"v{version}:{LOOPBACK}:{port}" for version, port in zip((2, 1), MON_PORTS, strict=True)
        )
        self.run(
            *("monmaptool", "--create", "--clobber", "--fsid", str(self.fsid)),
            *("--addv", "a", f"[{addresses}]", monmap),
        )
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", own)
        self._made("mon.a").touch()

    def _make_mgr(self) -> None:
        if self._new("mgr.a"):
            self._keyring("mgr.a", "mon", "allow profile mgr", "osd", "allow *")
            self._made("mgr.a").touch()

    def _make_osd(self, number: int) -> None:
        name = f"osd.{number}"
        if not self._new(name):
            return
        # The same for the same OSD: the monitor takes it for the one that it may know already.
        own = str(uuid.uuid5(self.fsid, name))
        keyring = self.directory / f"{name}.keyring"
        if not keyring.exists():
            self.run("ceph-authtool", "--create-keyring", str(keyring), "--gen-key", "-n", name)
        key = self.run("ceph-authtool", str(keyring), "-n", name, "--print-key").strip()
        self.ceph(
            "osd", "new", own, str(number), "-i", "-", given=json.dumps({"cephx_secret": key})
        )
        self.run("ceph-osd", "--mkfs", "-i", str(number), "--osd-uuid", own)
        self._made(name).touch()

    def _make_gateway(self, name: str) -> None:
        if self._new(f"rgw.{name}"):
            self._keyring(f"client.rgw.{name}", "mon", "allow rw", "osd", "allow rwx")
            self._made(f"rgw.{name}").touch()

    def _answers(self) -> bool:
        try:
            self.ceph("-s")
        except Failed:
            return False
        return True

    def _is_up(self, number: int) -> bool:
        return bool(json.loads(self.ceph("osd", "info", str(number), "-f", "json"))["up"])

    def make_bucket(self, keys: Keys) -> None:
        """Make the account of the service, and its bucket; raise Failed."""
        if self._made("bucket").exists():
            return
        named = ("--uid=fibo", "--display-name=FiboService", f"--access-key={keys.access_key}")
        if '"fibo"' not in self.run("radosgw-admin", "user", "list"):
            self.run("radosgw-admin", "user", "create", *named, f"--secret-key={keys.secret_key}")
        create_bucket(f"http://{LOOPBACK}:{GATEWAY_PORTS[GATEWAYS[0]]}", keys)
        self._made("bucket").touch()


def create_bucket(address: str, keys: Keys) -> None:
    """Make the bucket, unless it is there."""
    # Here, as all that `make cluster` does but this is done without it.
    import boto3
    from botocore.config import Config

    boto3.client(
        "s3",
        endpoint_url=address,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=60),
    ).create_bucket(Bucket=BUCKET)


REGION = "us-east-1"
"""The gateways do not look at it; the signatures must name one."""


def speaks_http(port: int) -> bool:
    """Whether an HTTP server answers on the port."""
    connection = HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True
