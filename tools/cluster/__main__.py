"""`python -m tools.cluster`: starts a cluster, stops it, and breaks parts of it."""

import argparse
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from tools.cluster import network
from tools.cluster.parts import Cluster
from tools.cluster.place import FRONT, HOSTS, LONGEST_DIRECTORY, ROOT, Failed, Place
from tools.cluster.processes import Daemon, answers, environment

DIRECTORY = Path(f"/var/tmp/fibo-cluster-{os.getuid()}")  # noqa: S108
"""Where a cluster is unless FIBO_CLUSTER_DIR says otherwise; it outlives a reboot."""

ON_PARTS = {
    "start": Daemon.start,
    "stop": Daemon.stop,
    "kill": Daemon.kill,
    "pause": Daemon.pause,
    "resume": Daemon.resume,
}
ON_HOSTS = {"cut": network.cut, "join": network.join}


def main() -> None:
    """Parse, call one function, and end with a sentence if it failed."""
    options = parsed()
    try:
        place = network.found(directory())
        if options.action == "up":
            up(place)
        elif options.action == "down":
            down(place)
        elif options.action == "status":
            status(Cluster(place))
        elif options.action == "run":
            sys.exit(run(Cluster(place), options.command))
        elif options.action == "manage":
            sys.exit(run(Cluster(place), [sys.executable, "manage.py", *options.arguments]))
        elif options.action in ON_HOSTS:
            for host in options.hosts:
                ON_HOSTS[options.action](host)
        else:
            cluster = Cluster(place)
            for name in options.parts:
                ON_PARTS[options.action](cluster.named(name))
    except Failed as failed:
        sys.exit(f"make cluster: {failed}")


def parsed() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for action, what in (
        ("up", "start what does not run, and say where it answers"),
        ("down", "stop all of it; the data stays"),
        ("status", "say what runs"),
    ):
        actions.add_parser(action, help=what)
    for action in ON_PARTS:
        actions.add_parser(action, help=f"{action} parts").add_argument("parts", nargs="+")
    for action, what in (("cut", "take the links of hosts down"), ("join", "bring them up")):
        hosts = actions.add_parser(action, help=what)
        hosts.add_argument("hosts", nargs="+", choices=HOSTS)
    run = actions.add_parser("run", help="run a command on host a, with its settings")
    run.add_argument("command", nargs=argparse.REMAINDER)
    manage = actions.add_parser("manage", help="run manage.py on host a")
    manage.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args()


def directory() -> Path:
    """Return the cluster's directory, which is made if it is missing; raise Failed."""
    path = Path(os.environ.get("FIBO_CLUSTER_DIR") or DIRECTORY).resolve()
    if len(os.fsencode(path)) > LONGEST_DIRECTORY:
        raise Failed(
            f"FIBO_CLUSTER_DIR is {str(path)!r}; it must have at most {LONGEST_DIRECTORY} "
            "bytes, for the sockets below it."
        )
    # Others than its owner have to pass through: the users that root has the engines run by.
    path.mkdir(mode=0o755, parents=True, exist_ok=True)
    return path


@contextmanager
def alone(place: Place) -> Iterator[None]:
    """Wait until nobody else starts or stops this cluster."""
    with (place.directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(place: Place) -> None:
    """Start what does not run, and say where it answers; raise Failed."""
    with alone(place):
        started = monotonic()
        # So that hosts on ports of their own can be tried although namespaces are available.
        if os.environ.get("FIBO_CLUSTER_NETWORK") != "ports":
            place = network.joined(place)
        cluster = Cluster(place)
        for daemon in cluster.daemons:
            if not daemon.pid():
                # Children of one that was killed hold its ports.
                daemon.kill()
        check(cluster)
        cluster.ceph.configure()
        for daemon in cluster.engines:
            start(daemon)
        cluster.ceph.make_bucket(cluster.keys)
        cluster.hosts.migrate()
        for daemon in cluster.hosts.daemons():
            start(daemon)
        print(f"All of it runs, after {monotonic() - started:.0f} s.\n")
        status(cluster)
        print(TRY.format(front=FRONT, api=place.api(HOSTS[-1])))


def check(cluster: Cluster) -> None:
    """Raise Failed if the port of a part that does not run is taken."""
    taken = [
        f"{address}:{port} (for {daemon.name})"
        for daemon in cluster.daemons
        if not daemon.pid()
        for address, port in daemon.listens
        if answers(address, port)
    ]
    if taken:
        raise Failed(f"Somebody else listens on {', '.join(taken)}.")


def start(daemon: Daemon) -> None:
    """Start it, and say so, unless it runs."""
    if not daemon.pid():
        began = monotonic()
        print(f"  {daemon.name:<10} …", end=" ", flush=True)
        daemon.start()
        print(f"{monotonic() - began:.1f} s", flush=True)


def down(place: Place) -> None:
    """Stop all of it, from the last to the first."""
    with alone(place):
        for daemon in reversed(Cluster(place).daemons):
            if daemon.pid():
                print(f"  {daemon.name} ends", flush=True)
            daemon.stop()
        network.left(place)
        print(f"Nothing of it runs. The data stays in {place.directory}: remove it as you like.")


def status(cluster: Cluster) -> None:
    """Print what runs, and where it listens."""
    for daemon in cluster.daemons:
        pid = daemon.pid()
        where = " ".join(f"{address}:{port}" for address, port in daemon.listens)
        print(f"  {daemon.name:<10} {f'runs as {pid}' if pid else 'does not run':<16} {where}")
    how = "in namespaces of their own" if cluster.place.namespaces else "on ports of their own"
    hosts = ", ".join(f"http://{cluster.place.api(name)}" for name in HOSTS)
    print(f"\nThe front is {FRONT}; behind it, {how}, are {hosts}.")
    print(f"Data, logs and pids are below {cluster.place.directory}.")


TRY = """
To try it:
  curl '{front}/?sn=10'
  curl -s '{front}/?sn=100000' | sha256sum
  curl -r 1000000000-1000000009 'http://{api}/?sn=100000'"""


def run(cluster: Cluster, command: list[str]) -> int:
    """The exit status of a command, run on the first host with its settings."""
    host = HOSTS[0]
    variables = environment(**cluster.hosts.variables(host, f"api.{host}"))
    inside = [*cluster.hosts.prefix(host), *command]
    return subprocess.run(inside, cwd=ROOT, env=variables, check=False).returncode


if __name__ == "__main__":
    main()
