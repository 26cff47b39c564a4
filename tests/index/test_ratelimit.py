import pytest

from sequence.index import ratelimit
from sequence.index.ratelimit import EVERY_S, acquire


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the time is; and nothing has been logged."""
    now = [1000.0]
    monkeypatch.setattr(ratelimit, "monotonic", lambda: now[0])
    ratelimit._logged_at.clear()
    return now


def test_a_key_may_be_logged_once_a_minute(clock: list[float]) -> None:
    assert [acquire("a"), acquire("a"), acquire("b"), acquire("b")] == [True, False, True, False]
    clock[0] += EVERY_S - 1
    assert not acquire("a")
    clock[0] += 1
    # What was asked in vain does not put it off.
    assert [acquire("a"), acquire("a")] == [True, False]


def test_so_many_keys_are_remembered_and_the_oldest_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ratelimit, "MAX_KEYS", 2)
    assert [acquire(key) for key in ("a", "b", "c", "c", "b", "a")] == [
        *(True, True, True, False, False, True)
    ]
    assert len(ratelimit._logged_at) == 2
