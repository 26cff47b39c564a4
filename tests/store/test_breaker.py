"""The circuit breaker: who waits for a server that is down, and when it is tried again."""

import os
from collections.abc import Callable
from threading import Event

import pytest

from sequence.store import breaker
from sequence.store.breaker import CircuitBreaker
from tests.support.waiting import soon


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the breaker's clock on by so many seconds."""
    now = [100.0]
    monkeypatch.setattr(breaker, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def fail() -> None:
    raise ConnectionError


def never() -> None:
    raise AssertionError("probed too early")


def test_callers_pass_while_it_is_closed() -> None:
    assert CircuitBreaker().admit_or_probe(never)


@pytest.mark.parametrize(("cost_s", "pause_s"), [(0, 2), (0.1, 2), (3, 12), (100, 60)])
def test_the_pause_grows_with_what_the_failure_cost(
    cost_s: float, pause_s: float, clock: Callable[[float], None]
) -> None:
    circuit = CircuitBreaker()
    circuit.open(cost_s)
    clock(pause_s - 0.01)
    assert not circuit.admit_or_probe(never)
    clock(0.02)
    assert not circuit.admit_or_probe(lambda: None)
    soon(False, lambda: circuit.is_open)
    assert circuit.admit_or_probe(never)


def test_a_probe_that_fails_leaves_it_open(clock: Callable[[float], None]) -> None:
    circuit = CircuitBreaker()
    circuit.open()
    clock(2)
    probed = Event()

    def probe() -> None:
        probed.set()
        clock(5)
        fail()

    assert not circuit.admit_or_probe(probe)
    assert probed.wait(10)
    assert circuit.is_open
    # The probe cost five seconds.
    soon(105 + 2 + 20, lambda: circuit._probe_at or 0)


def test_one_probe_runs_at_a_time_and_nobody_waits_for_it(clock: Callable[[float], None]) -> None:
    circuit, end = CircuitBreaker(), Event()
    circuit.open()
    clock(2)
    assert not circuit.admit_or_probe(lambda: end.wait(10))
    assert not circuit.admit_or_probe(never)
    end.set()
    soon(False, lambda: circuit.is_open)


def test_it_stays_open_if_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch, clock: Callable[[float], None]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    circuit = CircuitBreaker()
    circuit.open()
    clock(2)
    monkeypatch.setattr(breaker, "Thread", refused)
    assert not circuit.admit_or_probe(never)
    assert circuit.is_open


def test_a_child_does_not_inherit_that_it_is_open() -> None:
    circuit = CircuitBreaker()
    circuit.open()
    child = os.fork()
    if child == 0:
        os._exit(circuit.is_open)
    assert os.waitpid(child, 0)[1] == 0
    assert circuit.is_open


def test_a_failure_of_a_call_from_before_a_probe_succeeded_is_no_news(
    clock: Callable[[float], None],
) -> None:
    circuit = CircuitBreaker()
    circuit.open()
    clock(10)
    circuit.close()
    clock(1)
    circuit.open(cost_s=5)
    assert not circuit.is_open
    circuit.open(cost_s=0.5)
    assert circuit.is_open


def test_a_failure_counts_as_what_it_can_cost_who_waits(clock: Callable[[float], None]) -> None:
    circuit = CircuitBreaker(max_cost_s=1)
    circuit.open(cost_s=50)
    assert circuit._probe_at == 100 + breaker.COST_FACTOR
