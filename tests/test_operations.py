"""docs/operations.md speaks of tests that there are."""

import re

from tests.conftest import ROOT


def test_every_test_that_shows_a_promise_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "operations.md").read_text()))
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 20
    assert named <= set(re.findall(r"^def (test_\w+)", sources, re.MULTILINE))
