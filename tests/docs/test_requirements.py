"""`make lock` was run after the last change of the dependencies in pyproject.toml."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.processes import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SERVING = PROJECT["dependencies"]
FILES = {
    "requirements.txt": SERVING,
    "requirements-cluster.txt": SERVING + PROJECT["optional-dependencies"]["cluster"],
}


def pinned(file: str) -> dict[str, tuple[str, int]]:
    """Return the version of each package in the file, and how many hashes it has."""
    text = (ROOT / file).read_text()
    entries = re.findall(r"^([a-z0-9-]+)==(\S+)((?: \\\n +--hash=sha256:\w{64})*)$", text, re.M)
    return {name: (version, hashes.count("--hash")) for name, version, hashes in entries}


@pytest.mark.parametrize("file", FILES)
def test_every_package_is_pinned_with_hashes(file: str) -> None:
    lines = re.findall(r"^[^\s#].*$", (ROOT / file).read_text(), re.M)
    assert len(pinned(file)) == len(lines)
    assert all(hashes for _, hashes in pinned(file).values())


@pytest.mark.parametrize("file", FILES)
def test_every_dependency_of_the_project_is_pinned(file: str) -> None:
    for each in map(Requirement, FILES[file]):
        version, _ = pinned(file)[canonicalize_name(each.name)]
        assert version in each.specifier


def test_hosts_of_a_cluster_serve_with_the_same_versions() -> None:
    assert pinned("requirements.txt").items() <= pinned("requirements-cluster.txt").items()
