"""The HTML pages: what each of them shows."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from django.template.loader import get_template, render_to_string
from django.utils.safestring import SafeString, mark_safe

from sequence import __version__, conf
from sequence.protocol import query
from sequence.protocol.answer import MAX_INLINE_BYTES
from sequence.segments import inventory
from sequence.text import digests, divisibility, doubling, facts, golden, layout, zeckendorf
from sequence.text.divisibility import MAX_FACTORED
from sequence.text.format import FORMATS
from sequence.text.representation import AnyRepresentation, Representation
from sequence.text.search import Place
from sequence.text.span import Span
from sequence.web import (
    amounts,
    check_values,
    drawing,
    forms,
    guides,
    reference,
    residues,
    term_facts,
)
from sequence.web import plots as plotted

AS_PAGE = "format=html"
"""In links to share: those who preview links mostly accept anything, and would be sent text."""
TEMPLATES = Path(__file__).parent.parent / "templates"

WALKS = (7, 10, 12, 43, 61, 89, 97, 144, 167, 233)
"""Moduli whose walks differ."""
FIRST_TERMS = 31
"""How many terms the front page shows."""
EXAMPLE_SN = 1000
EXAMPLE_N = 1_000_000
"""What its forms ask for by default."""
FIELDS = ("n", "sn", "start", "format")
"""The parameters that its forms have a field for."""
SCREENFUL_BYTES = 1200
"""How much of the beginning of a window it shows."""
MAX_SHOWN_TERMS = 24
"""Of the divisors of a term, and of the summands of a number."""
EXACT_RATIOS = (1, 2, 3, 5, 6)
"""Of the terms that are products of twos and fives alone: these ratios end."""
POINT = 2
"""How many characters stand before the decimal places of a ratio."""
EASY_DIGITS = 100_000
"""The beginning of a window of longer terms takes too long to be shown with each key."""

ZSTD_SHARE, GZIP_SHARE = 0.427, 0.437
"""What the codings leave of digits (docs/performance.md)."""

LIVE_DIGITS = 20
"""How many digits of either end the answer of its field has."""

GROUP_DIGITS = 10
LINE_DIGITS = 100
SCALES = ((20, "huge"), (200, "large"))
"""The classes of digits that are so few that they can be shown large."""
MAX_SHOWN_DIGITS = 130_000
"""Of longer terms half as many are shown from each end: a page has 100 KB in gzip at most."""
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


def front(root: str, asked: str = "") -> str:
    """Return the front page of the service that has this address, its forms filled by a query.

    Raises ParameterError for what cannot be answered.
    """
    return _page(
        "front",
        root=root,
        canonical=root,
        picture=f"{root}card.png",
        all_size=amounts.size(layout.offset(conf.max_sn())),
        terms=[(n, facts.first_digits(n)) for n in range(min(FIRST_TERMS, conf.max_sn()))],
        triangle=drawing.triangle(),
        small_triangle=drawing.triangle(18, 24),
        **_number(asked),
        **_window(root, asked),
    )


def _number(asked: str) -> dict[str, Any]:
    """Return what the field of the front page holds, and the answer to it."""
    typed = forms.number(asked, EXAMPLE_N)
    n = query.whole_number("n", forms.plain(typed), layout.MAX_N)
    length, text_bytes = layout.digit_count(n), layout.offset(n + 1)
    return {
        "typed": typed,
        "n": n,
        "digit_count": length,
        "ends": _ends(n),
        "text_size": amounts.size(text_bytes),
        "transfer": amounts.transfer(text_bytes),
        "paper": amounts.paper(length),
    }


def _ends(n: int) -> list[str]:
    """Return the digits of F(n) in a line, or in one from each end."""
    if layout.digit_count(n) <= 2 * LIVE_DIGITS:
        return [facts.first_digits(n, 2 * LIVE_DIGITS)]
    return [facts.first_digits(n, LIVE_DIGITS), facts.last_digits(n, LIVE_DIGITS)]


def _window(root: str, asked: str) -> dict[str, Any]:
    """Return what the form for windows holds, and what the answer to it costs."""
    form = forms.window(asked, min(EXAMPLE_SN, conf.max_sn()))
    found = query.representation(form.query, conf.max_sn(), conf.max_term())
    length = found.length or 0
    return {
        "form": form,
        "found": found,
        "address": f"{root}?{form.query}",
        "size": amounts.size(length),
        "transfer_size": amounts.transfer(length),
        "zstd_size": amounts.size(round(ZSTD_SHARE * length)),
        "gzip_size": amounts.size(round(GZIP_SHARE * length)),
        "is_long": length > MAX_INLINE_BYTES,
        "beginning": _beginning(found),
    }


def _beginning(found: AnyRepresentation) -> str:
    """Return the first bytes. Nothing is stored for them, and no compiler loaded for digits."""
    if layout.digit_count(found.terms.start) > EASY_DIGITS:
        return ""
    if not isinstance(found, Representation):
        first = Span(0, min(found.length or 0, SCREENFUL_BYTES))
        return b"".join(found.chunks(first)).decode()
    shown = bytearray(found.header)
    before, value = (Decimal(digits.decode()) for digits in doubling.pair(found.terms.start))
    for n in range(found.terms.start, found.terms.stop):
        shown += found.format.lead(n) + str(before).encode() + found.format.after
        if len(shown) >= SCREENFUL_BYTES:
            break
        before, value = value, doubling.EXACT.add(before, value)
    return shown[:SCREENFUL_BYTES].decode()


def term(n: int, modulus: int | None, root: str = "/") -> str:
    """Return the page of one term, with its digits if a client may ask for those."""
    known = term_facts.of(n, modulus)
    segment = conf.layout().segment_of(n)
    first = conf.layout().terms(segment).start
    canonical = f"{root}terms/{n}"
    return _page(
        "term",
        root=root,
        canonical=canonical,
        shared=f"{canonical}?{AS_PAGE}",
        picture=f"{root}card.png?n={n}",
        known=known,
        short=_abbreviated(n),
        paper=amounts.paper(layout.digit_count(n)),
        text_size=amounts.size(layout.offset(n + 1)),
        bibtex=_bibtex(known, canonical),
        identity=[(name, _abbreviated(n - back)) for name, back in IDENTITY if n > 1],
        position=layout.offset(n) - layout.offset(first),
        stored=n < conf.max_sn() and inventory.is_stored(segment),
        file_name=layout.segment_name(segment),
        **_mathematics(n),
        period=divisibility.pisano_period(modulus) if modulus and modulus <= MAX_FACTORED else None,
        **_digits(term_facts.digits(n) if n <= conf.max_term() else ""),
    )


def _mathematics(n: int) -> dict[str, Any]:
    """Return what number theory says of a term by its index alone; nothing of F(0)."""
    if not n:
        return {}
    ratio = golden.ratio(n)
    agreed = min(ratio.agreed, len(ratio.digits) - POINT)
    count = divisibility.divisor_count(n)
    return {
        "ratio": (ratio.digits[: POINT + agreed], ratio.digits[POINT + agreed :]),
        "agreed": ratio.agreed,
        "is_counted": ratio.is_counted,
        "is_exact": n in EXACT_RATIOS,
        "divisors": divisibility.divisors(n, MAX_SHOWN_TERMS),
        "more_divisors": max(count - MAX_SHOWN_TERMS, 0),
        "is_prime": divisibility.is_prime(n),
    }


def _bibtex(known: Mapping[str, object], canonical: str) -> str:
    """Return the entry by which LaTeX cites a term."""
    digest = f", SHA-256 {known['sha256']}" if known["sha256"] else ""
    return "\n".join(
        (
            f"@misc{{fibonacci{known['n']},",
            f"  title = {{The {{Fibonacci}} number $F({known['n']})$}},",
            f"  howpublished = {{\\url{{{canonical}}}}},",
            f"  note = {{{known['digit_count']} decimal digits{digest}}}",
            "}",
        )
    )


def contains(digits: str, place: Place | None, root: str) -> str:
    """Return the page of the first term that contains the digits, or of there being none."""
    context: dict[str, Any] = {"digits": digits, "place": place, "looked_up": {"digits": digits}}
    canonical = f"{root}terms?contains={digits}"
    context |= {"root": root, "canonical": canonical, "shared": f"{canonical}&{AS_PAGE}"}
    if place:
        context["picture"] = f"{root}card.png?n={place.n}"
        shown_to = place.position + len(digits) + len(place.after)
        context["has_more"] = shown_to < layout.digit_count(place.n)
    return _page("contains", **context)


def value(digits: str, found: list[int]) -> str:
    """Return the page of the terms that have these digits, or of the two that they lie between."""
    before = None if found else facts.last_below(digits)
    return _page(
        "value",
        found=found,
        before=before,
        looked_up={"value": digits},
        short=digits
        if len(digits) <= SHORT_DIGITS
        else f"{digits[:END_DIGITS]}…{digits[-END_DIGITS:]}",
        **(_sum(digits) if before else {}),
        **_digits(digits),
    )


def _sum(digits: str) -> dict[str, Any]:
    """Return the terms that a number is the sum of."""
    summands = zeckendorf.indices(digits)
    more = len(summands) - MAX_SHOWN_TERMS
    return {"summands": summands[:MAX_SHOWN_TERMS], "more_summands": max(more, 0)}


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


def refusal(title: str, sentence: str, path: str = "", sent: str = "", parameter: str = "") -> str:
    """Return the page of an error, with the form that sent the query, as it was filled in."""
    is_number = path == "/" and parameter == "n"
    is_window = path == "/" and not is_number
    typed = forms.fields(sent)
    return _page(
        "refusal",
        title=title,
        sentence=sentence,
        fault={parameter: sentence},
        at_field=path == "/" and parameter in FIELDS,
        looked_up=typed,
        typed=typed.get("n", ""),
        is_front=is_number,
        form=forms.window(sent, EXAMPLE_SN) if is_window else None,
    )


def _page(template: str, **context: Any) -> str:
    known = {
        "numeral": f"[0-9{forms.BETWEEN_DIGITS}]",
        "between": f"[{forms.BETWEEN_DIGITS}]",
        "max_n": layout.MAX_N,
        "max_sn": conf.max_sn(),
        "max_term": conf.max_term(),
        "max_value_digits": query.MAX_VALUE_DIGITS,
        "max_inline_bytes": MAX_INLINE_BYTES,
        "formats": [*FORMATS, digests.NAME],
    }
    return render_to_string(f"sequence/{template}.html", known | context).strip()


class Line(NamedTuple):
    """A hundred digits in groups of ten, from the digit at this place on, the first being 1."""

    at: int
    groups: SafeString
    """In HTML: a template would take a third of a second for those of the longest page."""


def _digits(digits: str) -> dict[str, Any]:
    """Return the digits in lines: all in one part, or those from each end in two."""
    half = MAX_SHOWN_DIGITS // 2
    spans = [Span(0, len(digits))]
    if len(digits) > MAX_SHOWN_DIGITS:
        # A line begins at the same place in either part.
        last = -(-(len(digits) - half) // LINE_DIGITS) * LINE_DIGITS
        spans = [Span(0, half), Span(last, len(digits))]
    scale = next((name for most, name in SCALES if len(digits) <= most), "")
    return {"digits": [_lines(digits, span) for span in spans] if digits else [], "scale": scale}


def _lines(digits: str, span: Span) -> list[Line]:
    return [
        Line(start + 1, _groups(digits[start : min(start + LINE_DIGITS, span.stop)]))
        for start in range(span.start, span.stop, LINE_DIGITS)
    ]


def _groups(line: str) -> SafeString:
    groups = (line[start : start + GROUP_DIGITS] for start in range(0, len(line), GROUP_DIGITS))
    return mark_safe(f"<i>{'</i><i>'.join(groups)}</i>")  # noqa: S308


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
        max_bytes=layout.offset(conf.max_sn()),
        max_inline_bytes=MAX_INLINE_BYTES,
    )


def _guided(template: str, name: str = "", **context: Any) -> str:
    """Return a page of the documentation, with the list of all of its pages."""
    listed = [(each, guides.read_guide(each).title) for each in guides.NAMES]
    return _page(template, name=name, listed=listed, **context)
