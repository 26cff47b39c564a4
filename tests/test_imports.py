"""Rooms stand in layers, and a module imports only from its own room and from below (STYLE)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

LAYERS = (
    {"errors", "signals", "__version__"},
    {"text"},
    {"coding", "protocol", "store", "conf", "models", "background"},
    {"index"},
    {"accounts", "segments"},
    {"operations", "web"},
)
"""From below. All else, Django's own files, stands on top."""
APP = ROOT / "sequence"
MODULES = sorted(
    path
    for path in APP.rglob("*.py")
    if "migrations" not in path.parts and path.name != "__init__.py"
)
USERS = sorted(
    path for top in ("tests", "tools", "benchmarks") for path in (ROOT / top).rglob("*.py")
)
"""Of the modules in `tests/support/`."""
MAX_FILES = 13
"""Directly in the app: Django's own, and a few that every room may use."""


def rank(part: str) -> int:
    """Return the layer of a room or a file; the top one for all that no layer names."""
    return next((n for n, layer in enumerate(LAYERS) if part in layer), len(LAYERS))


def imported(path: Path) -> set[str]:
    """Return the rooms and files of the app that a module imports."""
    parts: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sequence"):
            _, _, inner = node.module.partition(".")
            parts |= {inner.partition(".")[0]} if inner else {alias.name for alias in node.names}
    return parts


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_below_and_from_its_own_room(path: Path) -> None:
    room = path.relative_to(APP).parts[0].removesuffix(".py")
    for other in imported(path) - {room}:
        if rank(room) < len(LAYERS):
            assert rank(other) < rank(room), f"{path} imports {other}"


@pytest.mark.parametrize("path", USERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_several_test_modules_use_is_in_support(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        ours = [name.split(".") for name in names if name.startswith("tests.")]
        assert all(parts[1] in {"support", "settings"} for parts in ours), ours


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_has_the_name_of_its_module(path: Path) -> None:
    named = {each.name for each in ast.parse(path.read_text()).body if hasattr(each, "name")}
    assert path.stem not in named


def test_few_files_stand_outside_of_the_rooms() -> None:
    assert len(list(APP.glob("*.py"))) <= MAX_FILES


@pytest.mark.parametrize("part", ["text", "store", "protocol", "coding", "errors.py"])
def test_the_lower_rooms_know_no_django(part: str) -> None:
    root = APP / part
    for path in root.rglob("*.py") if root.is_dir() else [root]:
        assert "django" not in path.read_text().replace("no Django", "").lower()


def test_serving_does_not_load_the_compiler(tmp_path: Path) -> None:
    program = "import sys, fibosite.wsgi; print('llvmlite' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"FIBO_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "False"
