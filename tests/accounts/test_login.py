"""Attempts to log in are slowed down after failures, and nobody is locked out by a stranger."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from sequence.accounts import login
from sequence.accounts.login import FREE_ATTEMPTS, MAX_CLIENTS, MAX_WAIT_S, Throttle

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = "/admin/login/"
RIGHT, WRONG = "a long one", "a wrong one"
OTHER = "198.51.100.7"


@pytest.fixture(autouse=True)
def clock(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still unless a test moves it, an empty throttle and an operator."""
    now = [1000.0]
    monkeypatch.setattr(login, "monotonic", lambda: now[0])
    monkeypatch.setattr(login, "throttle", Throttle())
    User.objects.create_superuser("operator", password=RIGHT)
    return now


def attempt(
    password: str, client: Client | None = None, name: str = "operator", **headers: Any
) -> Any:
    """The answer to one attempt, by a client that is new unless it is given."""
    form = {"username": name, "password": password}
    # As over HTTPS: the cookies are for that only.
    return (client or Client()).post(LOGIN, form, secure=True, **headers)


def fail(times: int, **how: Any) -> list[int]:
    """The statuses of so many wrong attempts."""
    return [attempt(WRONG, **how).status_code for _ in range(times)]


def test_after_some_failures_an_attempt_must_wait_and_is_told_so(clock: list[float]) -> None:
    assert fail(FREE_ATTEMPTS + 1) == [200] * FREE_ATTEMPTS + [429]
    refused = attempt(RIGHT)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert "failed; try again in 1 s." in refused.content.decode()
    clock[0] += 1
    assert attempt(RIGHT).status_code == 302


def test_each_further_failure_doubles_the_wait_up_to_its_maximum(clock: list[float]) -> None:
    fail(FREE_ATTEMPTS)
    waits = []
    for _ in range(12):
        waits.append(int(attempt(WRONG).headers["Retry-After"]))
        clock[0] += waits[-1]
        assert attempt(WRONG).status_code == 200
    assert waits == [*(2**n for n in range(9)), *[MAX_WAIT_S] * 3]


def test_attempts_that_come_too_early_do_not_make_the_wait_longer(clock: list[float]) -> None:
    fail(FREE_ATTEMPTS + 20)
    clock[0] += 1
    assert attempt(RIGHT).status_code == 302


def test_success_forgets_the_failures(clock: list[float]) -> None:
    fail(FREE_ATTEMPTS - 1)
    assert attempt(RIGHT).status_code == 302
    assert fail(FREE_ATTEMPTS) == [200] * FREE_ATTEMPTS


def test_an_account_that_there_is_not_is_treated_like_one_that_there_is() -> None:
    assert fail(FREE_ATTEMPTS + 1, name="nobody") == fail(FREE_ATTEMPTS + 1)
    assert fail(1, name="another") == [200]


def test_a_stranger_locks_out_neither_another_address_nor_a_device_that_was_logged_in() -> None:
    operator = Client()
    assert attempt(RIGHT, operator).status_code == 302
    operator.cookies.pop("sessionid")
    fail(FREE_ATTEMPTS + 1)
    assert attempt(RIGHT).status_code == 429
    assert attempt(RIGHT, REMOTE_ADDR=OTHER).status_code == 302
    assert attempt(RIGHT, operator).status_code == 302


def test_a_device_has_its_own_count_for_its_own_account() -> None:
    User.objects.create_superuser("another", password=RIGHT)
    device = Client()
    attempt(RIGHT, device)
    device.cookies.pop("sessionid")
    statuses = [attempt(WRONG, device).status_code for _ in range(FREE_ATTEMPTS + 1)]
    assert statuses[-1] == 429
    assert fail(1) == [200]
    # For another account it is a stranger.
    assert attempt(WRONG, device, name="another").status_code == 200
    fail(FREE_ATTEMPTS, name="another")
    assert attempt(RIGHT, device, name="another").status_code == 429


def test_a_cookie_that_is_forged_is_a_strangers() -> None:
    forged = Client()
    forged.cookies[login.DEVICE_COOKIE] = "mine:1wZ:forged"
    fail(FREE_ATTEMPTS)
    assert attempt(RIGHT, forged).status_code == 429


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (OTHER, "", f"{OTHER}/32"),
        (OTHER, "203.0.113.9", f"{OTHER}/32"),  # no proxy of ours
        ("127.0.0.1", "", "127.0.0.1/32"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9/32"),
        ("127.0.0.1", "192.0.2.1, 203.0.113.9", "203.0.113.9/32"),  # the client wrote the first
        ("", "203.0.113.9", "203.0.113.9/32"),  # a socket in the file system
        ("127.0.0.1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("127.0.0.1", "unknown", ""),
    ],
)
def test_the_address_is_the_clients(peer: str, forwarded: str, expected: str) -> None:
    named: dict[str, Any] = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    request = Client().get(LOGIN, REMOTE_ADDR=peer, **named).wsgi_request
    assert login._address(request) == expected


def test_a_proxy_elsewhere_is_believed_if_its_network_is_named(settings: Settings) -> None:
    settings.FORWARDED_ALLOW_IPS = ["10.0.0.7", f"{OTHER[:-1]}0/24"]
    headers: dict[str, Any] = {"REMOTE_ADDR": OTHER, "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    request = Client().get(LOGIN, **headers).wsgi_request
    assert login._address(request) == "203.0.113.9/32"


def test_of_many_attempts_at_once_no_more_are_made_than_one_after_another() -> None:
    throttle = Throttle()
    with ThreadPoolExecutor(20) as pool:
        waits = list(pool.map(lambda _: throttle.begin(b"same"), range(200)))
    assert waits.count(0) == FREE_ATTEMPTS


def test_clients_by_the_million_take_no_more_memory() -> None:
    throttle = Throttle()
    for number in range(MAX_CLIENTS + 500):
        throttle.begin(b"%d" % number)
    assert len(throttle._counts) == MAX_CLIENTS
    for _ in range(FREE_ATTEMPTS):
        attempt(WRONG, name="x" * 100_000)
    assert max(map(len, login.throttle._counts)) <= 32


def test_failures_are_forgotten_after_an_hour(clock: list[float]) -> None:
    fail(FREE_ATTEMPTS)
    clock[0] += login.FORGET_AFTER_S + 2
    assert fail(FREE_ATTEMPTS) == [200] * FREE_ATTEMPTS
