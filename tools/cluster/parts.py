"""What a cluster consists of, in the order it starts in."""

from tools.cluster import front, postgres
from tools.cluster.ceph import Ceph
from tools.cluster.hosts import Hosts
from tools.cluster.keys import kept
from tools.cluster.place import Failed, Place
from tools.cluster.processes import Daemon


class Cluster:
    """The daemons of a cluster, and what is done between them."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.keys = kept(place.directory)
        self.ceph = Ceph(place)
        self.hosts = Hosts(place, self.keys, postgres.index_url(place, self.keys))
        # The hosts come last, as they need all others; and they end first.
        self.engines = [
            postgres.index_daemon(place, self.keys),
            *self.ceph.daemons(),
            front.daemon(place),
        ]
        self.daemons = [*self.engines, *self.hosts.daemons()]

    def named(self, name: str) -> Daemon:
        """Return the daemon of that name; raise Failed if there is none."""
        known = {daemon.name: daemon for daemon in self.daemons}
        if name not in known:
            raise Failed(f"There is no part {name!r}; there are {', '.join(known)}.")
        return known[name]
