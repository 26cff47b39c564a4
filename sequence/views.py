"""Requests in, responses out: look up, decide, respond."""

import logging
from collections.abc import Callable
from functools import wraps

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from sequence import build, conf
from sequence.errors import FiboError, ParameterError
from sequence.models import Segment
from sequence.protocol import query
from sequence.stream import stop_offset, stream
from sequence.text.span import Span

log = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"
RETRY_AFTER_S = 5

View = Callable[[HttpRequest], HttpResponseBase]


def plain(status: int, sentence: str) -> HttpResponse:
    """A response of one line."""
    return HttpResponse(sentence + "\n", status=status, content_type=TEXT)


def answering_errors(view: View) -> View:
    """The view with its errors answered: the one table of errors and statuses."""

    @wraps(view)
    def answered(request: HttpRequest) -> HttpResponseBase:
        try:
            return view(request)
        except ParameterError as error:
            return plain(400, str(error))
        except (FiboError, OSError, DatabaseError):
            # The cause is the operator's to see and to mend, and not the client's.
            log.exception("%s failed.", request.path)
            response = plain(503, "The store cannot answer this now; please try again.")
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
            return response

    return answered


# Without the exemption a POST would be refused for its missing token, and not for its method.
@csrf_exempt
@require_safe
@answering_errors
def text(request: HttpRequest) -> HttpResponseBase:
    """The first `sn` terms as text."""
    asked = request.META.get("QUERY_STRING", "")
    if not asked:
        return plain(400, usage(request))
    sn = query.whole_number("sn", query.parse(asked, ("sn",)).get("sn"), conf.max_sn())
    span = Span(0, stop_offset(sn))
    headers = {"Content-Type": TEXT, "Content-Length": str(span.length)}
    # A body would be made to its end for HEAD too.
    if request.method == "HEAD" or not span.length:
        return HttpResponse(headers=headers)
    return StreamingHttpResponse(stream(span), headers=headers)


def usage(request: HttpRequest) -> str:
    """What to ask for, in one line."""
    address = request.build_absolute_uri("/?sn=20")
    return (
        f"Usage: {address} gives the first 20 Fibonacci numbers; "
        f"sn is a whole number from 0 to {conf.max_sn()}."
    )


@csrf_exempt
@require_safe
def livez(_: HttpRequest) -> HttpResponseBase:
    """Whether the process answers."""
    return plain(200, "alive")


@csrf_exempt
@require_safe
@answering_errors
def readyz(_: HttpRequest) -> HttpResponseBase:
    """Whether the store and its index can be read."""
    build.store()
    Segment.objects.exists()
    return plain(200, "ready")


def bad_request(_: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django itself refuses, such as a foreign Host."""
    return plain(400, f"The request was refused: {type(exception).__name__}.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """An address that there is not."""
    return plain(404, "There is nothing at this address; see / for what there is.")


def server_error(_: HttpRequest) -> HttpResponse:
    """A fault of the program's own."""
    return plain(500, "The server made an error; it has been logged.")
