"""Processes of the service: the real settings, and a data directory of a test's own."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def manage(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What `manage.py` printed and returned, as a process of its own."""
    return run([sys.executable, "manage.py", *arguments], data_dir, **variables)


def run(command: list[str], data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a command that uses this data directory printed and returned."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(data_dir, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """The environment of a process that uses the real settings and this data directory."""
    from tests.settings import OURS

    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"FIBO_DATA_DIR": str(data_dir)} | variables


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def start_alike() -> None:
    """Undo what differs between those who start the tests; processes inherit it.

    A shell without job control has what it starts in the background ignore interrupts: those that a
    test sends would be lost. Files are made as by default, help is as wide as in a pipe, no proxy
    stands before a server on this host, and pytest does not report all that two long texts differ
    in, which it does where CI is set and which takes hours.
    """
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(0o022)
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "CI", "BUILD_NUMBER"):
        os.environ.pop(name, None)
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "localhost,127.0.0.1,::1")))
