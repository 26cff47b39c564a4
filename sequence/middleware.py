"""What is done to every request: its answer is measured, and its Host is checked."""

from collections.abc import Callable, Iterator
from time import perf_counter

from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponsePermanentRedirect,
    StreamingHttpResponse,
)
from django.middleware import common
from prometheus_client import Counter

from sequence import metrics


class Measured:
    """The answers with their metrics counted; outermost, to see what the other layers answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer, which is counted now, or as it is streamed."""
        asked_at = perf_counter()
        response = self.get_response(request)
        method = str(request.method)
        format = getattr(response, "format", metrics.NO_FORMAT)
        metrics.requests(method, response.status_code, format).inc()
        sent_bytes = metrics.SENT_BYTES.labels(format)
        # RFC 9110, section 6.4.1: these have no body, whatever Django holds for one.
        bodiless = method == "HEAD" or response.status_code in (204, 304)
        if isinstance(response, FileResponse):
            return response  # gunicorn has the kernel send it
        if isinstance(response, StreamingHttpResponse) and not bodiless:
            # Django keeps the closer of the chunks, and calls it before that of what replaces them.
            response.streaming_content = measured(iter(response), asked_at, sent_bytes)
            return response
        metrics.FIRST_BYTE_SECONDS.observe(perf_counter() - asked_at)
        if isinstance(response, HttpResponse) and not bodiless:
            sent_bytes.inc(len(response.content))
        return response


def measured(chunks: Iterator[bytes], asked_at: float, sent_bytes: Counter) -> Iterator[bytes]:
    """The chunks; those that the server comes back from have been sent."""
    with (
        metrics.STREAMS_IN_PROGRESS.track_inprogress(),
        # To be closed early raises GeneratorExit here.
        metrics.STREAMS_ABORTED.count_exceptions(BaseException),
    ):
        chunk = next(chunks, None)
        metrics.FIRST_BYTE_SECONDS.observe(perf_counter() - asked_at)
        with metrics.STREAM_SECONDS.time():
            while chunk is not None:
                yield chunk
                sent_bytes.inc(len(chunk))
                chunk = next(chunks, None)


class CommonMiddleware(common.CommonMiddleware):
    """Django's, which refuses a foreign Host; but not for addresses that machines ask by number.

    Kubernetes, Prometheus and load balancers name a host by its address. What these three answer
    does not follow from Host, and is no secret.
    """

    ANY_HOST = ("/livez", "/readyz", "/metrics")

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        """Return None to go on; raise DisallowedHost for a name that is not ours."""
        return None if request.path_info in self.ANY_HOST else super().process_request(request)
