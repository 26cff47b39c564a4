"""What the query of a request asks for."""

import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from sequence.errors import ParameterError, UnknownParameter
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span

MAX_MODULUS = 2**128
MAX_VALUE_DIGITS = 8000
"""About what fits into the first line of a request (fibosite/gunicorn.conf.py)."""

# A whole number in plain decimal digits. int() alone also takes signs, spaces, underscores and
# the digits of other scripts, and refuses long ones.
_WHOLE = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def parse(query: str, known: tuple[str, ...]) -> dict[str, str]:
    """Return the parameters of a query by name, decoded (WHATWG URL Standard, section 5.1).

    Raises UnknownParameter, and ParameterError if one is given twice.
    """
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise UnknownParameter(name, value, known)
        if name in parameters:
            raise ParameterError(name, value, "given once", "given more than once")
        parameters[name] = value
    return parameters


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


def representation(query: str, maximum: int) -> Representation:
    """Return what `sn`, `start` and `format` ask for, of no term at or beyond `maximum`.

    Raises UnknownParameter, and ParameterError if `sn` and `start` are not whole numbers or pass
    the maximum together, or if there is no such format.
    """
    parameters = parse(query, ("sn", "start", "format"))
    format = choice("format", parameters, FORMATS, default="text")
    sn = whole_number("sn", parameters.get("sn"), maximum)
    start = whole_number("start", parameters.get("start", "0"), maximum - sn)
    return Representation(FORMATS[format], Span(start, start + sn))
