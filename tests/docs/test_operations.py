"""docs/operations.md and docs/hostile-inputs.md name tests that exist; tests cite rows that do."""

import re

import pytest

from tests.support.processes import ROOT

SOURCES = {path: path.read_text() for path in sorted((ROOT / "tests").rglob("*.py"))}


@pytest.mark.parametrize("page", ["operations.md", "hostile-inputs.md"])
def test_every_test_that_shows_a_promise_is_there(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / page).read_text()))
    there = re.findall(r"^def (test_\w+)", "".join(SOURCES.values()), re.MULTILINE)
    assert len(named) > 20
    assert named - set(there) == set()


def test_every_row_that_a_test_cites_is_there() -> None:
    page = (ROOT / "docs" / "hostile-inputs.md").read_text()
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)]
    assert rows == list(range(1, 38))
    cited = {
        int(number)
        for source in SOURCES.values()
        for number in re.findall(r"\bHOSTILE (?:rows? )?(\d+)", source)
    }
    assert len(cited) > 10
    assert cited <= set(rows)


def test_every_row_says_what_shows_it() -> None:
    page = (ROOT / "docs" / "hostile-inputs.md").read_text()
    for row in re.findall(r"^\| \d+ \|.*$", page, re.MULTILINE):
        assert "`test_" in row, row
