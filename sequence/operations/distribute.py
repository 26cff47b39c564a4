"""Has the workers of all hosts fill the store, by jobs of procrastinate's, and polls the index."""

from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import timedelta
from time import sleep
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from procrastinate.exceptions import AlreadyEnqueued

from sequence import conf
from sequence.errors import JobsFailed
from sequence.index.engine import release_connection
from sequence.models import Segment

JOB = "build"
"""The job's name; sequence/tasks.py says what it does, and in which queue."""

POLL_EVERY_S = 0.5

NO_WORKER = (
    "No worker is running: the segments are built as soon as there is one, "
    "by `manage.py procrastinate worker` on any host."
)


def segments(numbers: list[int], say: Callable[[str], None]) -> Generator[Segment]:
    """Have the segments built by workers, and yield each when it is stored.

    Can be stopped at any time: the workers go on. `say` is called if nobody works. Raises
    JobsFailed if the workers have given segments up, and DatabaseError.
    """
    left, given_up = set(numbers), set(_jobs("failed").values_list("id", flat=True))
    said = False
    # Before any row is read: that of a segment whose file is gone is right again only after.
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
        if left and not said and not _has_worker():
            said = True
            say(NO_WORKER)
        release_connection()
        sleep(POLL_EVERY_S if left else 0)


def queue(numbers: list[int]) -> None:
    """Queue a job for each segment, unless there is one."""
    for number in numbers:
        # Another process that distributes may have been faster.
        with suppress(AlreadyEnqueued):
            job = app.configure_task(JOB, queueing_lock=f"segment {number}", allow_unknown=False)
            job.defer(number=number)


def _has_worker() -> bool:
    """Whether a worker has sent its heartbeat lately."""
    silent_s: float = settings.PROCRASTINATE_WORKER_DEFAULTS["stalled_worker_timeout"]
    since = Now() - timedelta(seconds=silent_s)
    return bool(ProcrastinateWorker.objects.filter(last_heartbeat__gt=since).exists())


def _jobs(*statuses: str) -> "QuerySet[Any]":
    jobs: QuerySet[Any] = ProcrastinateJob.objects.filter(task_name=JOB, status__in=statuses)
    return jobs


def _numbers(jobs: "QuerySet[Any]") -> set[int]:
    """Return the numbers of the segments that the jobs are about."""
    return set(jobs.values_list("args__number", flat=True))


def _stored(numbers: set[int]) -> list[Segment]:
    """Return those of the segments that are stored."""
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
