"""The facts of one term, which a page shows and JSON has."""

import hashlib

from sequence import conf
from sequence.protocol.query import TermQuery
from sequence.text import facts, layout, term
from sequence.text.term import Numeral


def about(asked: TermQuery) -> dict[str, object]:
    """Return what JSON has about a term, or about its digits in another base; as `of`."""
    return of(asked.n, asked.modulus) if asked.radix == 10 else in_base(asked.n, asked.radix)


def of(n: int, modulus: int | None = None) -> dict[str, object]:
    """Return the facts of F(n) by name, for n up to `layout.MAX_N`.

    `sha256` is that of its digits if a client may ask for those, and None otherwise. With a modulus
    there is a `residue`. Raises SumMismatch.
    """
    found: dict[str, object] = {
        "n": n,
        "digit_count": layout.digit_count(n),
        "first_digits": facts.first_digits(n),
        "last_digits": facts.last_digits(n),
        "bit_length": facts.bit_length(n),
        "offset": layout.offset(n),
        "segment": conf.layout().segment_of(n),
        "sha256": _sha256(n, 10),
    }
    if modulus is not None:
        found |= {"mod": modulus, "residue": facts.residue(n, modulus)}
    return found


def in_base(n: int, radix: int) -> dict[str, object]:
    """Return what is known of the digits of F(n) in the radix."""
    return {
        "n": n,
        "base": radix,
        "digit_count": Numeral(n, radix).digit_count,
        "bit_length": facts.bit_length(n),
        "sha256": _sha256(n, radix),
    }


def ends(asked: TermQuery) -> dict[str, object]:
    """Return the first and last digits that are asked for, by name."""
    found: dict[str, object] = {"n": asked.n, "digit_count": layout.digit_count(asked.n)}
    if asked.first:
        found["first_digits"] = facts.first_digits(asked.n, asked.first)
    if asked.last:
        found["last_digits"] = facts.last_digits(asked.n, asked.last)
    return found


def digits(n: int) -> str:
    """Return the digits of an F(n) that clients may ask for; raises SumMismatch."""
    return term.digits(n).decode()


def _sha256(n: int, radix: int) -> str | None:
    if n > conf.max_term():
        return None
    return hashlib.sha256(term.digits(n, radix)).hexdigest()
