"""Daemons in the background: started, found again by their pids, and ended."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from tools.cluster.place import Failed

POSTGRESQL = sorted(
    Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda path: -float(path.parent.name)
)
PATH = ":".join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *map(str, POSTGRESQL)])
"""Where programs are looked for: Debian keeps daemons off the path of those who are not root, and
PostgreSQL, the newest version first, off that of all."""

OURS = ("FIBO_", "DJANGO_", "AWS_", "PG", "CEPH_", "PORT", "WEB_CONCURRENCY", "DATABASE_URL")
"""How the variables begin that a daemon is not to inherit from whoever starts it."""


def program(name: str) -> str:
    """Return the path of a program; raise Failed if it is missing."""
    if found := shutil.which(name, path=PATH):
        return found
    raise Failed(f"{name} is not installed; `make cluster` as root installs what is missing.")


def environment(**variables: str) -> dict[str, str]:
    """The environment of whoever calls, but for settings of the service, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"PATH": PATH} | variables


def as_user(user: str) -> list[str]:
    """Return the prefix that has a user run a command for root; empty if the caller is not root."""
    if os.geteuid():
        return []
    named = f"--reuid={user}", f"--regid={account(user).pw_gid}", "--init-groups"
    return [program("setpriv"), *named, "--"]


def account(user: str) -> pwd.struct_passwd:
    """Return the user; raise Failed if there is none."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise Failed(f"There is no user {user}; its Debian package makes it.") from None


def directory_of(user: str, path: Path) -> Path:
    """Make the directory, the user's own if root does it, unless it is there; return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    given_to(user, path)
    return path


def given_to(user: str, path: Path) -> None:
    """Make it that user's own if root does it."""
    if not os.geteuid():
        found = account(user)
        os.chown(path, found.pw_uid, found.pw_gid)


def run(
    command: list[str], variables: Mapping[str, str], given: str = "", timeout_s: float = 120
) -> str:
    """What a command printed that was given a text; raise Failed with what it complained of."""
    try:
        return subprocess.run(
            command,
            env=environment(**variables),
            input=given,
            capture_output=True,
            text=True,
            check=True,
            timeout=timeout_s,
        ).stdout
    except subprocess.CalledProcessError as error:
        raise Failed(f"{' '.join(command)} failed: {error.stderr.strip()}") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)} took more than {timeout_s} s.") from None


def until(true: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it came true in time."""
    deadline = monotonic() + timeout_s
    while not true():
        if monotonic() > deadline:
            return False
        sleep(0.1)
    return True


def answers(address: str, port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as client:
        client.settimeout(2)
        return not client.connect_ex((address, port))


def always() -> bool:
    """True: of a daemon that nobody waits for."""
    return True


@dataclass(frozen=True)
class Daemon:
    """A program that stays in the foreground, kept in the background."""

    name: str
    command: list[str]
    directory: Path
    """The cluster's: `run/` in it has the pids, `log/` what the daemons print."""
    user: str = ""
    """The user that root has it run by; root itself if empty."""
    prefix: list[str] = field(default_factory=list)
    """How the command begins that puts it into a namespace, which only root can."""
    variables: Mapping[str, str] = field(default_factory=dict)
    work_directory: Path = Path("/")
    listens: list[tuple[str, int]] = field(default_factory=list)
    """Addresses and ports that must be free before it starts."""
    prepare: Callable[[], object] = always
    """What is to be done before it starts; it may have been done already."""
    ready: Callable[[], bool] = always
    ready_s: float = 60
    settles_s: float = 0
    """How long it must have run to be believed, if it does not tell that it is ready."""
    stop_s: float = 30
    """How long it may take to end."""
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.directory / "log" / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.directory / "run" / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Return the process id, or None if it does not run."""
        with suppress(FileNotFoundError, ValueError):
            pid, since = self._pid_file.read_text().split()
            # A pid alone may by now be that of another process, or of one before a reboot.
            if born(int(pid)) == since:
                return int(pid)
        return None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it is ready; raise Failed."""
        since = float("-inf")
        if not self.pid():
            self.prepare()
            self._launch()
            since = monotonic()

        def decided() -> bool:
            settled = monotonic() - since >= self.settles_s
            return not self.pid() or (settled and self.ready())

        if not until(decided, self.ready_s) or not self.pid():
            what = "is not ready" if self.pid() else "ended"
            raise Failed(f"{self.name} {what}; the end of {self.log}:\n{tail(self.log)}")

    def _launch(self) -> None:
        for path in (self.log, self._pid_file):
            path.parent.mkdir(exist_ok=True)
        user = as_user(self.user) if self.user else []
        with self.log.open("ab") as log:
            # A session of its own: what the caller's terminal sends does not reach it, and its
            # children can be told from others.
            process = subprocess.Popen(
                [*self.prefix, *user, *self.command],
                cwd=self.work_directory,
                env=environment(**self.variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{process.pid} {born(process.pid)}")
        # It outlives this process: nobody is to wait for it, or to be warned that nobody does.
        process.returncode = 0

    def stop(self) -> None:
        """Have it end, and wait until it has; kill what does not end in time."""
        if pid := self.pid():
            for number in (self.stop_signal, signal.SIGCONT):
                # One that is paused would else never see the first.
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        if not until(lambda: not self.pid(), self.stop_s):
            print(f"{self.name} did not end within {self.stop_s:.0f} s, and is killed.", flush=True)
        # And children that it left behind, as nobody else would tell them to end.
        self.kill()
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill it and its children, as a power cut would, and wait until they are gone."""
        family = self._family()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not until(lambda: not any(map(born, family)), 30):
            raise Failed(f"{self.name} cannot be killed.")

    def pause(self) -> None:
        """Stop it and its children where they are: they hold their connections, and are silent."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on that was paused."""
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def _family(self) -> list[int]:
        """The process and its children; also those that have outlived it in its group."""
        try:
            leader, since = self._pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return []
        # The kernel gives no pid away that still names a group; so a leader of another age has
        # nothing to do with this one.
        if born(int(leader)) not in (since, None) or since.split("/")[0] != boot():
            return []
        family = {int(leader)}
        found = [*processes()]
        # PostgreSQL's children have groups of their own, and are known by their parent only.
        while more := {pid for pid, *kin in found if family & {*kin}} - family:
            family |= more
        return [pid for pid in family if born(pid)]


def boot() -> str:
    """What names the time since the machine was started."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def born(pid: int) -> str | None:
    """Return what tells a process from others of the same pid, or None if it has ended."""
    found = stat(pid)
    return f"{boot()}/{found[19]}" if found and found[0] != "Z" else None


def processes() -> Iterator[tuple[int, int, int]]:
    """The processes that have not ended, each with its parent and the group it belongs to."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (found := stat(int(path.name))) and found[0] != "Z":
            yield int(path.name), int(found[1]), int(found[2])


def stat(pid: int) -> list[str]:
    """Return the process's state and what follows it in proc(5)'s stat; nothing if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The name before may have spaces and brackets of its own.
    return text.rpartition(")")[2].split()


def tail(path: Path, lines: int = 12) -> str:
    """The last lines of a file."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
