"""Requests in, responses out: look up, decide, respond."""

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.utils.cache import patch_vary_headers

from sequence import conf
from sequence.errors import FiboError, NotContained, NotFibonacci, ParameterError
from sequence.protocol import query
from sequence.segments import inventory
from sequence.text import facts, search
from sequence.text.format import PLAIN
from sequence.text.layout import MAX_N
from sequence.text.residues import Residues
from sequence.text.term import Numeral
from sequence.web import bulkhead, cards, forms, guides, metrics, pages, residues, term_facts
from sequence.web.png import PNG
from sequence.web.refusals import HTML, JSON, PAGE, negotiated, refuse, refuse_for, uncached
from sequence.web.responses import preferred, public, represent, small

OPENAPI = (Path(__file__).parent / "web" / "openapi.json").read_text()
"""The service in the terms of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1). Read here, as
there may be no descriptor for a file when it is asked for."""
UNCACHED = {"Cache-Control": "no-store"}
REVALIDATE = "public, no-cache"
"""For what depends on the operator's settings."""
SLOW_TERM = 1_000_000
"""Its digits take some 10 ms; those of F(10^7) 65."""
SHORT_DIGITS = 100
"""So many first or last digits take less than a millisecond at n = 10^18; 10,000 take 0.25 s."""
HAS_LEFT = "fibo.has_left"
"""Where the server puts a function that says whether the client has closed its connection."""
A_DAY = "public, max-age=86400"
"""For pictures, which can be drawn better."""
ROBOTS = """\
User-agent: *
Disallow: /?sn=
Disallow: /?n=
Disallow: /?ask=
Disallow: /terms
Disallow: /look-up
Disallow: /plots?sn=
Disallow: /admin/
Disallow: /metrics

User-agent: Twitterbot
User-agent: facebookexternalhit
User-agent: LinkedInBot
User-agent: Slackbot-LinkExpanding
User-agent: Discordbot
User-agent: TelegramBot
User-agent: WhatsApp
Disallow: /?sn=
Disallow: /admin/
Disallow: /metrics
"""
"""What crawlers may not ask for (RFC 9309): pages link to one another through 10^18 terms. Some
only preview a link for the people who are sent it, and follow no others."""


def _query(request: HttpRequest) -> str:
    return str(request.META.get("QUERY_STRING", ""))


def asked(request: HttpRequest, *known: str) -> dict[str, str]:
    """Return the parameters of the request's query."""
    return query.parse(_query(request), known)


def root(request: HttpRequest) -> HttpResponseBase:
    """Return the text that a query asks for; without one, or for a form's, the front page."""
    return front(request) if forms.is_for_pages(_query(request)) else text(request)


@public
def front(request: HttpRequest) -> HttpResponseBase:
    """Return the front page, or for those who do not prefer HTML a line that says what to ask."""
    if preferred(request, {}) == HTML:
        return page(request, pages.front(request.build_absolute_uri("/"), _query(request)))
    return refuse(request, 400, usage(request), parameter="sn", maximum=conf.max_sn())


@public
def text(request: HttpRequest) -> HttpResponseBase:
    """Return a window of the terms, their residues or their digests, in a format."""
    asked = request.META["QUERY_STRING"]
    representation = query.representation(asked, conf.max_sn(), conf.max_term())
    response = represent(request, representation)
    stop, terms, more = conf.max_sn(), representation.terms, ""
    if representation.name != "text":
        more = f"&format={representation.name}"
    if isinstance(representation, Residues):
        stop, more = conf.max_term() + 1, f"{more}&mod={representation.modulus}"
    if following := min(terms.length, stop - terms.stop):
        response.headers["Link"] = f'</?sn={following}&start={terms.stop}{more}>; rel="next"'
    return response


@public
def term(request: HttpRequest, n: str) -> HttpResponseBase:
    """Return the digits of one term, some of them, or its residue; as a page or in JSON facts."""
    parameters = asked(request, *query.TERM)
    kind = preferred(request, parameters)
    about = query.term(n, parameters)
    if about.is_partial:
        return _ends(request, about, kind)
    if kind == HTML and about.radix == 10:
        root = request.build_absolute_uri("/")
        with _turn(about.n):
            return page(request, pages.term(about.n, about.modulus, root))
    if kind == JSON:
        with _turn(about.n):
            return small(request, json.dumps(term_facts.about(about)), JSON, REVALIDATE)
    if about.modulus:
        return small(request, str(facts.residue(about.n, about.modulus)), PLAIN)
    return _digits(request, about)


