"""The hosts' network: a namespace for each, joined to a bridge that leads nowhere else."""

import os
from contextlib import suppress
from pathlib import Path

from tools.cluster.place import BRIDGE_ADDRESS, HOST_ADDRESSES, HOSTS, Failed, Place
from tools.cluster.processes import program, run

BRIDGE = "fibo0"


def namespace(host: str) -> str:
    """The name of a host's namespace."""
    return f"fibo-{host}"


def device(host: str) -> str:
    """The name of that end of a host's link which is at the bridge."""
    return f"fibo-veth-{host}"


def ip(*arguments: str) -> None:
    """Run ip(8); raise Failed."""
    run([program("ip"), *arguments], {})


def inside(host: str) -> list[str]:
    """How a command begins that root runs in a host's namespace."""
    return [program("nsenter"), f"--net=/run/netns/{namespace(host)}", "--"]


def there() -> bool:
    """Whether the namespaces are there."""
    return all(Path(f"/run/netns/{namespace(host)}").exists() for host in HOSTS)


def marker(directory: Path) -> Path:
    """The file that tells that the network is this cluster's."""
    return directory / "network"


def found(directory: Path) -> Place:
    """The cluster's place, as it was started; after a reboot no namespaces are there."""
    return Place(directory, marker(directory).exists() and there())


def joined(place: Place) -> Place:
    """Return the place, with the hosts in namespaces if possible; raise Failed."""
    if place.namespaces or os.geteuid():
        return place
    if there() and used() and not marker(place.directory).exists():
        raise Failed("Another cluster has the network; `make cluster-down` ends it.")
    try:
        up()
    except Failed as failed:
        print(f"No namespaces for the hosts, which get ports instead: {failed}", flush=True)
        down()
        return place
    marker(place.directory).touch()
    return found(place.directory)


def left(place: Place) -> None:
    """Remove the network if it is this cluster's."""
    if marker(place.directory).exists():
        down()
        marker(place.directory).unlink()


def used() -> bool:
    """Whether anything runs in the namespaces: else they are left from a directory that is gone."""
    return any(run([program("ip"), "netns", "pids", namespace(host)], {}) for host in HOSTS)


def up() -> None:
    """Make the network; raise Failed if this machine does not allow it."""
    # Half a network, as an interrupted call leaves it, is of no use.
    down()
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "add", f"{BRIDGE_ADDRESS}/24", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")
    for host in HOSTS:
        add(host)


def add(host: str) -> None:
    """Make a host's namespace, and its link to the bridge; raise Failed."""
    name, here = namespace(host), device(host)
    ip("netns", "add", name)
    ip("link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", name)
    ip("link", "set", here, "master", BRIDGE, "up")
    # There is no route out of it but to the bridge.
    ip("-n", name, "address", "add", f"{HOST_ADDRESSES[host]}/24", "dev", "eth0")
    ip("-n", name, "link", "set", "eth0", "up")
    ip("-n", name, "link", "set", "lo", "up")


def cut(host: str) -> None:
    """Take a host's link down: nothing is refused, nothing arrives."""
    ip("link", "set", device(host), "down")


def join(host: str) -> None:
    """Bring it up again."""
    ip("link", "set", device(host), "up")


def down() -> None:
    """Remove what there is of it."""
    for host in HOSTS:
        # The links go with their namespaces, but not at once: the next network would meet them.
        with suppress(Failed):
            ip("link", "delete", device(host))
        with suppress(Failed):
            ip("netns", "delete", namespace(host))
    with suppress(Failed):
        ip("link", "delete", BRIDGE)
