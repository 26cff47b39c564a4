"""The jobs that the workers of all hosts share: a segment each, in procrastinate's queue.

Imported only if the index is on PostgreSQL, which has the queue too.
"""

import logging
from typing import Any

from django.conf import settings
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from sequence.segments import build

log = logging.getLogger(__name__)

RETRY = RetryStrategy(max_attempts=4, exponential_wait=2)
"""After 2, 4, 8 and 16 seconds: a full disk, for one, may have room by then."""


# Done at least once, as a worker may die with it, and stored once: the row is unique.
@app.task(name="build", queue="segments", retry=RETRY)  # type: ignore[untyped-decorator]
def build_segment(number: int) -> None:
    """Build the segment, unless it is stored.

    In a thread of its own. What takes long in it releases Python's lock, so that the worker sends
    its heartbeat at the same time.
    """
    build.segment(number)


# Without a `lock`: after a crash the two of them would wait for each other for ever.
@app.periodic(cron="* * * * * */5")  # type: ignore[untyped-decorator]
@app.task(  # type: ignore[untyped-decorator]
    name="rescue", queue="segments", queueing_lock="rescue", pass_context=True
)
async def rescue(context: Any, timestamp: int) -> None:  # noqa: ARG001
    """Queue the jobs of dead workers again, which procrastinate leaves to us."""
    jobs = context.app.job_manager
    stalled_s = settings.PROCRASTINATE_WORKER_DEFAULTS["stalled_worker_timeout"]
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=stalled_s):
        try:
            await jobs.retry_job(job)
            log.warning("Job %s of a worker that died is queued again.", job.id)
        except Exception as error:
            # The same may have been queued since. The other jobs must not wait for this one.
            log.warning("Job %s of a worker that died stays as it is: %s", job.id, error)