def _turn(n: int) -> AbstractContextManager[None]:
    """Return what to enter while the digits of the term may be computed."""
    return bulkhead.terms.entered() if SLOW_TERM <= n <= conf.max_term() else nullcontext()


def _digits(request: HttpRequest, about: query.TermQuery) -> HttpResponseBase:
    if about.n > conf.max_term():
        allowed = (
            f"at most {conf.max_term()} for its digits; "
            "format=json tells of it without them, first=20 or last=20 gives some"
        )
        raise ParameterError("n", str(about.n), allowed, maximum=conf.max_term())
    response = represent(request, Numeral(about.n, about.radix), partial(_turn, about.n))
    patch_vary_headers(response, ["Accept"])
    return response


def _ends(request: HttpRequest, about: query.TermQuery, kind: str) -> HttpResponseBase:
    """Return the first digits, the last ones, or both: in lines, or in JSON."""
    takes_long = max(about.first or 0, about.last or 0) > SHORT_DIGITS
    with bulkhead.terms.entered() if takes_long else nullcontext():
        found = term_facts.ends(about)
    if kind == JSON:
        return small(request, json.dumps(found), JSON)
    named = ("first_digits", "last_digits")
    return small(request, "\n".join(str(found[name]) for name in named if name in found), PLAIN)


@public
def terms(request: HttpRequest) -> HttpResponseBase:
    """Return which terms have the value, or the first one that contains the digits."""
    parameters = asked(request, *query.LOOK_UP)
    kind = preferred(request, parameters)
    if "contains" in parameters:
        return _first_place(request, query.digits_to_find(parameters), kind)
    return _terms_of_value(request, query.plain_digits("value", parameters.get("value")), kind)


def _first_place(request: HttpRequest, digits: str, kind: str) -> HttpResponseBase:
    has_left: Callable[[], bool] = request.META.get(HAS_LEFT, search.never)
    with bulkhead.searches.entered():
        place = search.first_place(digits, conf.max_sn(), has_left)
    if kind == HTML:
        root = request.build_absolute_uri("/")
        return page(request, pages.contains(digits, place, root), 200 if place else 404)
    if not place:
        raise NotContained(digits, conf.max_sn())
    found = {"contains": digits, **place._asdict()}
    if kind == JSON:
        return small(request, json.dumps(found), JSON)
    return small(request, "\n".join(f"{name} {value}" for name, value in found.items()), PLAIN)


def _terms_of_value(request: HttpRequest, value: str, kind: str) -> HttpResponseBase:
    found = facts.terms_of(value)
    if kind == HTML:
        return page(request, pages.value(value, found), 200 if found else 404)
    if not found:
        raise NotFibonacci(value)
    if kind == JSON:
        return small(request, json.dumps({"value": value, "n": found}), JSON)
    return small(request, "\n".join(str(n) for n in found), PLAIN)


@public
def plots(request: HttpRequest) -> HttpResponseBase:
    """Return the page of the plots of the first terms and of the store."""
    parameters = asked(request, "sn", "mod")
    count = parameters.get("sn", str(max(conf.max_sn(), 1)))
    terms = query.whole_number("sn", count, MAX_N, least=1)
    modulus = parameters.get("mod", str(residues.USUAL_MODULUS))
    walked = query.whole_number("mod", modulus, residues.MAX_MODULUS, least=2)
    return page(request, pages.plots(terms, walked))


@public
def documentation(request: HttpRequest, name: str = "") -> HttpResponseBase:
    """Return a page of the documentation, or a file that goes with it."""
    root = request.build_absolute_uri("/")
    if name in guides.FILES:
        return small(request, guides.FILES[name].rstrip("\n"), PLAIN, REVALIDATE)
    if name in guides.NAMES:
        return page(request, pages.guide(name, root))
    if name == "api":
        return page(request, pages.api(described(), root))
    if name:
        return not_found(request, Http404())
    return page(request, pages.documentation())


