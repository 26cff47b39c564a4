"""What pytest reports of a test that fails: soon, whatever was compared."""

from random import Random

import pytest

from tests.support.processes import start_alike


def test_where_two_long_texts_differ_is_told_and_not_all_that_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    start_alike()
    first, second = (bytes(Random(seed).choices(b"0123456789", k=3000)) for seed in (1, 2))
    with pytest.raises(AssertionError) as found:
        assert (200, first) == (200, second)
    assert "At index 1 diff" in str(found.value)
    assert "Full diff" not in str(found.value)
