"""nginx: the address that everybody asks, and the one for the object store."""

from collections.abc import Iterable

from tools.cluster.place import (
    API_PORTS,
    FRONT_PORT,
    GATEWAY_PORTS,
    HOSTS,
    LOOPBACK,
    OBJECTS_PORT,
    Place,
    render,
)
from tools.cluster.processes import Daemon, answers, directory_of, program

USER = "www-data"
"""The user that Debian has for web servers."""

LEFT_ALONE_S = 2
"""For how long a host that failed is not asked. A gateway for half as long: hosts wait for it."""

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
    hosts = [server(place.host(name), API_PORTS[name], LEFT_ALONE_S) for name in HOSTS]
    gateways = [server(LOOPBACK, port, LEFT_ALONE_S // 2) for port in GATEWAY_PORTS.values()]
    return render(
        "nginx.conf",
        directory=place.directory / "front",
        hosts=lines(hosts),
        gateways=lines(gateways),
        front_listens=lines(f"listen {address}:{FRONT_PORT};" for address in place.listening),
        objects_listens=lines(f"listen {address}:{OBJECTS_PORT};" for address in place.listening),
        gateway_timeout_s=GATEWAY_TIMEOUT_S,
    )


def server(address: str, port: int, left_alone_s: int) -> str:
    """A server of an upstream, as nginx writes it."""
    return f"server {address}:{port} max_fails=1 fail_timeout={left_alone_s}s;"


def lines(directives: Iterable[str]) -> str:
    """The directives, each on a line of its own, as deep as they stand in the template."""
    return "\n".join(f"        {directive}" for directive in directives)
