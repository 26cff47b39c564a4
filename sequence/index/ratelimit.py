"""A rate limit for log lines: one a minute for each key."""

from collections import OrderedDict
from collections.abc import Hashable
from math import inf
from threading import Lock
from time import monotonic

EVERY_S = 60
MAX_KEYS = 10_000
"""How many are remembered; of more, those that were logged last."""

_logging = Lock()
_logged_at: OrderedDict[Hashable, float] = OrderedDict()


def acquire(key: Hashable) -> bool:
    """Return whether a line with this key may be logged now, and count it as logged if so."""
    now = monotonic()
    with _logging:
        if now - _logged_at.get(key, -inf) < EVERY_S:
            return False
        _logged_at[key] = now
        _logged_at.move_to_end(key)
        if len(_logged_at) > MAX_KEYS:
            _logged_at.popitem(last=False)
        return True
