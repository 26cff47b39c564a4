"""The facts of one term, which a page shows and JSON has."""

import hashlib
from collections.abc import Iterator

from sequence import conf
from sequence.segments import stream
from sequence.text import facts, layout
from sequence.text.format import FORMATS
from sequence.text.representation import Representation
from sequence.text.span import Span


def of(n: int, modulus: int | None = None) -> dict[str, object]:
    """Return the facts of F(n) by name, for n up to `layout.MAX_N`.

    `sha256` is that of its digits if a client may ask for those, and None otherwise. With a modulus
    there is a `residue`. Raises what `stream` raises.
    """
    found: dict[str, object] = {
        "n": n,
        "digit_count": layout.digit_count(n),
        "first_digits": facts.first_digits(n),
        "last_digits": facts.last_digits(n),
        "bit_length": facts.bit_length(n),
        "offset": layout.offset(n),
        "segment": conf.layout().segment_of(n),
        "sha256": _sha256(n) if n < conf.max_sn() else None,
    }
    if modulus is not None:
        found |= {"mod": modulus, "residue": facts.residue(n, modulus)}
    return found


def digits(n: int) -> Iterator[bytes]:
    """Yield the digits of an F(n) that clients may ask for; raises what `stream` does."""
    representation = Representation(FORMATS["text"], Span(n, n + 1))
    yield from stream.chunks(representation, [Span(0, layout.digit_count(n))])


def _sha256(n: int) -> str:
    digest = hashlib.sha256()
    for chunk in digits(n):
        digest.update(chunk)
    return digest.hexdigest()
