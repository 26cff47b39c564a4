"""Middleware: every answer is measured and gets the policy headers, and every Host is checked.

What only the admin needs is done below the admin's address, and nowhere else.
"""

from collections.abc import Callable, Iterator
from time import perf_counter

from django.conf import settings
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponsePermanentRedirect,
)
from django.http.response import ResponseHeaders
from django.middleware import common
from django.utils.deprecation import MiddlewareMixin
from prometheus_client import Counter

from sequence import views
from sequence.store.pieces import Piece
from sequence.web import metrics
from sequence.web.responses import Decided

ADMIN = "/admin/"
"""How the admin's addresses begin."""

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class Measured:
    """Counts and times answers; outermost, to see what the other layers answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer, which is counted now, or as it is streamed."""
        asked_at = perf_counter()
        response = self.get_response(request)
        method = str(request.method)
        format = getattr(response, "format", metrics.NO_FORMAT)
        metrics.requests(method, response.status_code, format).inc()
        sent_bytes = metrics.sent_bytes(format)
        # RFC 9110, section 6.4.1: these have no body, whatever Django has as one.
        bodiless = method == "HEAD" or response.status_code in (204, 304)
        if isinstance(response, FileResponse):
            return response  # gunicorn has the kernel send it
        if isinstance(response, Decided) and not bodiless:
            # The closer of the pieces stays, and is called before that of what replaces them.
            response.streaming_content = measured(response.pieces, asked_at, sent_bytes)
            return response
        metrics.FIRST_BYTE_SECONDS.observe(perf_counter() - asked_at)
        if isinstance(response, HttpResponse) and not bodiless:
            sent_bytes.inc(len(response.content))
        return response


def measured(pieces: Iterator[Piece], asked_at: float, sent_bytes: Counter) -> Iterator[Piece]:
    """Yield the pieces; the server has sent a piece, or a part of a span, when it asks for more."""
    with (
        metrics.STREAMS_IN_PROGRESS.track_inprogress(),
        # If it is closed early, GeneratorExit is raised here.
        metrics.STREAMS_ABORTED.count_exceptions(BaseException),
    ):
        piece = next(pieces, None)
        metrics.FIRST_BYTE_SECONDS.observe(perf_counter() - asked_at)
        with metrics.STREAM_SECONDS.time():
            while piece is not None:
                length = len(piece)
                try:
                    yield piece
                except BaseException:
                    sent_bytes.inc(length - len(piece))
                    raise
                sent_bytes.inc(length)
                piece = next(pieces, None)


class PolicyHeaders:
    """Adds the headers that tell browsers what a page may do."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        # In Django's own form, so that it need not check and convert them for every answer.
        self.built = ResponseHeaders(settings.POLICY_HEADERS)._store

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer with these headers."""
        response = self.get_response(request)
        response.headers._store.update(self.built)
        return response


class CommonMiddleware(common.CommonMiddleware):
    """Django's, which refuses a foreign Host, except for probes and scrapes.

    Kubernetes, Prometheus and load balancers name a host by its IP address. What these three answer
    does not depend on Host, and is no secret.
    """

    ANY_HOST = ("/livez", "/readyz", "/metrics")
    MAX_HOSTS = 64

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        # A cache of valid ones: checking one takes as long as finding a view.
        self.ours: set[str | None] = set()

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        """Return None to go on; raise DisallowedHost for a name that is not ours."""
        host = request.META.get("HTTP_HOST")
        if request.path_info in self.ANY_HOST or host in self.ours:
            return None
        response = super().process_request(request)
        if len(self.ours) < self.MAX_HOSTS:
            self.ours.add(host)
        return response


class Shortcut:
    """Answers the text and the terms without the layers below and without resolving the address:
    most requests are for these, and they need none of it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer of the view that sequence/urls.py has for the address."""
        path = request.path_info
        if path == "/":
            return views.root(request)
        if path.startswith("/terms/") and (n := path[7:]) and "/" not in n:
            return views.term(request, n=n)
        return self.get_response(request)


class BelowAdmin(MiddlewareMixin):
    """Middleware for the admin's addresses alone.

    Looking for a session and an account costs more than a short answer, and caches could not keep a
    public answer that depends on a cookie.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer."""
        if request.path_info.startswith(ADMIN):
            return super().__call__(request)  # type: ignore[return-value]
        return self.get_response(request)  # type: ignore[return-value]


class SessionMiddleware(BelowAdmin, sessions.SessionMiddleware):
    """Django's sessions, for the admin."""


class AuthenticationMiddleware(BelowAdmin, auth.AuthenticationMiddleware):
    """Django's accounts, for the admin."""


class MessageMiddleware(BelowAdmin, messages.MessageMiddleware):
    """Django's messages, for the admin."""
