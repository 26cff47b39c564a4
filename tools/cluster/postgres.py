"""PostgreSQL: a server of a test's own, and the index of all hosts of a cluster."""

import shutil
import signal
import subprocess
from pathlib import Path

from tools.cluster.keys import Keys
from tools.cluster.place import BRIDGE_ADDRESS, LOOPBACK, POSTGRES_PORT, Failed, Place
from tools.cluster.processes import (
    Daemon,
    answers,
    as_user,
    born,
    directory_of,
    given_to,
    program,
    run,
)

OWNER = "postgres"
"""The user that Debian's package makes for it: PostgreSQL refuses to run as root. It is the name of
the database's own user, too."""


def initdb(data: Path, *options: str, rules: str = "") -> None:
    """Make an empty database, with more rules for pg_hba.conf, unless a complete one is there."""
    if (data / "made").exists():
        return
    shutil.rmtree(data, ignore_errors=True)
    directory_of(OWNER, data.parent)
    common = ("-D", str(data), "-U", OWNER, "--encoding=UTF8", "--locale=C.UTF-8")
    run([*as_user(OWNER), program("initdb"), *common, *options], {})
    with (data / "pg_hba.conf").open("a") as file:
        file.write(rules)
    (data / "made").touch()


class Postgres:
    """A server on a loopback port, whose only user, `postgres`, needs no password.

    All of it is in the directory, which its owner must be able to reach. Other processes than the
    one that started it can stop it too.
    """

    def __init__(self, directory: Path, port: int) -> None:
        self.directory, self.port = directory, port

    def create(self) -> None:
        """Make an empty database in the directory."""
        initdb(self.directory / "data", "--auth=trust", "--no-sync")

    def start(self) -> None:
        """Return when it answers; raise CalledProcessError if it does not come up."""
        # One word to PostgreSQL, which splits it again.
        options = f"-h {LOOPBACK} -p {self.port} -k {self.directory}"
        log = self.directory / "log"
        self._control("start", f"--log={log}", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        """Return when it has ended; with the mode `immediate` it ends as if it had crashed."""
        self._control("stop", f"--mode={mode}")

    def url(self, database: str = "postgres") -> str:
        """Return what DATABASE_URL is to be for a database."""
        return f"postgres://{OWNER}@{LOOPBACK}:{self.port}/{database}"

    def make(self, database: str) -> str:
        """Make an empty database of that name; return its URL."""
        self.sql(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Return what psql prints of a statement's rows, their columns parted by `|`."""
        plain = ("--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
        command = [program("psql"), *plain, f"--command={statement}", self.url(database)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def _control(self, action: str, *arguments: str) -> None:
        data = f"--pgdata={self.directory / 'data'}"
        command = [*as_user(OWNER), program("pg_ctl"), action, "--wait", data, *arguments]
        # Any other working directory may be closed to its user, and a pipe the server would hold.
        subprocess.run(command, cwd=self.directory, stdout=subprocess.DEVNULL, check=True)


def index_url(place: Place, keys: Keys) -> str:
    """Return what DATABASE_URL is on a host."""
    return f"postgres://{OWNER}:{keys.postgres}@{place.engines}:{POSTGRES_PORT}/postgres"


def index_daemon(place: Place, keys: Keys) -> Daemon:
    """Return the daemon of the hosts' index."""
    directory = place.directory / "postgres"
    data = directory / "data"

    def prepare() -> None:
        secret = directory_of(OWNER, directory) / "password"
        secret.touch(mode=0o600)
        secret.write_text(keys.postgres)
        given_to(OWNER, secret)
        rules = f"host all all {BRIDGE_ADDRESS}/24 scram-sha-256\n"
        initdb(data, "--auth=scram-sha-256", f"--pwfile={secret}", rules=rules)
        secret.unlink()
        forget_the_dead(data)

    return Daemon(
        "postgres",
        [
            *(program("postgres"), "-D", str(data), "-p", str(POSTGRES_PORT), "-k", str(directory)),
            *("-h", ",".join(place.listening)),
        ],
        place.directory,
        user=OWNER,
        work_directory=place.directory,
        listens=[(address, POSTGRES_PORT) for address in place.listening],
        prepare=prepare,
        ready=lambda: answers(LOOPBACK, POSTGRES_PORT) and accepts(directory),
        # Without waiting for its clients, who stay connected for good.
        stop_signal=signal.SIGINT,
    )


def forget_the_dead(data: Path) -> None:
    """Remove the files that name a server which was killed: its data's, and its socket's.

    PostgreSQL does so too, but takes a dead process for a living one as long as its parent has not
    asked what became of it, and does not start.
    """
    for path in (data / "postmaster.pid", *data.parent.glob(".s.PGSQL.*.lock")):
        if path.exists() and not born(int(path.read_text().split()[0])):
            path.unlink()


def accepts(directory: Path) -> bool:
    """Whether it takes connections, and is not still reading its log after a crash."""
    try:
        run([program("pg_isready"), "-q", "-h", str(directory), "-p", str(POSTGRES_PORT)], {})
    except Failed:
        return False
    return True
