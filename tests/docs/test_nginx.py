"""The configurations of nginx: for one host, in docs/, and for a cluster's front, in tools/."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tools.cluster import front
from tools.cluster.place import Place

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter the directories of nginx"),
]

ADDRESS = re.compile(r"listen (?:\S+:)?(\d+)")


def one_host(directory: Path) -> str:
    """Return the configuration that docs/operations.md names."""
    text = (ROOT / "docs" / "nginx.conf").read_text()
    return f"pid {directory}/nginx.pid;\n{text}"


def cluster_front(directory: Path) -> str:
    """Return the configuration of a cluster in this directory."""
    (directory / "front").mkdir()
    return front.configuration(Place(directory, namespaces=False))


def complaints(text: str, directory: Path) -> str:
    """Return what nginx says against a configuration, which listens at sockets of its own."""
    path = directory / "nginx.conf"
    path.write_text(ADDRESS.sub(rf"listen unix:{directory}/\1", text))
    command = [str(NGINX), "-t", "-q", "-e", "stderr", "-p", str(directory), "-c", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stderr or found.returncode == 0, "nginx failed and does not say why"
    return found.stderr


@pytest.mark.parametrize("configuration", [one_host, cluster_front])
def test_nginx_has_nothing_against_a_configuration(
    tmp_path: Path, configuration: Callable[[Path], str]
) -> None:
    assert complaints(configuration(tmp_path), tmp_path) == ""


@pytest.mark.parametrize("configuration", [one_host, cluster_front])
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("proxy_buffering on;", "proxy_buffering maybe;"),
        ("proxy_set_header Host", "proxy_set_heather Host"),
        ("keepalive 32;", "keepalive 32"),
    ],
)
def test_nginx_tells_of_a_mistake(
    tmp_path: Path, configuration: Callable[[Path], str], right: str, wrong: str
) -> None:
    """Else the test above would show nothing."""
    text = configuration(tmp_path)
    assert right in text
    assert "[emerg]" in complaints(text.replace(right, wrong), tmp_path)
