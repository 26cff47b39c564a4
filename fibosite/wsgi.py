"""The WSGI application, which starts only if Django's checks find no error."""

import codecs
import logging
import os
import sys
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from django.conf import settings
from django.core.cache import close_caches
from django.core.checks import run_checks
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import DatabaseError, close_old_connections, connections, reset_queries

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fibosite.settings")

_application = get_wsgi_application()

# Django must be set up first.
from sequence.accounts import database  # noqa: E402
from sequence.operations import reconcile  # noqa: E402
from sequence.web import pages  # noqa: E402
from sequence.web.recent import RecentAnswers  # noqa: E402

# Django's commands run the checks, WSGI servers do not.
if errors := [message for message in run_checks() if message.is_serious()]:
    sys.exit("\n".join(str(error.msg) for error in errors))
# Serving goes on without either: everything can be computed.
log = logging.getLogger("sequence")
try:
    database.prepare()
except (OSError, DatabaseError) as error:
    log.error("%s", database.sentence(error))
try:
    reconcile.repair_and_sweep()
except (OSError, DatabaseError) as error:
    log.error("The store cannot be prepared: %s.", str(error).partition("\n")[0])
# Load all that answers need now: later there may be no descriptor left to open a file.
pages.load()
codecs.lookup("unicode_escape")  # for values that error messages quote
# The workers that gunicorn forks open connections of their own, and pools: a pool's threads do not
# survive a fork.
connections.close_all()
for each in connections.all():
    getattr(each, "close_pool", lambda: None)()

# Django looks through its thread's connections before and after each request, which takes a tenth
# of the time of a short answer. Once is enough: the index notices broken connections itself.
# Queries are recorded with DEBUG only, and there is no cache to close.
request_started.disconnect(close_old_connections)
request_finished.disconnect(close_old_connections)
request_finished.disconnect(close_caches)
if not settings.DEBUG:
    request_started.disconnect(reset_queries)


def _answered(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Return the answer; close old connections now, as its body may end in another thread."""
    try:
        return _application(environ, start_response)
    finally:
        close_old_connections()


application = RecentAnswers(_answered)
