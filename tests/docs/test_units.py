"""The units for systemd: docs/operations.md shows them, and systemd has nothing against them."""

import re
import shutil
import subprocess
from pathlib import Path
from textwrap import indent

import pytest

from tests.support.processes import ROOT

UNITS = [ROOT / "docs" / f"{name}.service" for name in ("fiboservice", "fiboservice-worker")]
UNIT = UNITS[0]
ANALYZE = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")

# What is not there unless the service is installed as the unit has it.
MISSING = re.compile(
    r"fiboservice\S*\.service: Command /srv/fiboservice/\S+ is not executable: No such file or .*"
    r"|fiboservice\S*\.service: .*\bfibo\b.*(unknown user|no such user).*",
    re.IGNORECASE,
)


def complaints(unit: Path) -> list[str]:
    """What systemd says of a unit, but for programs and users that are not installed here."""
    found = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    said = (found.stdout + found.stderr).splitlines()
    assert said or found.returncode == 0, "systemd-analyze failed and does not say why"
    return [line for line in said if not MISSING.fullmatch(line)]


def test_the_documentation_shows_the_units_as_they_are() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    shown = re.findall(r"(?:^    .*\n|^\n)+", text, re.MULTILINE)
    units = [block.strip("\n") for block in shown if block.lstrip().startswith("[Unit]")]
    assert units == [indent(unit.read_text(), "    ").strip("\n") for unit in UNITS]


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_nothing_against_a_unit(unit: Path) -> None:
    assert complaints(unit) == []


@needs_systemd
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Restart=always", "Restart=allways"),
        ("StateDirectory=", "StateDirektory="),
        ("[Service]", "[Services]"),
        ("ExecStart=/srv/fiboservice/", "ExecStart=/nowhere/"),
        ("ExecStart=/", "ExecStart=./"),
    ],
)
def test_systemd_tells_of_a_mistake_in_the_unit(tmp_path: Path, right: str, wrong: str) -> None:
    """Else the test above would show nothing."""
    text = UNIT.read_text()
    assert right in text
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace(right, wrong))
    assert complaints(unit)
