"""Requests in, responses out: look up, decide, respond."""

import json

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers

from sequence import build, conf, metrics, openapi
from sequence.describe import describe
from sequence.errors import NotFibonacci, ParameterError
from sequence.models import Segment
from sequence.protocol import query
from sequence.respond import JSON, plain, public, refusal, represent, small, wants_json
from sequence.text import facts
from sequence.text.format import FORMATS, PLAIN, Format
from sequence.text.layout import MOST_N
from sequence.text.representation import Representation
from sequence.text.span import Span

REVALIDATE = "public, no-cache"
"""For what is as the operator's settings have it."""


def asked(request: HttpRequest, *known: str) -> dict[str, str]:
    """The parameters of the request's query."""
    return query.parse(request.META.get("QUERY_STRING", ""), known)


def file_name(format: Format, terms: Span) -> str:
    """The name for a download; the first terms of a b-file have the one that OEIS gives them."""
    if format.name == "bfile" and terms.start == 0:
        return "b000045.txt"
    first = f"-from-{terms.start}" if terms.start else ""
    return f"fibonacci-{terms.length}{first}.{format.extension}"


@public
def text(request: HttpRequest) -> HttpResponseBase:
    """The terms of a window, in a format."""
    if not request.META.get("QUERY_STRING"):
        return refusal(request, 400, usage(request), parameter="sn", maximum=conf.max_sn())
    parameters = asked(request, "sn", "start", "format")
    name = query.choice("format", parameters, FORMATS, default="text")
    terms = query.window(parameters, conf.max_sn())
    format = FORMATS[name]
    response = represent(request, Representation(format, terms), file_name(format, terms))
    if following := min(terms.length, conf.max_sn() - terms.stop):
        written = "" if name == "text" else f"&format={name}"
        target = f"/?sn={following}&start={terms.stop}{written}"
        response.headers["Link"] = f'<{target}>; rel="next"'
    return response


@public
def term(request: HttpRequest, n: str) -> HttpResponseBase:
    """The digits of one term; or, in JSON or with `mod`, what arithmetic knows of it."""
    parameters = asked(request, "format", "mod")
    as_json = wants_json(request, parameters)
    number = query.whole_number("n", n, MOST_N)
    modulus = (
        query.whole_number("mod", parameters["mod"], query.MOST_MODULUS, least=1)
        if "mod" in parameters
        else None
    )
    if as_json:
        return small(request, json.dumps(describe(number, modulus)), JSON, REVALIDATE)
    if modulus:
        return small(request, str(facts.residue(number, modulus)), PLAIN)
    if number >= conf.max_sn():
        allowed = f"less than {conf.max_sn()} for its digits; format=json tells of it without them"
        raise ParameterError("n", n, allowed, maximum=conf.max_sn() - 1)
    digits = Representation(FORMATS["lines"], Span(number, number + 1))
    response = represent(request, digits, f"fibonacci-{number}.txt")
    patch_vary_headers(response, ["Accept"])
    return response


@public
def terms_of_value(request: HttpRequest) -> HttpResponseBase:
    """Which terms have the value."""
    parameters = asked(request, "value", "format")
    as_json = wants_json(request, parameters)
    value = query.plain_digits("value", parameters.get("value"))
    found = facts.terms_of(value)
    if not found:
        raise NotFibonacci(value)
    if as_json:
        return small(request, json.dumps({"value": value, "n": found}), JSON)
    return small(request, "\n".join(str(n) for n in found), PLAIN)


def usage(request: HttpRequest) -> str:
    """What to ask for, in one line."""
    address = request.build_absolute_uri("/?sn=20")
    return (
        f"Usage: {address} gives the first 20 Fibonacci numbers; "
        f"sn is a whole number from 0 to {conf.max_sn()}."
    )


@public
def description(request: HttpRequest) -> HttpResponseBase:
    """The service, as OpenAPI describes it."""
    return small(request, json.dumps(openapi.document(conf.max_sn())), JSON, REVALIDATE)


@public
def metrics_page(request: HttpRequest) -> HttpResponseBase:
    """What Prometheus scrapes."""
    page, content_type = metrics.exposition()
    return HttpResponse(page, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


@public
def livez(request: HttpRequest) -> HttpResponseBase:
    """Whether the process answers."""
    return plain(200, "alive")


@public
def readyz(request: HttpRequest) -> HttpResponseBase:
    """Whether the store and its index can be read."""
    build.store()
    Segment.objects.exists()
    return plain(200, "ready")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django itself refuses, such as a foreign Host."""
    return refusal(request, 400, f"The request was refused: {type(exception).__name__}.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """An address that there is not."""
    return refusal(request, 404, "There is nothing at this address; see / for what there is.")


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault of the program's own."""
    return refusal(request, 500, "The server made an error; it has been logged.")
