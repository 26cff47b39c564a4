"""Write-behind counters: what becomes of each segment is counted in memory and written later.

So that no stream waits for the index. What a process has not written when it dies is lost.
"""

import threading
from collections import Counter, defaultdict
from datetime import datetime

from django.utils.timezone import now

from sequence import signals
from sequence.index import rows
from sequence.index.failures import dispensable
from sequence.models import Segment

_noting = threading.Lock()
_counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
_served_at: dict[int, datetime] = {}


def note(number: int, **counts: int) -> None:
    """Add to the counts of the segment, by the names of its row's columns; in memory only."""
    with _noting:
        for name, more in counts.items():
            _counts[number][name] += more
        if "served" in counts:
            _served_at[number] = now()
    if "repaired" in counts:
        signals.segment_repaired.send(number)


def write() -> None:
    """Add what was noted to the rows of the segments."""
    with _noting:
        counts, served_at = _counts.copy(), _served_at.copy()
        _counts.clear()
        _served_at.clear()
    if counts:
        with dispensable("Counting"), rows.writing():
            # In order: two that wait for each other's rows would wait for ever.
            for number, noted in sorted(counts.items()):
                more: dict[str, object] = {name: rows.counted(name, n) for name, n in noted.items()}
                if number in served_at:
                    more["served_at"] = served_at[number]
                Segment.objects.filter(number=number).update(**more)
