"""Security headers: on every answer, whatever gives it."""

from urllib.robotparser import RobotFileParser

import pytest

from tests.support.servers import Server

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    "target",
    [
        *("/", "/?sn=5", "/?sn=x", "/terms/5", "/terms?value=5", "/terms?value=4", "/plots"),
        *("/nothing", "/openapi.json", "/metrics", "/livez", "/favicon.ico"),
        *("/admin/", "/admin/login/", "/admin/sequence/segment/", "/static/nothing.css"),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", BROWSER])
def test_every_answer_has_the_security_headers(
    shared_server: Server, target: str, accept: str
) -> None:
    _, headers, _ = shared_server.get(target, Accept=accept)
    assert set(headers["Content-Security-Policy"].split("; ")) == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_a_foreign_host_is_refused_with_them_too(shared_server: Server) -> None:
    _, headers, _ = shared_server.get("/", Host="evil.example")
    assert set(headers["Content-Security-Policy"].split("; ")) == POLICY


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        *((target, True) for target in ("/", "/plots", "/openapi.json", "/static/x.css")),
        *(
            (target, False)
            for target in ("/?sn=5", "/terms/5", f"/terms/{10**18}", "/terms?value=5")
        ),
        *((target, False) for target in ("/plots?sn=5", "/admin/", "/metrics", "/?n=5", "/?ask=5")),
        ("/look-up?n=random", False),
    ],
)
def test_crawlers_are_kept_from_pages_without_end(
    shared_server: Server, target: str, allowed: bool
) -> None:
    status, headers, body = shared_server.get("/robots.txt")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    robots = RobotFileParser()
    robots.parse(body.decode().splitlines())
    assert robots.can_fetch("Anybot", target) is allowed


@pytest.mark.parametrize("preview", ["Twitterbot", "facebookexternalhit", "WhatsApp"])
def test_links_that_were_sent_to_somebody_are_previewed(
    shared_server: Server, preview: str
) -> None:
    _, _, body = shared_server.get("/robots.txt")
    robots = RobotFileParser()
    robots.parse(body.decode().splitlines())
    assert robots.can_fetch(preview, "/terms/777")
    assert robots.can_fetch(preview, "/terms?contains=31121990")
    assert not robots.can_fetch(preview, "/?sn=100000")


def test_the_browsers_icon_is_found(shared_server: Server) -> None:
    status, headers, _ = shared_server.get("/favicon.ico")
    assert status == 302
    status, headers, body = shared_server.get(headers["Location"])
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")
    assert "immutable" in headers["Cache-Control"]
    assert set(headers["Content-Security-Policy"].split("; ")) == POLICY
    assert b"<svg" in body
