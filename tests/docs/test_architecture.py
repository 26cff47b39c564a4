"""docs/architecture.md names every module, and the documents name no file that is not there."""

import re
from pathlib import Path

import pytest

from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
MODULES = [
    path.relative_to(ROOT)
    for package in ("sequence", "fibosite")
    for path in sorted((ROOT / package).rglob("*.py"))
    if path.name != "__init__.py" and not {"migrations", "management"} & set(path.parts)
]
DOCUMENTS = [
    *("README.md", "CONTRIBUTING.md", "SECURITY.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
]
ROOTS = ("sequence", "fibosite", "tests", "benchmarks", "tools", "docs")


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_is_named(module: Path) -> None:
    assert re.search(rf"\b{module.stem}\b", PAGE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    text = (ROOT / document).read_text()
    named = re.findall(rf"`((?:{'|'.join(ROOTS)})/[\w./-]+\.\w+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
