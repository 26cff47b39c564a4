"""What the query of a request asks for."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from sequence.errors import ParameterError, UnknownParameter
from sequence.text import digests, facts, search
from sequence.text.digests import Digests
from sequence.text.format import FORMATS
from sequence.text.layout import MAX_N
from sequence.text.representation import AnyRepresentation, Representation
from sequence.text.residues import MAX_MODULUS, Residues
from sequence.text.span import Span

WINDOW = ("sn", "start", "format", "mod")
TERM = ("format", "base", "first", "last", "mod")
LOOK_UP = ("value", "contains", "format")
"""The parameters of each address."""

_TRACKING = re.compile(r"utm_[a-z]+|fbclid|gclid|msclkid", re.ASCII)
"""What other sites add to links that people send each other, to follow them."""
_WRITTEN = (*FORMATS, digests.NAME)
_RADICES = {"10": 10, "16": 16}
MAX_VALUE_DIGITS = 8000
"""About what fits into the first line of a request (fibosite/gunicorn.conf.py)."""

# A whole number in plain decimal digits. int() alone also takes signs, spaces, underscores and
# the digits of other scripts, and refuses long ones.
_WHOLE = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_PART = re.compile(rf"[0-9]{{{search.MIN_DIGITS},{search.MAX_DIGITS}}}", re.ASCII)


def parse(query: str, known: tuple[str, ...]) -> dict[str, str]:
    """Return the parameters of a query by name, decoded (WHATWG URL Standard, section 5.1).

    Those that follow people are left out. Raises UnknownParameter, and ParameterError if one is
    given twice.
    """
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            if _TRACKING.fullmatch(name):
                continue
            raise UnknownParameter(name, value, known)
        if name in parameters:
            raise ParameterError(name, value, "given once", "given more than once")
        parameters[name] = value
    return parameters


def is_only_tracking(query: str) -> bool:
    """Return whether the query has nothing but what follows people."""
    return all(_TRACKING.fullmatch(name) for name, _ in parse_qsl(query, keep_blank_values=True))


def whole_number(parameter: str, value: str | None, most: int, least: int = 0) -> int:
    """Return the value as a number from `least` to `most`; raises ParameterError if it is none."""
    # The length comes first: int() takes long for many digits, or refuses them.
    if value is not None and _WHOLE.fullmatch(value) and len(value) <= len(str(most)):
        number = int(value)
        if least <= number <= most:
            return number
    allowed = f"a whole number from {least} to {most} in plain decimal digits"
    raise ParameterError(parameter, value, allowed, maximum=most)


def plain_digits(parameter: str, value: str | None) -> str:
    """Return the value if it is a long whole number; else raises ParameterError."""
    if value is None or not _WHOLE.fullmatch(value) or len(value) > MAX_VALUE_DIGITS:
        allowed = f"a whole number of at most {MAX_VALUE_DIGITS} plain decimal digits"
        raise ParameterError(parameter, value, allowed)
    return value


def choice(
    parameter: str, parameters: Mapping[str, str], allowed: Collection[str], default: str = ""
) -> str:
    """Return the parameter's value, or the default if it is missing.

    Raises ParameterError if it is none of those allowed.
    """
    value = parameters.get(parameter)
    if value is not None and value not in allowed:
        raise ParameterError(parameter, value, " or ".join(allowed))
    return default if value is None else value


def representation(query: str, max_sn: int, max_term: int) -> AnyRepresentation:
    """Return what `sn`, `start`, `format` and `mod` ask for.

    Terms come before F(max_sn), residues up to F(max_term). Raises UnknownParameter, and
    ParameterError if a parameter is not what it may be, or `sn` and `start` go too far together.
    """
    parameters = parse(query, WINDOW)
    format = choice("format", parameters, _WRITTEN, default="text")
    if "mod" not in parameters:
        terms = _window(parameters, max_sn, max_sn)
        return Digests(terms) if format == digests.NAME else Representation(FORMATS[format], terms)
    modulus = whole_number("mod", parameters["mod"], MAX_MODULUS, least=1)
    if format not in FORMATS:
        raise ParameterError("format", format, f"{' or '.join(FORMATS)} if mod is given")
    return Residues(FORMATS[format], _window(parameters, max_term, max_term + 1), modulus)


def _window(parameters: Mapping[str, str], max_sn: int, stop: int) -> Span:
    """Return the terms: no more than `max_sn`, and all before `stop`."""
    sn = whole_number("sn", parameters.get("sn"), max_sn)
    start = whole_number("start", parameters.get("start", "0"), stop - sn)
    return Span(start, start + sn)


class TermQuery(NamedTuple):
    """What is asked about one term: its digits in a radix, some of them, or its residue."""

    n: int
    radix: int = 10
    modulus: int | None = None
    first: int | None = None
    last: int | None = None

    @property
    def is_partial(self) -> bool:
        """Whether only the first or last digits are asked for."""
        return self.first is not None or self.last is not None


def term(n: str, parameters: Mapping[str, str]) -> TermQuery:
    """Return what the address and the parameters ask for; raises ParameterError."""
    given = [name for name in ("base", "mod", "first", "last") if name in parameters]
    if len(given) > 1 and given != ["first", "last"]:
        name = given[1]
        raise ParameterError(name, parameters[name], f"left out if {given[0]} is given")
    limits = {"mod": MAX_MODULUS, "first": facts.MAX_DIGITS, "last": facts.MAX_DIGITS}
    numbers = {
        name: whole_number(name, parameters[name], most, least=1)
        for name, most in limits.items()
        if name in parameters
    }
    return TermQuery(
        whole_number("n", n, MAX_N),
        _RADICES[choice("base", parameters, _RADICES, default="10")],
        numbers.get("mod"),
        numbers.get("first"),
        numbers.get("last"),
    )


def digits_to_find(parameters: Mapping[str, str]) -> str:
    """Return the digits that a term must contain; raises ParameterError."""
    digits = parameters["contains"]
    if "value" in parameters:
        raise ParameterError("contains", digits, "left out if value is given")
    if not _PART.fullmatch(digits):
        allowed = f"{search.MIN_DIGITS} to {search.MAX_DIGITS} plain decimal digits"
        raise ParameterError("contains", digits, allowed)
    return digits
