"""A PostgreSQL in a directory of its own."""

import os
import shutil
import subprocess
from pathlib import Path

OWNER = "postgres"
"""Whom it runs as where root starts it, which PostgreSQL refuses to run as: Debian's package makes
this user."""

PACKAGED = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs, by version; they are not on the PATH."""


class Postgres:
    """A server on a loopback port, whose only user, `postgres`, needs no password.

    All of it is in the directory, which its owner must be able to reach. Other processes than the
    one that started it can stop it too.
    """

    user = "postgres"

    def __init__(self, directory: Path, port: int, host: str = "127.0.0.1") -> None:
        self.directory, self.port, self.host = directory, port, host
        self.log = directory / "log"
        self._data = directory / "data"

    def create(self) -> None:
        """Makes the directory, with an empty database in it; not where there is one already."""
        if (self._data / "PG_VERSION").exists():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            shutil.chown(self.directory, OWNER, OWNER)
        how = ("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        self._run("initdb", f"--username={self.user}", *how)

    def start(self) -> None:
        """Returns when it answers; raises CalledProcessError where it does not come up."""
        # One word to PostgreSQL, which splits it again.
        options = f"-h {self.host} -p {self.port} -k {self.directory}"
        self._run("pg_ctl", "start", "--wait", f"--log={self.log}", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        """Returns when it has ended; with the mode `immediate` it ends as if it had crashed."""
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def url(self, database: str = "postgres") -> str:
        """What DATABASE_URL is to be for a database."""
        return f"postgres://{self.user}@{self.host}:{self.port}/{database}"

    def make(self, database: str) -> str:
        """The URL of a database of that name, made empty."""
        self.sql(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints of a statement's rows, their columns parted by `|`."""
        plain = ("--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
        command = [program("psql"), *plain, f"--command={statement}", self.url(database)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def _run(self, name: str, *arguments: str) -> None:
        command = [program(name), f"--pgdata={self._data}", *arguments]
        if os.getuid() == 0:
            who = (f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups")
            command = ["setpriv", *who, "--", *command]
        # Any other working directory may be closed to its user, and a pipe the server would hold.
        subprocess.run(command, cwd=self.directory, stdout=subprocess.DEVNULL, check=True)


def program(name: str) -> str:
    """The path of one of its programs, of the newest version that is there."""
    if found := shutil.which(name):
        return found
    versions = (path for path in PACKAGED.glob("*") if path.name.isdigit())
    for version in sorted(versions, key=lambda path: int(path.name), reverse=True):
        if (version / "bin" / name).exists():
            return str(version / "bin" / name)
    raise FileNotFoundError(f"{name} is missing: install Debian's package postgresql.")
