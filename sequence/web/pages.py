"""The HTML pages: what each of them shows."""

from pathlib import Path
from typing import Any

from django.template.loader import get_template, render_to_string

from sequence import conf
from sequence.protocol.answer import MAX_INLINE_BYTES
from sequence.protocol.query import MAX_VALUE_DIGITS
from sequence.segments import inventory
from sequence.text import facts, layout
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span
from sequence.web import plots as plotted
from sequence.web import residues, term_facts

TEMPLATES = Path(__file__).parent.parent / "templates"

WALKS = (7, 10, 12, 43, 61, 89, 97, 144, 167, 233)
"""Moduli whose walks differ."""
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
        digits=_shown(b"".join(term_facts.digits(n)).decode()) if n < conf.max_sn() else None,
        identity=[(name, _abbreviated(n - back)) for name, back in IDENTITY if n > 1],
        position=layout.offset(n) - layout.offset(first),
        stored=n < conf.max_sn() and inventory.is_stored(segment),
        file_name=layout.segment_name(segment),
        max_sn=conf.max_sn(),
    )


def value(digits: str, found: list[int]) -> str:
    """Return the page of the terms that have these digits, or of the two that they lie between."""
    before = None if found else facts.last_below(digits)
    return _page("value", digits=_shown(digits), found=found, before=before)


def plots(count: int, modulus: int) -> str:
    """Return the page of the plots of so many terms, and of their residues."""
    return _page(
        "plots",
        count=count,
        digits=plotted.digits(count),
        text_bytes=plotted.text_bytes(count),
        leading=plotted.leading(count),
        coverage=plotted.coverage(inventory.take()),
        walk=residues.walk(modulus),
        carpets=residues.carpets(),
        others=WALKS,
        usual=max(conf.max_sn(), 1),
        max_modulus=residues.MAX_MODULUS,
        usual_modulus=residues.USUAL_MODULUS,
    )


def refusal(title: str, sentence: str) -> str:
    """Return the page of an error."""
    return _page("refusal", title=title, sentence=sentence)


def _page(name: str, **context: Any) -> str:
    limits = {"max_n": layout.MAX_N, "max_value_digits": MAX_VALUE_DIGITS}
    return render_to_string(f"sequence/{name}.html", context | limits).strip()


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
