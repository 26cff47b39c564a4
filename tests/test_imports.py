"""Imports point one way (docs/architecture.md)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAYERS = [
    {"errors", "compiler", "pieces", "__version__"},
    {"text"},
    {"protocol", "store", "models", "conf", "coding", "background", "drawing"}
    | {"ratelimit", "counting"},
    {"budget", "index_file"},
    {"accounts"},
    {"index"},
    {"usage", "pace", "failures"},
    {"build"},
    {"healing", "upkeep", "inventory"},
    {"metrics"},
    {"populate", "stream", "verify", "prune", "plots", "tasks"},
    {"describe", "distribute"},
    {"pages"},
    {"respond"},
    {"openapi"},
    {"views", "admin", "login", "management", "checks", "recent"},
    {"urls", "apps", "middleware"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MODULES = sorted(
    path
    for path in (ROOT / "sequence").rglob("*.py")
    if "migrations" not in path.parts and path.name != "__init__.py"
)


def imported(path: Path) -> set[str]:
    """The parts of the app that a module imports."""
    parts: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sequence"):
            _, _, inner = node.module.partition(".")
            parts |= {inner.partition(".")[0]} if inner else {alias.name for alias in node.names}
    return parts


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_below_and_from_its_own_part(path: Path) -> None:
    part = path.relative_to(ROOT / "sequence").parts[0].removesuffix(".py")
    for other in imported(path) - {part}:
        assert RANK[other] < RANK[part], f"{path} imports {other}"


@pytest.mark.parametrize(
    "part", ["text", "store", "protocol", "coding", "errors.py", "compiler.py"]
)
def test_the_lower_parts_know_no_django(part: str) -> None:
    root = ROOT / "sequence" / part
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
