"""One process that uses the index as a worker does: the topic shared_index starts many of them.

It reads orders from its standard input, a line of JSON each, and answers each with another line.
"""

import json
import random
import sys
from collections.abc import Callable, Iterator
from itertools import count
from time import perf_counter, process_time
from typing import Any

import django

from sequence.text.layout import offset

TERMS = 100_000
"""Whose rows the index has, and which are looked up."""


def timed(act: Callable[[int], object], seconds: float) -> dict[str, Any]:
    """Does it with a random term again and again; how often, and how often it failed.

    What it finds must be what the closed form says, which is compared afterwards.
    """
    chance = random.Random(1)  # noqa: S311  the same in every process
    found, failed = list[tuple[int, object]](), 0
    started, used = perf_counter(), process_time()
    while perf_counter() - started < seconds:
        n = chance.randrange(TERMS)
        try:
            found.append((n, act(n)))
        except Exception:  # counted, whatever it is
            failed += 1
    taken, used = perf_counter() - started, process_time() - used
    wrong = sum(stop != offset(n + 1) for n, stop in found)
    return {"found": len(found), "taken": taken, "cpu_s": used, "failed": failed + wrong}


def by_closed_form(n: int) -> int:
    """Where term n ends."""
    return offset(n + 1)


def written(numbers: Iterator[int], seconds: float) -> dict[str, Any]:
    """Write the rows of segments for as long; the seconds that each took. Remove them then."""
    from sequence import conf, models
    from sequence.index import rows
    from sequence.store.checksum import BLOCK_BYTES, CHECKSUM_BYTES
    from sequence.text import adder

    taken, failed, done = list[float](), 0, list[int]()
    stop = perf_counter() + seconds
    while perf_counter() < stop:
        planned = conf.layout().planned(next(numbers))
        # Their number is right: what they are, no writer looks at.
        blocks = -(-planned.length_bytes // BLOCK_BYTES)
        segment = models.Segment(
            **planned._asdict(), block_checksums=bytes(blocks * CHECKSUM_BYTES)
        )
        positions = adder.positions(planned.terms)
        started = perf_counter()
        try:
            rows.record(segment, positions)
        except Exception:  # counted, whatever it is
            failed += 1
        taken.append(perf_counter() - started)
        done.append(planned.number)
    return {"taken": taken, "failed": failed, "numbers": done}


def stored() -> dict[str, Any]:
    """How many segments the index has, and which engine it is."""
    from django.db import connection

    from sequence import models

    return {"segments": models.Segment.objects.count(), "engine": connection.vendor}


def removed(numbers: list[int]) -> dict[str, Any]:
    """Remove the rows of the segments."""
    from sequence import models
    from sequence.index import rows

    rows.forget(models.Segment.objects.filter(number__in=numbers))
    return {}


def main() -> None:
    """Obeys until there is no more to read."""
    django.setup()
    from sequence import conf
    from sequence.index import rows

    first, step = (int(argument) for argument in sys.argv[1:])
    # After those that are looked up; each writer has its own.
    beyond = conf.layout().segment_of(TERMS - 1) + 1
    for line in sys.stdin:
        order = json.loads(line)
        match order["act"]:
            case "look up":
                answer = timed(rows.find_stop_offset, order["seconds"])
            case "closed form":
                answer = timed(by_closed_form, order["seconds"])
            case "write":
                answer = written(count(beyond + first, step), order["seconds"])
            case "count":
                answer = stored()
            case "remove":
                answer = removed(order["numbers"])
            case other:
                raise ValueError(other)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
