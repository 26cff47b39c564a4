"""Numbers that processes count together."""

import os
from collections.abc import Callable, Iterator

import pytest

from sequence.web import counting
from sequence.web.counting import MAX_PLACES, SharedValue, free_place, leave_place, take_place


@pytest.fixture(autouse=True)
def same_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process has the place afterwards that it had."""
    monkeypatch.setattr(counting, "_place", 0)
    used = counting._used[0]
    yield
    counting._used[0] = used


def in_child(place: int, act: Callable[[], None]) -> None:
    """A process of its own has done that in the place, and is gone."""
    pid = os.fork()
    if not pid:
        take_place(place)
        act()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_counts_of_processes_add_up_and_outlive_them() -> None:
    total, doing = SharedValue("counter"), SharedValue("gauge")

    def work() -> None:
        total.inc(2)
        doing.inc(1)

    for place in (1, 2):
        assert free_place(set(range(1, place))) == place
        in_child(place, work)
    assert (total.get(), doing.get()) == (4, 2)
    in_child(1, work)  # in the place of the first, which is gone with what it was doing
    assert (total.get(), doing.get()) == (6, 2)
    leave_place(1)
    assert (total.get(), doing.get()) == (6, 1)
    total.inc(1)
    assert total.get() == 7


@pytest.mark.parametrize(
    ("taken", "place"),
    [
        (set(), 1),
        ({1}, 2),
        ({2}, 1),
        ({1, 3}, 2),
        (set(range(1, MAX_PLACES - 1)), MAX_PLACES - 1),
        (set(range(1, MAX_PLACES)), MAX_PLACES - 1),
    ],
)
def test_the_first_place_that_is_free_is_taken(taken: set[int], place: int) -> None:
    assert free_place(taken) == place
    value = SharedValue("counter")
    in_child(place, lambda: value.inc(1))
    assert value.get() == 1
