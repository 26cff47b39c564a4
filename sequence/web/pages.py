"""The HTML pages: what each of them shows."""

from pathlib import Path
from typing import Any

from django.template.loader import get_template, render_to_string

from sequence import __version__, conf
from sequence.protocol.answer import MAX_INLINE_BYTES
from sequence.protocol.query import MAX_VALUE_DIGITS
from sequence.segments import inventory
from sequence.text import facts, layout
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.search import MAX_DIGITS, MIN_DIGITS, Place
from sequence.text.span import Span
from sequence.web import check_values, guides, reference, term_facts
from sequence.web import plots as plotted

TEMPLATES = Path(__file__).parent.parent / "templates"

FIRST_TERMS = 31
"""How many terms the front page shows."""
EXAMPLE_SN = 1000
"""How many terms its form asks for by default."""

GROUP_DIGITS = 10
MAX_SHOWN_DIGITS = 25_000
"""Of longer terms half as many are shown from each end."""
SHORT_DIGITS = 24
"""Longer terms are abbreviated in their identity, to END_DIGITS from each end."""
END_DIGITS = 10
IDENTITY = (("F(n − 2)", 2), ("+ F(n − 1)", 1), ("= F(n)", 0))
"""Its parts, and how far before n their terms are."""


def load() -> None:
    """Load all templates, and what rendering needs.

    Django loads each at its first use, when there may be no descriptor left for its file.
    """
    for path in TEMPLATES.glob("sequence/*.html"):
        get_template(str(path.relative_to(TEMPLATES)))
    front("/")
    documentation()


def front(root: str) -> str:
    """Return the front page of the service that has this address."""
    sn = min(EXAMPLE_SN, conf.max_sn())
    return _page(
        "front",
        terms=[(n, facts.first_digits(n)) for n in range(min(FIRST_TERMS, conf.max_sn()))],
        formats=list(FORMATS),
        max_sn=conf.max_sn(),
        example=Representation(FORMATS["text"], Span(0, sn)),
        address=f"{root}?sn={sn}",
        max_inline_bytes=MAX_INLINE_BYTES,
    )


def term(n: int, modulus: int | None) -> str:
    """Return the page of one term, with its digits if a client may ask for those."""
    known = term_facts.of(n, modulus)
    segment = conf.layout().segment_of(n)
    first = conf.layout().terms(segment).start
    return _page(
        "term",
        known=known,
        digits=_shown(term_facts.digits(n)) if n <= conf.max_term() else None,
        identity=[(name, _abbreviated(n - back)) for name, back in IDENTITY if n > 1],
        position=layout.offset(n) - layout.offset(first),
        stored=n < conf.max_sn() and inventory.is_stored(segment),
        file_name=layout.segment_name(segment),
        max_sn=conf.max_sn(),
        max_term=conf.max_term(),
    )


def contains(digits: str, place: Place | None) -> str:
    """Return the page of the first term that contains the digits, or of there being none."""
    context = {"digits": digits, "place": place, "max_sn": conf.max_sn()}
    if place:
        shown_to = place.position + len(digits) + len(place.after)
        context["has_more"] = shown_to < layout.digit_count(place.n)
    return _page("contains", **context)


def value(digits: str, found: list[int]) -> str:
    """Return the page of the terms that have these digits, or of the two that they lie between."""
    before = None if found else facts.last_below(digits)
    return _page("value", digits=_shown(digits), found=found, before=before)


def plots(count: int) -> str:
    """Return the page of the plots of so many terms."""
    return _page(
        "plots",
        count=count,
        digits=plotted.digits(count),
        text_bytes=plotted.text_bytes(count),
        leading=plotted.leading(count),
        coverage=plotted.coverage(inventory.take()),
    )


def refusal(title: str, sentence: str) -> str:
    """Return the page of an error."""
    return _page("refusal", title=title, sentence=sentence)


def _page(template: str, **context: Any) -> str:
    limits = {
        "max_n": layout.MAX_N,
        "max_value_digits": MAX_VALUE_DIGITS,
        "min_find_digits": MIN_DIGITS,
        "max_find_digits": MAX_DIGITS,
    }
    return render_to_string(f"sequence/{template}.html", context | limits).strip()


def _shown(digits: str) -> list[list[str]]:
    """Return the digits in groups: all in one part, or those from each end in two."""
    half = MAX_SHOWN_DIGITS // 2
    parts = [digits] if len(digits) <= MAX_SHOWN_DIGITS else [digits[:half], digits[-half:]]
    return [
        [part[start : start + GROUP_DIGITS] for start in range(0, len(part), GROUP_DIGITS)]
        for part in parts
    ]


def _abbreviated(n: int) -> str:
    if layout.digit_count(n) <= SHORT_DIGITS:
        return facts.first_digits(n, SHORT_DIGITS)
    return f"{facts.first_digits(n, END_DIGITS)}…{facts.last_digits(n, END_DIGITS)}"


def documentation() -> str:
    """Return the list of the guides."""
    listed = [(name, guides.read_guide(name)) for name in guides.NAMES]
    return _guided("documentation", guides=listed)


def guide(name: str, root: str) -> str:
    """Return the page of a guide, with examples that ask the service at this address."""
    shown = guides.read_guide(name).at(root)
    if name != check_values.PAGE:
        return _guided("guide", name, guide=shown)
    computed = {
        "fits": check_values.fits(),
        "residues": check_values.residues(),
        "traces": check_values.traces(),
    }
    return _guided("check", name, guide=shown, **computed)


def api(document: dict[str, Any], root: str) -> str:
    """Return the page of the API that the OpenAPI document describes."""
    return _guided(
        "api",
        "api",
        root=root.rstrip("/"),
        info=document["info"],
        introduction=guides.line(document["info"]["description"]),
        operations=reference.operations(document),
        statuses=reference.statuses(document),
        headers=reference.headers(document),
        objects=reference.objects(document),
    )


def about() -> str:
    """Return the page about the sequence and the service."""
    return _guided(
        "about",
        "about",
        version=__version__,
        encodings=conf.encodings(),
        max_term=conf.max_term(),
        max_sn=conf.max_sn(),
        max_bytes=layout.offset(conf.max_sn()),
        max_inline_bytes=MAX_INLINE_BYTES,
    )


def _guided(template: str, name: str = "", **context: Any) -> str:
    """Return a page of the documentation, with the list of all of its pages."""
    listed = [(each, guides.read_guide(each).title) for each in guides.NAMES]
    return _page(template, name=name, listed=listed, **context)
