"""The metrics that a server tells."""

from prometheus_client.parser import text_string_to_metric_families

from tests.support.servers import Server

Series = tuple[str, frozenset[tuple[str, str]]]


def series(page: bytes) -> dict[Series, float]:
    """The values of a page, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def value(page: bytes, name: str, **labels: str) -> float:
    """The sum of the series that have these labels, whatever others they have."""
    return sum(
        found
        for (found_name, found_labels), found in series(page).items()
        if found_name == name and labels.items() <= set(found_labels)
    )


def scraped(server: Server) -> bytes:
    """The page as a server gives it."""
    status, headers, page = server.get("/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return page


def in_progress(server: Server) -> float:
    """The streams that the service says it is sending."""
    return value(scraped(server), "fibo_streams_in_progress")


def aborted(server: Server) -> float:
    """The streams that the service says it gave up."""
    return value(scraped(server), "fibo_streams_aborted_total")
