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


def accept_interrupts() -> None:
    """Undo that a shell without job control has what it starts in the background ignore them.

    Processes inherit that: an interrupt that a test sends to one would be lost.
    """
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
