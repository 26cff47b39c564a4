"""The admin's login page, which slows attempts down after some failed.

Attempts are counted by account and client; those of a client that was logged in before apart from
all others, so that no stranger locks its operator out (OWASP's *device cookies*). In the memory of
each process. No thread waits: who is too early is told to come back.
"""

import secrets
from collections import OrderedDict
from hashlib import sha256
from ipaddress import ip_address, ip_network
from math import ceil
from threading import Lock
from time import monotonic
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

FREE_ATTEMPTS = 5
"""After so many an attempt must wait: for a second, and after each further one twice as long."""
MAX_WAIT_S = 300
FORGET_AFTER_S = 3600
MAX_CLIENTS = 10_000
"""How many are counted at once, so that nobody can fill the memory: those of late."""

DEVICE_COOKIE = "device"
DEVICE_AGE_S = 90 * 24 * 3600


class Throttle:
    """Counts attempts of clients, each by a key."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def begin(self, key: bytes) -> int:
        """Count an attempt and return 0, or return in how many seconds one may be made.

        It counts as failed until `forget` is called: of many at once none is for free.
        """
        now = monotonic()
        with self._lock:
            failed, resume_at = self._counts.pop(key, (0, now))
            if now > resume_at + FORGET_AFTER_S:
                failed = 0
            early = now < resume_at
            if not early:
                failed += 1
                # Doubled ten times at most, as floats end.
                wait_s = min(2.0 ** min(failed - FREE_ATTEMPTS, 10), MAX_WAIT_S)
                resume_at = now + (wait_s if failed >= FREE_ATTEMPTS else 0)
            self._counts[key] = failed, resume_at
            if len(self._counts) > MAX_CLIENTS:
                self._counts.popitem(last=False)
        return ceil(resume_at - now) if early else 0

    def forget(self, key: bytes) -> None:
        """Forget the attempts of the client, which has succeeded."""
        with self._lock:
            self._counts.pop(key, None)


throttle = Throttle()


class LoginForm(AdminAuthenticationForm):
    """Django's, but that it refuses attempts which come too early."""

    wait_s = 0
    """In how many seconds the next attempt may be made, if this one came too early."""

    def clean(self) -> dict[str, Any]:
        """Check the password, unless too many before were wrong."""
        key = _key(self.request, self.cleaned_data.get("username", ""))
        self.wait_s = throttle.begin(key)
        if self.wait_s:
            raise ValidationError(
                "Too many attempts to log in to this account have failed; "
                f"try again in {self.wait_s} s."
            )
        cleaned = super().clean()
        throttle.forget(key)
        return cleaned


admin.site.login_form = LoginForm


def login(request: HttpRequest) -> HttpResponse:
    """The login page; 429 for an attempt that comes too early (RFC 6585, section 4)."""
    response = admin.site.login(request)
    form = (getattr(response, "context_data", None) or {}).get("form")
    if form is not None and form.wait_s:
        response.status_code = 429
        response.headers["Retry-After"] = str(form.wait_s)
    if request.method == "POST" and request.user.is_authenticated:
        response.set_signed_cookie(
            DEVICE_COOKIE,
            secrets.token_urlsafe(16),
            salt=_salt(request.user.get_username()),
            max_age=DEVICE_AGE_S,
            path=reverse("admin:login"),
            secure=True,
            httponly=True,
            samesite="Strict",
        )
    return response


def _key(request: HttpRequest | None, username: str) -> bytes:
    """Return whose attempts are counted together: a device's, or an account's from an address."""
    if request is None:  # by Django's type, not from a view
        return b""
    device = request.get_signed_cookie(
        DEVICE_COOKIE, default=None, salt=_salt(username), max_age=DEVICE_AGE_S
    )
    # Names may be long, and digests are not.
    return sha256(repr(device or (username, _address(request))).encode()).digest()


def _salt(username: str) -> str:
    """Return what makes a cookie good for this account only."""
    return f"{__name__}:{username}"


def _address(request: HttpRequest) -> str:
    """Return the client's address, told by a trusted proxy; of IPv6 what one customer has."""
    address = request.META.get("REMOTE_ADDR", "")
    if _is_trusted(address):
        address = request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()
    try:
        return str(ip_network(f"{address}/{64 if ':' in address else 32}", strict=False))
    except ValueError:
        return ""


def _is_trusted(peer: str) -> bool:
    """Return whether it is a proxy of ours; one on a socket in the file system has no address."""
    trusted = settings.FORWARDED_ALLOW_IPS
    if not peer or "*" in trusted:
        return True
    return any(ip_address(peer) in ip_network(network) for network in trusted)
