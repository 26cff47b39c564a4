"""The jobs that the workers of all hosts share: a segment each, kept by procrastinate.

Imported only where the index is on PostgreSQL, as the jobs are beside it.
"""

import logging
from typing import Any

from django.conf import settings
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from sequence.segments import build

log = logging.getLogger(__name__)

RETRY = RetryStrategy(max_attempts=4, exponential_wait=2)
"""After 2, 4, 8 and 16 seconds: a disk that is full, say, may have room by then."""


# Done once or more often, as a worker may die with it, and stored once: the row is unique.
@app.task(name="build", queue="segments", retry=RETRY)  # type: ignore[untyped-decorator]
def build_segment(number: int) -> None:
    """Builds the segment, unless it is stored.

    In a thread of its own. What takes long in it lets Python's lock go, and so the worker tells
    the others meanwhile that it lives.
    """
    build.segment(number)


# Without a `lock` beside it: after a crash the two of them would hold each other for ever.
@app.periodic(cron="* * * * * */5")  # type: ignore[untyped-decorator]
@app.task(  # type: ignore[untyped-decorator]
    name="rescue", queue="segments", queueing_lock="rescue", pass_context=True
)
async def rescue(context: Any, timestamp: int) -> None:  # noqa: ARG001
    """Has the jobs done by others whose worker has died; procrastinate leaves them to us."""
    jobs = context.app.job_manager
    stalled_s = settings.PROCRASTINATE_WORKER_DEFAULTS["stalled_worker_timeout"]
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=stalled_s):
        try:
            await jobs.retry_job(job)
            log.warning("Job %s of a worker that died is done again.", job.id)
        except Exception as error:
            # Such as: the same has been queued meanwhile. The others must not wait for this one.
            log.warning("Job %s of a worker that died stays as it is: %s", job.id, error)
