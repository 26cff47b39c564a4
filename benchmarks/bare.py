"""The least that gunicorn can be asked for, as a limit: one and the same answer, by a function; a
short one, or one of as many bytes as ten terms have on average."""

from collections.abc import Callable, Iterable

TEXT = b"0 1 1 2 3 5 8 13 21 34 55 89 144 233 377 610 987 1597 2584 4181 "
LONG_TEXT = TEXT * (104_000 // len(TEXT))


def app(
    environ: dict[str, str], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """The first 20 terms, whatever is asked for, or many times these."""
    text = LONG_TEXT if environ["QUERY_STRING"] == "long" else TEXT
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
