"""The names and addresses that the service is called by, and those that call it."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.support.processes import ROOT, environment, free_port, manage
from tests.support.servers import Serve, Server


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["10.0.0.7", "10.0.0.7:8888", "[fd00::7]:8888", "a_b", "", "a b"])
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/livez", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/livez/", 400),
        ("/", 400),
        ("/?sn=3", 400),
        ("/terms/3", 400),
        ("/plots", 400),
        ("/openapi.json", 400),
        ("/admin/", 400),
        ("/admin/login/", 400),
        ("/nowhere", 400),
    ],
)
def test_only_probes_and_scrapers_may_call_by_any_name(
    client: Client, data_dir: Path, host: str, target: str, status: int
) -> None:
    for method in ("GET", "HEAD"):
        response = client.generic(method, target, HTTP_HOST=host)
        assert response.status_code == status


@contextmanager
def listening(data_dir: Path, **variables: str) -> Iterator[int]:
    """The port of a service that binds its own sockets."""
    port = free_port()
    log = data_dir.with_name("listening.log")
    with (
        log.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config=fibosite/gunicorn.conf.py"],
            cwd=ROOT,
            env=environment(data_dir, PORT=str(port), **variables),
            stderr=file,
        ) as process,
    ):
        try:
            deadline = monotonic() + 60
            while "Booting worker" not in log.read_text() and monotonic() < deadline:
                sleep(0.05)
            yield port
        finally:
            process.terminate()


def answers(address: str, port: int) -> bool:
    connection = HTTPConnection(address, port, timeout=30)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_it_listens_on_ipv4_and_on_ipv6(tmp_path: Path) -> None:
    with listening(tmp_path) as port:
        assert answers("127.0.0.1", port)
        assert answers("::1", port)


def test_a_host_without_ipv6_listens_on_ipv4(tmp_path: Path) -> None:
    # What a kernel says that was started with ipv6.disable=1.
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "class Socket(socket.socket):\n"
        "    def __init__(self, family=-1, *others, **named):\n"
        "        if family == socket.AF_INET6: raise OSError(97, 'Address family not supported')\n"
        "        super().__init__(family, *others, **named)\n"
        "socket.socket = Socket\n"
    )
    with listening(tmp_path, PYTHONPATH=str(tmp_path)) as port:
        assert answers("127.0.0.1", port)
        assert not answers("::1", port)


def test_a_bind_of_the_operators_own_is_the_only_one(tmp_path: Path) -> None:
    other = free_port()
    with listening(tmp_path, GUNICORN_CMD_ARGS=f"--bind=[::]:{other}") as port:
        assert not answers("127.0.0.1", port)
        # By itself an IPv6 socket takes IPv4 too, as the kernel has it.
        assert answers("::1", other)
        assert answers("127.0.0.1", other)


NAME = "fibo.example.org"
PASSWORD = "not a secret"  # noqa: S105
PROXY = "127.0.0.2"
"""An address that is not trusted by itself: that of a proxy on another host."""


class Browser:
    """What a browser asks of the admin, through a proxy at an address; it keeps its cookies."""

    def __init__(self, server: Server, scheme: str, proxy: str) -> None:
        self.server, self.scheme, self.proxy = server, scheme, proxy
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, target: str, **form: str) -> tuple[int, str]:
        """Status and body of an answer."""
        connection = HTTPConnection(
            "127.0.0.1", self.server.port, timeout=30, source_address=(self.proxy, 0)
        )
        headers = {
            "Host": NAME,
            "X-Forwarded-Proto": self.scheme,
            "Origin": f"{self.scheme}://{NAME}",
            "Accept": "text/html",
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        try:
            connection.request(method, target, urlencode(form) if form else None, headers)
            response = connection.getresponse()
            for cookie in response.headers.get_all("Set-Cookie", []):
                name, value, attributes = re.fullmatch(r"(\w+)=([^;]*)(.*)", cookie).groups()  # type: ignore[union-attr]
                assert "Secure" in attributes
                if self.scheme == "https":
                    self.cookies[name] = value
            return response.status, response.read().decode()
        finally:
            connection.close()

    def sign_in(self) -> tuple[int, str]:
        """The answer to the form of the admin's entrance."""
        _, page = self.ask("GET", "/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        return self.ask(
            "POST",
            "/admin/login/?next=/admin/",
            csrfmiddlewaretoken=token[1],
            username="ann",
            password=PASSWORD,
        )


@pytest.mark.parametrize(
    ("scheme", "proxy", "trusted", "refused"),
    [
        ("https", PROXY, PROXY, ""),
        ("https", PROXY, "127.0.0.0/8", ""),
        ("https", "127.0.0.1", None, ""),
        ("https", PROXY, None, "FORWARDED_ALLOW_IPS"),
        ("http", "127.0.0.1", None, "cookies are sent over HTTPS or to localhost only"),
    ],
)
def test_the_admin_is_entered_over_https_through_a_proxy_that_is_trusted(
    serve: Serve, scheme: str, proxy: str, trusted: str | None, refused: str
) -> None:
    variables = {"DJANGO_ALLOWED_HOSTS": f"localhost,127.0.0.1,{NAME}"}
    server = serve(**variables, **({"FORWARDED_ALLOW_IPS": trusted} if trusted else {}))
    made = manage(
        server.data_dir,
        *("createsuperuser", "--noinput", "--username=ann", "--email=ann@example.org"),
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )
    assert made.returncode == 0, made.stderr
    browser = Browser(server, scheme, proxy)
    status, page = browser.sign_in()
    if refused:
        assert status == 403
        assert refused in page
        # The service's own page, with its style.
        assert "<h1" in page
        assert "stylesheet" in page
    else:
        assert status == 302, page
        assert browser.ask("GET", "/admin/")[0] == 200


def test_a_cookie_that_is_missing_over_https_is_said(client: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    response = strict.post("/admin/login/", {"username": "ann"}, secure=True)
    assert (response.status_code, response.headers["Content-Type"]) == (
        403,
        "text/plain; charset=utf-8",
    )
    assert response.content == (
        b"The browser did not send this form's cookie; reload the form and try again.\n"
    )
