"""The admin's log: what operators did with the store, when, and what came of it.

Django's `LogEntry`, in which an action flag is a level of django.contrib.messages here: UNFINISHED
as long as a job runs, then SUCCESS, WARNING or ERROR. What was done to a segment has its number as
the object; a job as a whole has none.
"""

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages.constants import INFO, WARNING
from django.db.models import Q, QuerySet

from sequence.models import Segment

UNFINISHED = INFO

ALL = "all segments"
"""The object of jobs that are about each segment, now and whenever its history is asked for."""


def write(user_id: int, what: str, level: int, sentence: str, number: object = None) -> LogEntry:
    """Write and return an entry; `number` is the segment's, or a file's name, or None for a job."""
    return LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_for_model(Segment),
        object_id=None if number is None else str(number),
        object_repr=what[:200],
        action_flag=level,
        change_message=sentence,
    )


def end(entry: LogEntry, level: int, sentence: str) -> None:
    """Put the outcome of a job into its entry."""
    entry.action_flag, entry.change_message = level, sentence
    entry.save(update_fields=["action_flag", "change_message"])


def entries() -> QuerySet[LogEntry]:
    """Return all entries about the store, newest first."""
    of_store = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Segment))
    return of_store.select_related("user").order_by("-action_time", "-pk")


def latest_job() -> LogEntry | None:
    """Return the entry of the job that was started last."""
    return entries().filter(object_id=None).first()


def job(pk: int) -> LogEntry | None:
    """Return the entry of that key."""
    return entries().filter(pk=pk).first()


def findings(job: LogEntry) -> QuerySet[LogEntry]:
    """Return what that job found to be wrong, in the order in which it was found."""
    since = entries().filter(pk__gt=job.pk, object_id__isnull=False, user_id=job.user_id)
    return since.filter(action_flag__gte=WARNING).order_by("pk")


def of_segment(number: object) -> QuerySet[LogEntry]:
    """Return what was done to a segment, by itself or with all others."""
    return entries().filter(Q(object_id=str(number)) | Q(object_id=None, object_repr=ALL))
