"""Has the workers of all hosts fill the store, and watches what they have stored."""

from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import timedelta
from time import sleep
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from procrastinate.exceptions import AlreadyEnqueued

from sequence import conf
from sequence.errors import JobsFailed
from sequence.index.engine import release_connection
from sequence.models import Segment
from sequence.tasks import build_segment

LOOK_EVERY_S = 0.5

NO_WORKER = (
    "No worker is running: the segments are built as soon as there is one, "
    "by `manage.py procrastinate worker` on any host."
)


def populate(numbers: list[int], say: Callable[[str], None]) -> Generator[Segment]:
    """Has the segments built by workers, and yields each when it is stored.

    Can be stopped at any time: the workers go on. `say` is given what whoever waits should know.
    Raises JobsFailed where the workers have given one up, and DatabaseError.
    """
    left, given_up = set(numbers), set(_jobs("failed").values_list("id", flat=True))
    told = False
    # Before any row is looked at: that of a segment whose file is gone is right again only after.
    queue(numbers)
    while left:
        # In this order: what is no longer queued has failed, or has its row.
        queued = _numbers(_jobs("todo", "doing"))
        failed = _numbers(_jobs("failed").exclude(id__in=given_up))
        for segment in _stored(left - queued):
            left.remove(segment.number)
            yield segment
        # The others are waited for.
        if left and left <= failed:
            raise JobsFailed(sorted(left))
        queue(sorted(left - queued - failed))
        if left and not told and not workers():
            told = True
            say(NO_WORKER)
        release_connection()
        sleep(LOOK_EVERY_S if left else 0)


def queue(numbers: list[int]) -> None:
    """Queues a job for each segment, unless there is one."""
    for number in numbers:
        # Another one who distributes may have been faster.
        with suppress(AlreadyEnqueued):
            build_segment.configure(queueing_lock=f"segment {number}").defer(number=number)


def workers() -> int:
    """How many workers have told lately that they live."""
    silent_s: float = settings.PROCRASTINATE_WORKER_DEFAULTS["stalled_worker_timeout"]
    lately = timedelta(seconds=silent_s)
    count: int = ProcrastinateWorker.objects.filter(last_heartbeat__gt=Now() - lately).count()
    return count


def _jobs(*statuses: str) -> "QuerySet[Any]":
    jobs: QuerySet[Any] = ProcrastinateJob.objects.filter(task_name=build_segment.name)
    return jobs.filter(status__in=statuses)


def _numbers(jobs: "QuerySet[Any]") -> set[int]:
    """The segments that the jobs are about."""
    return set(jobs.values_list("args__number", flat=True))


def _stored(numbers: set[int]) -> list[Segment]:
    """Those of the segments that are stored."""
    if not numbers:
        return []
    among = Segment.objects.filter(number__gte=min(numbers), number__lte=max(numbers))
    plan = conf.layout()
    return [
        each
        for each in among.defer("block_checksums")
        if each.number in numbers
        and plan.stored(each.number, each.length_bytes).length_bytes == each.length_bytes
    ]
