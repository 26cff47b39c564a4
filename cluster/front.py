"""nginx: the address that everybody asks, and the one for the object store."""

from collections.abc import Iterable

from cluster.place import (
    API_PORTS,
    FRONT_PORT,
    GATEWAY_PORTS,
    HOSTS,
    LOOPBACK,
    OBJECTS_PORT,
    Place,
    render,
)
from cluster.processes import Daemon, answers, directory_of, program

USER = "www-data"
"""The user that Debian has for web servers."""

CACHE_BYTES = "4g"
"""What the slices may take on the disk, as nginx writes it."""

LEFT_ALONE = "max_fails=1 fail_timeout=1s"
"""What nginx does with a server that failed, as it writes it."""

GATEWAY_TIMEOUT_S = 2
"""How long a gateway may be silent before the other one is asked."""


def daemon(place: Place) -> Daemon:
    """nginx as this cluster needs it."""
    directory = place.directory / "front"
    path = directory / "nginx.conf"

    def configure() -> None:
        directory_of(USER, directory)
        path.write_text(configuration(place))

    listens = [
        (address, port) for port in (FRONT_PORT, OBJECTS_PORT) for address in place.listening
    ]
    return Daemon(
        "front",
        [program("nginx"), "-e", "stderr", "-p", str(directory), "-c", str(path), "-g", FOREGROUND],
        place.directory,
        user=USER,
        listens=listens,
        prepare=configure,
        ready=lambda: answers(LOOPBACK, FRONT_PORT),
    )


FOREGROUND = "daemon off;"


def configuration(place: Place) -> str:
    """The text of nginx's configuration."""
    hosts = [f"server {place.host(name)}:{API_PORTS[name]} {LEFT_ALONE};" for name in HOSTS]
    gateways = [f"server {LOOPBACK}:{port} {LEFT_ALONE};" for port in GATEWAY_PORTS.values()]
    return render(
        "nginx.conf",
        directory=place.directory / "front",
        cache_bytes=CACHE_BYTES,
        hosts=lines(hosts),
        gateways=lines(gateways),
        front_listens=lines(f"listen {address}:{FRONT_PORT};" for address in place.listening),
        objects_listens=lines(f"listen {address}:{OBJECTS_PORT};" for address in place.listening),
        gateway_timeout_s=GATEWAY_TIMEOUT_S,
    )


def lines(directives: Iterable[str]) -> str:
    """The directives, each on a line of its own, as deep as they stand in the template."""
    return "\n".join(f"        {directive}" for directive in directives)
