from collections import defaultdict
from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from sequence import conf
from sequence.segments import pace
from sequence.segments.pace import Pace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows what the list holds."""
    now = [0.0]
    monkeypatch.setattr(pace, "perf_counter", lambda: now[0])
    return now


def lasting(clock: list[float], seconds: float, *lengths: int) -> Iterator[bytes]:
    """Chunks of these lengths, for each of which so much time passes."""
    for length in lengths:
        clock[0] += seconds
        yield bytes(length)


def test_a_source_that_gave_nothing_is_tried() -> None:
    assert Pace().seconds_a_byte == 0


def test_only_the_time_until_a_chunk_comes_counts(clock: list[float]) -> None:
    measured = Pace()
    for _ in measured.timed(lasting(clock, 1, 100, 100)):
        clock[0] += 1000
    assert measured.seconds_a_byte == pytest.approx(0.01)


def test_what_is_given_up_early_counts_as_far_as_it_came(clock: list[float]) -> None:
    measured = Pace()
    chunks = measured.timed(lasting(clock, 2, 100, 100, 100))
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert measured.seconds_a_byte == pytest.approx(0.02)


def test_the_latest_counts_most(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "HALF_LIFE_BYTES", 100)
    measured = Pace()
    list(measured.timed(lasting(clock, 1, 100)))
    for _ in range(20):
        list(measured.timed(lasting(clock, 3, 100)))
    assert measured.seconds_a_byte == pytest.approx(0.03, rel=0.001)


@pytest.fixture
def measured(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetching is faster than computing segment 1000, and slower than computing segment 1."""
    monkeypatch.setattr(pace, "fetching", Pace())
    monkeypatch.setattr(pace, "_computing", defaultdict(Pace))
    list(pace.computing(1).timed(lasting(clock, 1, 100)))
    list(pace.fetching.timed(lasting(clock, 2, 100)))
    list(pace.computing(1000).timed(lasting(clock, 3, 100)))


def test_the_faster_source_is_chosen_for_each_part_of_the_text(measured: None) -> None:
    assert [pace.is_fetched(number) for number in (1, 1000, 700)] == [False, True, True]


def test_for_copies_the_other_source_is_tried_now_and_then(measured: None) -> None:
    chosen = [pace.copy_is_fetched(1000) for _ in range(10 * pace.TRIED_EVERY)]
    assert chosen.count(False) == 10


@pytest.mark.parametrize(("fetch", "fetched"), [("always", True), ("never", False)])
def test_the_operator_may_have_chosen(settings: Settings, fetch: str, fetched: bool) -> None:
    settings.FIBO_FETCH = fetch
    assert pace.is_fetched(1) == fetched
    assert {pace.copy_is_fetched(1) for _ in range(2 * pace.TRIED_EVERY)} == {fetched}


def test_what_was_never_fetched_is_computed_unless_it_lies_far_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FIBO_FETCH, settings.FIBO_SEGMENT_BYTES = "auto", conf.SEGMENT_BYTES
    monkeypatch.setattr(pace, "fetching", pace.Pace())
    near, far = (conf.layout().segment_of(n) for n in (100_000, 2 * pace.FETCHED_FROM_TERM))
    assert [pace.is_fetched(number) for number in (near, far)] == [False, True]
