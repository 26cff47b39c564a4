"""The WSGI application, which starts only where Django's checks find no error."""

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

# Not before Django is set up.
from sequence.accounts import database  # noqa: E402
from sequence.operations import reconcile  # noqa: E402
from sequence.web import pages  # noqa: E402
from sequence.web.recent import RecentAnswers  # noqa: E402

# Django's commands make the checks, and WSGI servers do not.
if errors := [message for message in run_checks() if message.is_serious()]:
    sys.exit("\n".join(str(error.msg) for error in errors))
# What is stored can be read, perhaps, and everything can be computed.
log = logging.getLogger("sequence")
try:
    database.prepare()
except (OSError, DatabaseError) as error:
    log.error("%s", database.sentence(error))
try:
    reconcile.repair_and_sweep()
except (OSError, DatabaseError) as error:
    log.error("The store cannot be prepared: %s.", str(error).partition("\n")[0])
# Workers have loaded what answers need: when they are asked, there may be no descriptor for a file.
pages.load()
codecs.lookup("unicode_escape")  # of values that are quoted in sentences
# The workers that are forked from here open connections of their own.
connections.close_all()
# And PostgreSQL's, pools of their own: its threads are not forked along.
for each in connections.all():
    getattr(each, "close_pool", lambda: None)()

# Around each request Django looks through the connections of its thread twice, which takes a tenth
# of a short answer. Once is enough: who asks the index finds out whether a connection is still
# good. Queries are kept with DEBUG only, and there is no cache to be closed.
request_started.disconnect(close_old_connections)
request_finished.disconnect(close_old_connections)
request_finished.disconnect(close_caches)
if not settings.DEBUG:
    request_started.disconnect(reset_queries)


def _answered(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The answer. Its body may end in another thread, whose connections are others."""
    try:
        return _application(environ, start_response)
    finally:
        close_old_connections()


application = RecentAnswers(_answered)
