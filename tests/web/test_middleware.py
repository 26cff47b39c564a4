"""Sessions, accounts and messages are the admin's, and every answer has the policy."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client, RequestFactory
from django.urls import Resolver404, URLResolver, get_resolver, resolve, reverse

from sequence import views
from sequence.middleware import CommonMiddleware, Shortcut
from sequence.web import pages

pytestmark = pytest.mark.django_db(transaction=True)

PUBLIC = (
    *("/", "/?sn=5", "/?sn=x", "/terms/5", "/terms/x", "/terms?value=5", "/plots", "/openapi.json"),
    *("/livez", "/readyz", "/metrics", "/robots.txt", "/nothing", "/admin", "/administrators/"),
)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize("target", PUBLIC)
def test_no_cookie_is_read_or_set_outside_the_admin(
    operator: Client, monkeypatch: pytest.MonkeyPatch, target: str, accept: str
) -> None:
    def read(_: SessionStore) -> dict[str, object]:
        raise AssertionError

    monkeypatch.setattr(SessionStore, "load", read)
    response = operator.get(target, headers={"Accept": accept})
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")
    request = response.wsgi_request
    assert not any(hasattr(request, name) for name in ("session", "user", "_messages"))


@pytest.mark.parametrize("target", ["/admin/", "/admin/sequence/segment/"])
def test_below_the_admin_the_session_says_who_asks(operator: Client, target: str) -> None:
    assert operator.get(target).status_code == 200
    stranger = Client().get(target)
    assert (stranger.status_code, stranger["Location"]) == (302, f"/admin/login/?next={target}")


def test_the_login_page_sets_the_cookie_that_its_form_needs() -> None:
    response = Client().get("/admin/login/")
    assert set(response.cookies) == {"csrftoken"}
    assert response.cookies["csrftoken"]["secure"]


def addresses(resolver: URLResolver, above: str = "") -> Iterator[tuple[str, int]]:
    """The name of every address, and how many parts of it are variable."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            below = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from addresses(pattern, above + below)
        elif pattern.name:
            yield above + pattern.name, len(pattern.pattern.converters)


ADMIN = [
    reverse(name, args=["sequence"] if name == "admin:app_list" else ["1"] * count)
    for name, count in addresses(get_resolver())
    if name.startswith("admin:")
]


def test_all_of_the_admins_forms_are_found() -> None:
    assert {"/admin/login/", "/admin/sequence/segment/populate/", "/admin/logout/"} <= set(ADMIN)
    assert len(ADMIN) > 20


@pytest.mark.parametrize("target", ADMIN)
def test_no_form_of_the_admin_is_taken_without_its_token(target: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("operator"))
    response = strict.post(target)
    assert response.status_code == 403
    assert "cookie" in response.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/terms", "/terms/", "/terms/5", "/terms/x", "/terms/5/", "/terms//5", "/terms/5/6"),
        *("/terms/%", "/terms/\n", "/term/5", "//", "/terms/ ", "/plots", "/admin/", "/nothing"),
    ],
)
def test_the_shortcut_leads_to_the_view_of_the_address(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    for view in ("root", "term"):
        monkeypatch.setattr(views, view, lambda _, view=view, **named: (view, named))
    shortcut: Any = Shortcut(lambda _: None)  # type: ignore[arg-type,return-value]
    found = shortcut(RequestFactory().get("/", PATH_INFO=path))
    try:
        match = resolve(path)
    except Resolver404:
        assert found is None
    else:
        known = {"root", "term"} & {match.func.__name__}
        assert found == ((match.func.__name__, match.kwargs) if known else None)


def assert_policy(headers: object) -> None:
    for name, value in settings.POLICY_HEADERS.items():
        assert headers[name] == value  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("GET", "/?sn=5", {}, 200),
        ("HEAD", "/?sn=5", {}, 200),
        ("GET", "/?sn=5", {"Range": "bytes=0-1"}, 206),
        ("GET", "/favicon.ico", {}, 302),
        ("GET", "/?sn=5", {"If-None-Match": "*"}, 304),
        ("GET", "/?sn=x", {}, 400),
        ("GET", "/", {"Host": "evil.example"}, 400),
        ("GET", "/nothing", {}, 404),
        ("POST", "/?sn=5", {}, 405),
        ("GET", "/?sn=5", {"Accept-Encoding": "identity;q=0"}, 406),
        ("GET", "/?sn=5", {"If-Match": '"x"'}, 412),
        ("GET", "/?sn=5", {"Range": "bytes=9999-"}, 416),
        ("GET", "/", {"Accept": "text/html"}, 500),
        ("OPTIONS", "/?sn=5", {}, 204),
        ("GET", "/admin/", {}, 302),
        ("POST", "/admin/login/", {}, 403),
    ],
)
def test_every_answer_has_the_policy(
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    target: str,
    headers: dict[str, str],
    status: int,
) -> None:
    monkeypatch.setattr(pages, "front", lambda _: 1 / 0)
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    response = client.generic(method, target, headers=headers)
    assert response.status_code == status
    assert_policy(response.headers)


def test_hosts_that_were_found_to_be_ours_are_few_and_ours() -> None:
    client = Client()
    for n in range(2 * CommonMiddleware.MAX_HOSTS):
        assert client.get("/?sn=5", headers={"Host": f"localhost:{n}"}).status_code == 200
        assert client.get("/?sn=5", headers={"Host": f"{n}.example"}).status_code == 400
