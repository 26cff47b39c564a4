"""The pages' forms: what visitors type, as the plain digits that addresses have."""

import re
from collections.abc import Mapping
from secrets import randbelow
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from sequence.errors import ParameterError
from sequence.protocol import query
from sequence.text import search
from sequence.text.layout import MAX_N
from sequence.text.residues import MAX_MODULUS

RANDOM = "random"
"""What the link to a random term has in the place of n."""

BETWEEN_DIGITS = r"FfEe\(\) ,_.'’^*"
"""What a number may have besides digits, for the pattern of a field (HTML, section 4.10.5.3.6)."""

_SEPARATORS = re.compile(r"[\s,_'’]+")
_DOTTED = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+", re.ASCII)
_NAMED = re.compile(r"F?\(([^()]*)\)", re.IGNORECASE)
_TERM = re.compile(r"\s*F\s*\([^()]*\)\s*", re.IGNORECASE)
_POWER = re.compile(r"([0-9]{1,19})(\^|\*\*|e)([0-9]{1,2})", re.ASCII | re.IGNORECASE)
_ZEROS = re.compile(r"0+(?=[0-9])", re.ASCII)
_NO_DIGITS = re.compile(r"[^0-9]+", re.ASCII)


class Window(NamedTuple):
    """What the form for windows holds, as it was typed."""

    sn: str
    start: str = "0"
    format: str = "text"

    @property
    def query(self) -> str:
        """Return the query of the address that it asks for."""
        asked = {"sn": plain(self.sn)}
        if (start := plain(self.start)) != "0":
            asked["start"] = start
        if self.format != "text":
            asked["format"] = self.format
        return urlencode(asked)


def is_for_pages(sent: str) -> bool:
    """Whether the query of `/` is that of a form, which the front page answers."""
    return not sent or sent.startswith(("n=", "ask=")) or query.is_only_tracking(sent)


def number(sent: str, example: int) -> str:
    """Return the n that is typed into the field of the front page."""
    return fields(sent).get("n", f"{example:,}")


def window(sent: str, example: int) -> Window:
    """Return what the form for windows holds: it sends `ask`, and its answer's address has `sn`."""
    found = fields(sent)
    sn = found.get("ask", found.get("sn", str(example)))
    return Window(sn, found.get("start", "0") or "0", found.get("format", "text"))


def fields(sent: str) -> dict[str, str]:
    """Return what was typed into the fields of a form."""
    return dict(parse_qsl(sent, keep_blank_values=True))


def plain(typed: str) -> str:
    """Return a number in plain digits.

    It may be typed as 10,946 or 10 946, 10_946, 10.946, F(10946), 10^18 or 1e6. What is no number
    is returned as it is, for an error to quote it.
    """
    number = _SEPARATORS.sub("", typed)
    if named := _NAMED.fullmatch(number):
        number = named[1]
    if _DOTTED.fullmatch(number):
        number = number.replace(".", "")
    if power := _POWER.fullmatch(number):
        base, sign, exponent = int(power[1]), power[2], int(power[3])
        number = str(base * 10**exponent if sign in "eE" else base**exponent)
    number = _ZEROS.sub("", number, count=1) if number[:1] == "0" else number
    return number if number.isdigit() and number.isascii() else typed


def target(typed: Mapping[str, str], count: int) -> str:
    """Return the address that a form to look something up leads to; raises ParameterError.

    A term at random is one of the first so many.
    """
    if "digits" in typed:
        return f"/terms?contains={_contained(typed['digits'])}"
    if "value" in typed:
        if _TERM.fullmatch(typed["value"]):
            return f"/terms/{query.whole_number('n', plain(typed['value']), MAX_N)}"
        return f"/terms?value={query.plain_digits('value', plain(typed['value']))}"
    if typed.get("n") == RANDOM:
        return f"/terms/{randbelow(max(count, 1))}"
    n = query.whole_number("n", plain(typed.get("n", "")), MAX_N)
    if "mod" not in typed:
        return f"/terms/{n}"
    modulus = query.whole_number("mod", plain(typed["mod"]), MAX_MODULUS, least=1)
    return f"/terms/{n}?mod={modulus}"


def _contained(typed: str) -> str:
    """Return the digits to find: those of a date, say, without what stands between them."""
    digits = _NO_DIGITS.sub("", typed)
    if not search.MIN_DIGITS <= len(digits) <= search.MAX_DIGITS:
        allowed = f"a date, or anything else with {search.MIN_DIGITS} to {search.MAX_DIGITS} digits"
        raise ParameterError("digits", typed, allowed)
    return digits
