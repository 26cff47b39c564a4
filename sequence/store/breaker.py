"""A circuit breaker: after a failure nobody waits for a server that is down."""

import os
from collections.abc import Callable
from math import inf
from threading import Lock, Thread
from time import monotonic

MIN_PAUSE_S = 2.0
COST_FACTOR = 4
"""A pause is so many times as long as the failure took: at most a fifth of all time is lost."""
MAX_PAUSE_S = 60.0


class CircuitBreaker:
    """Closed while calls succeed; open from a failure on, until a probe of the server succeeds.

    While it is open callers fail at once. After a pause, which grows with what the failure cost,
    one probe runs in a thread of its own, for which no caller waits.
    """

    def __init__(self, max_cost_s: float = inf) -> None:
        """`max_cost_s` is the most that a failure can cost a caller who waits."""
        self._max_cost_s = max_cost_s
        self._reset()
        # A probe of the parent is no child's.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changing = Lock()
        self._probe_at: float | None = None
        self._closed_at = -inf

    @property
    def is_open(self) -> bool:
        """Whether callers are to fail at once."""
        return self._probe_at is not None

    def open(self, cost_s: float = 0.0) -> None:
        """Have callers fail at once, after a call that failed, and took so many seconds.

        A call that began before a probe succeeded says nothing of the server as it is now.
        """
        cost_s, began = min(cost_s, self._max_cost_s), monotonic() - cost_s
        pause_s = min(max(COST_FACTOR * cost_s, MIN_PAUSE_S), MAX_PAUSE_S)
        with self._changing:
            if began >= self._closed_at:
                self._probe_at = monotonic() + pause_s

    def close(self) -> None:
        """Let callers through again."""
        with self._changing:
            self._probe_at, self._closed_at = None, monotonic()

    def admit_or_probe(self, probe: Callable[[], object]) -> bool:
        """Return whether a call may be made; if not, run the probe once the pause is over.

        `probe` returns if the server answers and raises an Exception if it does not.
        """
        with self._changing:
            if self._probe_at is None:
                return True
            due = monotonic() >= self._probe_at
            if due:
                # One probe at a time; if its thread is lost, another one follows.
                self._probe_at = monotonic() + MAX_PAUSE_S
        if due:
            try:
                Thread(target=self._run, args=(probe,), name="probe", daemon=True).start()
            except RuntimeError:  # no thread can be started now
                self.open()
        return False

    def _run(self, probe: Callable[[], object]) -> None:
        began = monotonic()
        try:
            probe()
        except Exception:
            self.open(monotonic() - began)
        else:
            self.close()
