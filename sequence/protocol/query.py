"""What the query of a request asks for."""

import re
from urllib.parse import parse_qsl

from sequence.errors import ParameterError, shortened

# A whole number in plain decimal digits. int() alone also takes signs, spaces, underscores and
# the digits of other scripts, and refuses long ones.
_WHOLE = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def parse(query: str, known: tuple[str, ...]) -> dict[str, str]:
    """The parameters of a query by name, decoded (WHATWG URL Standard, section 5.1).

    Raises ParameterError where one is not known or is given twice.
    """
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            allowed = " or ".join(known)
            raise ParameterError(f"Parameter {shortened(name)}", value, allowed, "not known")
        if name in parameters:
            raise ParameterError(name, value, "given once", "given more than once")
        parameters[name] = value
    return parameters


def whole_number(parameter: str, value: str | None, most: int) -> int:
    """The value as a number from 0 to `most`; raises ParameterError where it is none."""
    # Most digits first: int() would take long over many, or refuse them.
    if value is not None and _WHOLE.fullmatch(value) and len(value) <= len(str(most)):
        number = int(value)
        if number <= most:
            return number
    raise ParameterError(
        parameter, value, f"a whole number from 0 to {most} in plain decimal digits"
    )
