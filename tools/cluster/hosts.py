"""The service's own processes on each host: an API, and a worker that populates."""

import os
import sys
from http.client import HTTPConnection, HTTPException

from tools.cluster import ceph, network
from tools.cluster.keys import Keys
from tools.cluster.place import (
    API_PORTS,
    BRIDGE_ADDRESS,
    HOST_ADDRESSES,
    HOSTS,
    LOOPBACK,
    ROOT,
    Place,
)
from tools.cluster.processes import Daemon, run

STORE_BYTES = 256 << 20
"""What each process stores of the text itself: the beginning, which most ask for.
So little that the object store has something to do."""


class Hosts:
    """The hosts of a cluster; they share an index, an object store and secrets, and no disk."""

    def __init__(self, place: Place, keys: Keys, index: str) -> None:
        self.place = place
        self.keys = keys
        self.index = index

    def daemons(self) -> list[Daemon]:
        """APIs and workers, in the order they start in."""
        return [*map(self._api, HOSTS), *map(self._worker, HOSTS)]

    def variables(self, name: str, data: str) -> dict[str, str]:
        """The settings of a process on a host, with a data directory of its own."""
        names = ["localhost", LOOPBACK, "[::1]", BRIDGE_ADDRESS, *HOST_ADDRESSES.values()]
        return handed_on() | {
            "FIBO_DATA_DIR": str(self.place.directory / "hosts" / data),
            "DATABASE_URL": self.index,
            "FIBO_OBJECT_STORE": f"s3://{ceph.BUCKET}/segments",
            "AWS_ENDPOINT_URL": self.place.objects,
            "AWS_ACCESS_KEY_ID": self.keys.access_key,
            "AWS_SECRET_ACCESS_KEY": self.keys.secret_key,
            "AWS_DEFAULT_REGION": ceph.REGION,
            "DJANGO_SECRET_KEY": self.keys.django,
            "DJANGO_ALLOWED_HOSTS": ",".join(names),
            "PORT": str(API_PORTS[name]),
        }

    def prefix(self, name: str) -> list[str]:
        """How the command begins of what runs on a host."""
        return network.inside(name) if self.place.namespaces else []

    def manage(self, name: str, *arguments: str) -> list[str]:
        """The command that runs manage.py on a host."""
        return [*self.prefix(name), sys.executable, str(ROOT / "manage.py"), *arguments]

    def migrate(self) -> None:
        """Bring the index's tables up to date, before any process looks at them."""
        command = self.manage(HOSTS[0], "migrate", "--verbosity=0", "--no-input")
        run(command, self.variables(HOSTS[0], f"api.{HOSTS[0]}"))

    def _api(self, name: str) -> Daemon:
        address, port = self.place.host(name), API_PORTS[name]
        return Daemon(
            f"api.{name}",
            [
                *(sys.executable, "-m", "gunicorn", "--config=fibosite/gunicorn.conf.py"),
                f"--bind={address}:{port}",
            ],
            self.place.directory,
            prefix=self.prefix(name),
            variables=self.variables(name, f"api.{name}"),
            work_directory=ROOT,
            # In a namespace nobody else can listen.
            listens=[] if self.place.namespaces else [(address, port)],
            ready=lambda: is_ready(address, port),
            # It lets streams end for as long as 90 s.
            stop_s=100,
        )

    def _worker(self, name: str) -> Daemon:
        return Daemon(
            f"worker.{name}",
            [sys.executable, "manage.py", "procrastinate", "worker"],
            self.place.directory,
            prefix=self.prefix(name),
            variables=self.variables(name, f"worker.{name}"),
            work_directory=ROOT,
            # One that cannot work ends by then.
            settles_s=2,
            # It ends the job that it is at.
            stop_s=60,
        )


def handed_on() -> dict[str, str]:
    """The settings of the service that the caller has, and those that a cluster has by itself."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("FIBO_", "WEB_CONCURRENCY")) and not name.startswith("FIBO_CLUSTER_")
    }
    return {"FIBO_STORE_BYTES": str(STORE_BYTES)} | found


def is_ready(address: str, port: int) -> bool:
    """Whether the API there can read its store and its index."""
    connection = HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