@public
def about(request: HttpRequest) -> HttpResponseBase:
    """Return the page about the sequence and the service."""
    return page(request, pages.about())


@public
def look_up(request: HttpRequest) -> HttpResponseBase:
    """Redirect a form, into which people type numbers as they write them, to what it asks for."""
    typed = asked(request, "n", "mod", "value", "digits")
    return HttpResponseRedirect(forms.target(typed, conf.max_sn()), headers=UNCACHED)


@public
def card(request: HttpRequest) -> HttpResponseBase:
    """Return the picture of a term, or of the service, for those who preview a link."""
    parameters = asked(request, "n")
    if "n" not in parameters:
        return small(request, cards.front(), PNG, A_DAY)
    n = query.whole_number("n", parameters["n"], MAX_N)
    with bulkhead.terms.entered():
        return small(request, cards.term(n), PNG, A_DAY)


def page(request: HttpRequest, html: str, status: int = 200) -> HttpResponseBase:
    """Return the response of a page."""
    if status == 200:
        return small(request, html, PAGE, REVALIDATE)
    return negotiated(request, status, html, PAGE)


def usage(request: HttpRequest) -> str:
    """Return what to ask for, in one line."""
    address = request.build_absolute_uri("/?sn=20")
    return (
        f"Usage: {address} gives the first 20 Fibonacci numbers; "
        f"sn is a whole number from 0 to {conf.max_sn()}."
    )


def described() -> dict[str, Any]:
    """Return the OpenAPI document, with the one value that settings decide put in."""
    document: dict[str, Any] = json.loads(OPENAPI)
    maximum = max(conf.max_sn(), conf.max_term())
    document["components"]["schemas"]["Count"]["maximum"] = maximum
    return document


@public
def description(request: HttpRequest) -> HttpResponseBase:
    """Return the OpenAPI document."""
    return small(request, json.dumps(described()), JSON, REVALIDATE)


@public
def robots(request: HttpRequest) -> HttpResponseBase:
    """Return what crawlers may ask for: the front page, the plots and the description."""
    return small(request, ROBOTS.strip(), PLAIN, REVALIDATE)


@public
def metrics_page(request: HttpRequest) -> HttpResponseBase:
    """Return what Prometheus scrapes."""
    page, content_type = metrics.exposition()
    return HttpResponse(page, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


@public
def livez(request: HttpRequest) -> HttpResponseBase:
    """Return whether the process answers."""
    return uncached(200, "alive")


@public
def readyz(request: HttpRequest) -> HttpResponseBase:
    """Return whether the store and its index can be read, and belong together.

    If some files are missing, they are rebuilt as they are asked for, so a balancer must go on
    asking. If all of them are missing, the disk is not mounted, or is another index's.
    """
    found = inventory.take()
    if not found.missing:
        return uncached(200, "ready")
    lost = (
        f"The index has {len(found.stored) + len(found.missing):,} segments; the files of "
        f"{len(found.missing):,} are missing or have another length"
    )
    if found.stored:
        return uncached(200, f"ready. {lost}; `manage.py verify --repair` rebuilds them.")
    return uncached(
        503,
        f"not ready. {lost}: see that {conf.segments_dir().name} is mounted and is the index's; "
        "then `manage.py verify --repair` rebuilds them.",
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to what Django itself refuses, such as a foreign Host."""
    return refuse(request, 400, f"The request was refused: {type(exception).__name__}.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to an unknown address."""
    return refuse(request, 404, "There is nothing at this address; see / for what there is.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond to an error that no view has caught: of the store, the accounts or the program."""
    error = sys.exception()
    if isinstance(error, FiboError | OSError | DatabaseError):
        return refuse_for(request, error)
    return refuse(request, 500, "The server made an error; it has been logged.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuse a form of the admin that came without its cookie, and say what to do."""
    if request.is_secure():
        sentence = "The browser did not send this form's cookie; reload the form and try again."
    else:
        sentence = (
            "The admin's cookies are sent over HTTPS or to localhost only; use one of them. "
            "A proxy that ends TLS must be named in FORWARDED_ALLOW_IPS (docs/operations.md)."
        )
    return refuse(request, 403, sentence)
