"""Which of the offered codings and media types a client prefers (RFC 9110, section 12)."""

import re
from collections.abc import Iterable
from functools import lru_cache

from sequence.errors import NotAcceptable

IDENTITY = "identity"

# RFC 9110, section 12.4.2: qvalue, with at most three decimals.
_QVALUE = r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?"
# Section 12.5.3: a token and its weight. No two parts can match the same characters, so that it
# takes linear time over any header.
_CODING = re.compile(
    rf"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]*;[ \t]*q=({_QVALUE}))?", re.ASCII | re.IGNORECASE
)
# Section 5.6.4; one that is not closed ends with the header, so that none is tried again.
_QUOTED_STRING = re.compile(r'"(?:[^"\\]|\\.?)*"?', re.DOTALL)

_MIN_WEIGHT = 0.0001
"""Less than any weight that a client can give, and not a refusal."""


def codings(accept_encoding: str | None, offered: Iterable[str]) -> list[str]:
    """Return the codings that the client accepts, the one of the highest weight first.

    Of equal ones the one that is offered first comes first. RFC 9110, section 12.5.3. Raises
    NotAcceptable if the client refuses all.
    """
    elements = (element.strip(" \t") for element in (accept_encoding or "").split(","))
    # What is malformed is left out.
    matches = [match for element in elements if (match := _CODING.fullmatch(element))]
    weights = {match[1].lower(): float(match[2] or 1) for match in matches}
    # Section 8.4.1.3: x-gzip is another name of gzip.
    if "x-gzip" in weights:
        weights.setdefault("gzip", weights["x-gzip"])
    # Identity is accepted unless it is refused, by its name or by "*".
    weights.setdefault(IDENTITY, weights.get("*", _MIN_WEIGHT))
    found = {coding: weights.get(coding, weights.get("*", 0.0)) for coding in offered}
    accepted = sorted((coding for coding in found if found[coding]), key=lambda c: -found[c])
    if not accepted:
        raise NotAcceptable(accept_encoding or "", tuple(found))
    return accepted


# Clients send a few headers again and again.
@lru_cache(maxsize=128)
def media_type(accept: str | None, offered: tuple[str, ...]) -> str:
    """Return the media type of the highest weight; of equal ones the first that is offered.

    RFC 9110, section 12.5.1. A client that accepts none of them gets the first.
    """
    weights = _media_weights(accept or "*/*")

    def weight(offer: str) -> float:
        group = offer.partition("/")[0]
        return weights.get(offer, weights.get(f"{group}/*", weights.get("*/*", 0.0)))

    return max(offered, key=weight)


def _media_weights(header: str) -> dict[str, float]:
    """Return the weight of each media type in an Accept, without those of a malformed weight.

    Other parameters are ignored, as no two of our types differ in them.
    """
    found = {}
    # Each once, as a header of commas alone has as many empty ones.
    for element in dict.fromkeys(_QUOTED_STRING.sub('""', header).split(",")):
        name, *parameters = (part.strip(" \t").lower() for part in element.split(";"))
        weights = [part[2:] for part in parameters if part.startswith("q=")] or ["1"]
        if re.fullmatch(_QVALUE, weights[0], re.ASCII):
            found[name] = float(weights[0])
    return found
