"""The index: PostgreSQL, for all hosts of a cluster."""

import shutil
import signal
from pathlib import Path

from tools.cluster.keys import Keys
from tools.cluster.place import BRIDGE_ADDRESS, LOOPBACK, POSTGRES_PORT, Failed, Place
from tools.cluster.postgres import OWNER, program
from tools.cluster.processes import Daemon, answers, as_user, born, directory_of, given_to, run

DATABASE = "postgres"


def url(place: Place, keys: Keys) -> str:
    """What DATABASE_URL is on a host."""
    return f"postgres://{OWNER}:{keys.postgres}@{place.engines}:{POSTGRES_PORT}/{DATABASE}"


def daemon(place: Place, keys: Keys) -> Daemon:
    """PostgreSQL as this cluster needs it."""
    directory = place.directory / "postgres"
    data = directory / "data"

    def prepare() -> None:
        directory_of(OWNER, directory)
        if not (data / "made").exists():
            create(data, keys.postgres)
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


def create(data: Path, password: str) -> None:
    """Makes the database; what was begun and not completed is made anew."""
    shutil.rmtree(data, ignore_errors=True)
    secret = data.with_name("password")
    secret.touch(mode=0o600)
    secret.write_text(password)
    given_to(OWNER, secret)
    run(
        [
            *(*as_user(OWNER), program("initdb"), "-D", str(data), "-U", OWNER, "-E", "UTF8"),
            *("--locale=C", "-A", "scram-sha-256", f"--pwfile={secret}"),
        ],
        {},
    )
    secret.unlink()
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {BRIDGE_ADDRESS}/24 scram-sha-256\n")
    (data / "made").touch()


def forget_the_dead(data: Path) -> None:
    """Removes the files that name a server which was killed: its data's, and its socket's.

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
