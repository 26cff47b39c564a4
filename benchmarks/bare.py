"""The least that gunicorn can be asked for, as a limit: one and the same answer, by a function."""

from collections.abc import Callable, Iterable

TEXT = b"0 1 1 2 3 5 8 13 21 34 55 89 144 233 377 610 987 1597 2584 4181 "
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(TEXT)))]


def app(
    _: dict[str, object], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """The first 20 terms, whatever is asked for."""
    start_response("200 OK", HEADERS)
    return [TEXT]
