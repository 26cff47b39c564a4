"""The admin's login page, with *throttling*: after some failed attempts the next ones must wait.

Attempts are counted by account and client, in the memory of each process. A client that was logged
in before has a count of its own, so that no stranger locks its operator out (OWASP's *device
cookies*). No thread waits: an early attempt is refused, with the time to come back.
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
"""After so many the next one must wait a second, and twice as long after each further one."""
MAX_WAIT_S = 300
FORGET_AFTER_S = 3600
MAX_CLIENTS = 10_000
"""How many are counted at once, the latest ones: so nobody can fill the memory."""

DEVICE_COOKIE = "device"
DEVICE_AGE_S = 90 * 24 * 3600


class Throttle:
    """Counts attempts by the client's key."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def begin(self, key: bytes) -> int:
        """Count an attempt and return 0, or return in how many seconds the next one may be made.

        It counts as failed until `forget` is called: many at once gain nothing.
        """
        now = monotonic()
        with self._lock:
            failed, resume_at = self._counts.pop(key, (0, now))
            if now > resume_at + FORGET_AFTER_S:
                failed = 0
            early = now < resume_at
            if not early:
                failed += 1
                # Doubled ten times at most: powers of 2 overflow.
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
    """Django's form, which also refuses attempts that come too early."""

    wait_s = 0
    """In how many seconds the next attempt may be made; 0 unless this one came too early."""

    def clean(self) -> dict[str, Any]:
        """Check the password, unless the attempt comes too early."""
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


def log_in(request: HttpRequest) -> HttpResponse:
    """Return the login page; 429 for an attempt that comes too early (RFC 6585, section 4)."""
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
    """Return what is counted together: attempts of a device, or at an account from an address."""
    if request is None:  # by Django's type; a view always has one
        return b""
    device = request.get_signed_cookie(
        DEVICE_COOKIE, default=None, salt=_salt(username), max_age=DEVICE_AGE_S
    )
    # Digests, as names may be long.
    return sha256(repr(device or (username, _address(request))).encode()).digest()


def _salt(username: str) -> str:
    """Return the salt of a cookie that is valid for this account only."""
    return f"{__name__}:{username}"


def _address(request: HttpRequest) -> str:
    """Return the client's network, as a trusted proxy says: one address, or of IPv6 a /64."""
    address = request.META.get("REMOTE_ADDR", "")
    if _is_trusted(address):
        address = request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()
    try:
        return str(ip_network(f"{address}/{64 if ':' in address else 32}", strict=False))
    except ValueError:
        return ""


def _is_trusted(peer: str) -> bool:
    """Whether it is a proxy of ours; one on a socket in the file system has no address."""
    trusted = settings.FORWARDED_ALLOW_IPS
    if not peer or "*" in trusted:
        return True
    return any(ip_address(peer) in ip_network(network) for network in trusted)
