"""Where digits stand first, term by term, by `str.find`."""

from tests.support import oracle


def first_place(digits: str, count: int, around: int = 20) -> tuple[int, int, str, str] | None:
    """The first term that contains the digits, how many stand before them, and those around."""
    for n, term in enumerate(oracle.terms(count)):
        value = term.decode().rstrip()
        position = value.find(digits)
        if position >= 0:
            end = position + len(digits)
            before = value[max(position - around, 0) : position]
            return n, position, before, value[end : end + around]
    return None
