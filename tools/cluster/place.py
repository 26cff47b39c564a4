"""Where a cluster is: its directory, its addresses and its ports."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
"""The repository."""

LOOPBACK = "127.0.0.1"

HOSTS = ("a", "b")
"""The names of the hosts: each has an API, and a worker that populates."""
GATEWAYS = ("a", "b")
"""The names of the object store's gateways."""

# One block of ports, below those that the kernel gives to clients (32,768 and up).
FRONT_PORT = 8890
API_PORTS = {"a": 8891, "b": 8892}
OBJECTS_PORT = 8893
POSTGRES_PORT = 8894
GATEWAY_PORTS = {"a": 8895, "b": 8896}
MON_PORTS = (8897, 8898)
# Ceph's other daemons take some of these, four each, and others when they start again.
CEPH_PORTS = (8900, 8959)

# Private addresses (RFC 1918) of a network that does not leave the machine.
BRIDGE_ADDRESS = "10.87.0.1"
HOST_ADDRESSES = {"a": "10.87.0.2", "b": "10.87.0.3"}

LONGEST_DIRECTORY = 70
"""How many bytes the directory's name may have: a socket's may have 107, and lies below it."""


class Failed(Exception):
    """What the cluster could not do, in a sentence."""


@dataclass(frozen=True)
class Place:
    """A cluster's directory, and whether its hosts have namespaces of their own on the network."""

    directory: Path
    namespaces: bool

    @property
    def listening(self) -> list[str]:
        """The addresses that the hosts' engines listen on."""
        return [LOOPBACK, BRIDGE_ADDRESS] if self.namespaces else [LOOPBACK]

    @property
    def engines(self) -> str:
        """The address by which a host reaches the engines."""
        return self.listening[-1]

    @property
    def objects(self) -> str:
        """Where a host reaches the object store."""
        return f"http://{self.engines}:{OBJECTS_PORT}"

    def host(self, name: str) -> str:
        """The address of a host."""
        return HOST_ADDRESSES[name] if self.namespaces else LOOPBACK

    def api(self, name: str) -> str:
        """Address and port of a host's API."""
        return f"{self.host(name)}:{API_PORTS[name]}"


FRONT = f"http://{LOOPBACK}:{FRONT_PORT}"
"""Where everybody asks."""


def render(name: str, /, **values: object) -> str:
    """Return the text of a template of this package, each `@name@` in it replaced by its value."""
    text = (Path(__file__).parent / name).read_text()
    return re.sub(r"@(\w+)@", lambda found: str(values[found[1]]), text)
