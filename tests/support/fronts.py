"""Requests that are to be answered the same by a server and by whatever stands before it."""

import re

from tests.support import oracle
from tests.support.servers import Server

OF_THE_CONNECTION = {"Server", "Date", "Connection", "Keep-Alive"}


WINDOW = "/?sn=300&start=2000"


REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    (method, target, headers)
    for method in ("GET", "HEAD")
    for target, headers in (
        (WINDOW, {}),
        (WINDOW, {"Accept-Encoding": "gzip"}),
        (WINDOW, {"Accept-Encoding": "zstd"}),
        (WINDOW, {"Accept-Encoding": "gzip;q=0, identity;q=0"}),
        (WINDOW, {"Range": "bytes=7-1000"}),
        (WINDOW, {"Range": "bytes=-5"}),
        (WINDOW, {"Range": "bytes=0-0,100-200"}),
        (WINDOW, {"Range": "bytes=99999999-"}),
        (WINDOW, {"If-None-Match": "*"}),
        (WINDOW, {"If-Match": '"other"'}),
        (WINDOW, {"Range": "bytes=0-9", "If-Range": '"other"'}),
        ("/?sn=0", {}),
        ("/?sn=five", {}),
        ("/?sn=%2B5", {"Accept": "application/json"}),
        ("/?sn=10&format=csv", {}),
        ("/terms/99999?mod=7", {}),
        (f"/terms?value={oracle.terms(30_001)[30_000].strip().decode()}", {}),
        ("/openapi.json", {"Accept-Encoding": "gzip"}),
        ("/nowhere", {}),
    )
] + [("POST", WINDOW, {}), ("DELETE", "/", {}), ("OPTIONS", WINDOW, {})]


def answered(
    server: Server, method: str, target: str, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    """The answer but for what is the connection's own, and for the boundary, which is random."""
    named = {name.replace("-", "_"): value for name, value in headers.items()}
    status, found, body = server.get(target, method, **named)
    boundary = re.search(r"boundary=(\S+)", found.get("Content-Type", ""))
    kept = {name: value for name, value in found.items() if name not in OF_THE_CONNECTION}
    if boundary:
        kept["Content-Type"] = kept["Content-Type"].replace(boundary[1], "B")
        body = body.replace(boundary[1].encode(), b"B")
    return status, kept, body
