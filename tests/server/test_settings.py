import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.processes import ROOT, manage, run

NAMES = (
    "names or addresses joined by commas, without scheme or port, such as "
    "fibo.example.org,.example.org,10.0.0.7,[::1]; or *"
)
NETWORKS = "addresses or networks joined by commas, such as 10.0.0.7,10.1.0.0/16; or *"
SHARED = {"DATABASE_URL": "postgres://fibo@db/fibo", "FIBO_OBJECT_STORE": "s3://bucket"}


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "٣", "a whole number from 1 to 65535"),
        ("PORT", "9" * 5000, "a whole number from 1 to 65535"),
        ("WEB_CONCURRENCY", "0", "a whole number from 1 to 1024"),
        ("FIBO_MAX_SN", "-1", "a whole number from 0 to 10000000"),
        ("FIBO_MAX_SN", "", "a whole number from 0 to 10000000"),
        ("FIBO_SEGMENT_BYTES", "64MiB", "a whole number from 1024 to 1073741824"),
        ("FIBO_SEGMENT_BYTES", "1023", "a whole number from 1024 to 1073741824"),
        ("FIBO_SEGMENT_BYTES", "1099511627776", "a whole number from 1024 to 1073741824"),
        ("FIBO_PREPOPULATE", "100001", "a whole number from 0 to 100000"),
        ("FIBO_OBJECT_STORE", "bucket", "s3://bucket or s3://bucket/prefix"),
        ("FIBO_OBJECT_STORE", "s3://B/x", "s3://bucket or s3://bucket/prefix"),
        ("FIBO_OBJECT_STORE", "s3://bucket//x", "s3://bucket or s3://bucket/prefix"),
        ("FIBO_OBJECT_STORE", "s3://key:secret@bucket", "s3://bucket or s3://bucket/prefix"),
        ("FIBO_FETCH", "sometimes", "one of auto, always, never"),
        ("DJANGO_DEBUG", "maybe", "on or off"),
        ("FIBO_OBJECT_STORE", "s3://bucket/../x", "s3://bucket or s3://bucket/prefix"),
        ("FIBO_OBJECT_STORE", "s3://bucket/.", "s3://bucket or s3://bucket/prefix"),
        ("FIBO_DATA_DIR", "/dev/null/data", "a directory (Not a directory)"),
        ("FIBO_DATA_DIR", "/dev/null", "a directory (File exists)"),
        ("FIBO_DATA_DIR", "/proc/x", "a directory (No such file or directory)"),
        ("FIBO_DATA_DIR", "x" * 300, "a directory (File name too long)"),
        (
            "FIBO_DATA_DIR",
            "~nobody-of-that-name/x",
            "a directory (Could not determine home directory.)",
        ),
        ("FIBO_DATA_DIR", "$NOT_SET/x", "a directory (No such variable)"),
        ("DJANGO_ALLOWED_HOSTS", "", NAMES),
        ("DJANGO_ALLOWED_HOSTS", ",", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "https://fibo.example.org", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "localhost,fibo.example.org:8888", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "[::1]:8888", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "fibo.example.org/", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "a;b", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "a b", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "*.example.org", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "under_score", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "a..b", NAMES),
        ("DJANGO_ALLOWED_HOSTS", ".", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "-a", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "10.0.0.256", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "10.0.0.0/8", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "fe80::1%eth0", NAMES),
        ("DJANGO_ALLOWED_HOSTS", "['localhost']", NAMES),
        ("FORWARDED_ALLOW_IPS", "proxy.example.org", NETWORKS),
        ("FORWARDED_ALLOW_IPS", "10.0.0.7/8", NETWORKS),
    ],
)
def test_a_value_that_makes_no_sense_stops_the_start(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    found = start(tmp_path, **{name: value})
    assert found.returncode == 1
    assert found.stderr == f"{name} is {value!r}; it must be {allowed}.\n"
    assert found.stdout == ""


def start(data_dir: Path, **variables: str) -> CompletedProcess[str]:
    """What `make serve` begins with."""
    return run([sys.executable, "-m", "fibosite.settings"], data_dir, **variables)


URL = "postgres://user:password@host:port/name"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DATABASE_URL", "", f"is not understood; it must be {URL}"),
        ("DATABASE_URL", "mysql://fibo:secret@db/fibo", f"is not understood; it must be {URL}"),
        ("DATABASE_URL", "postgres://fibo:secret@db", f"is not understood; it must be {URL}"),
        ("DATABASE_URL", "postgres://fibo:secret@db:0/x", f"is not understood; it must be {URL}"),
        ("DATABASE_URL", "postgres://fibo:secret@db:x/x", f"is not understood; it must be {URL}"),
        (
            "DATABASE_URL",
            "postgres://db/x?password=secret&sslmod=1",
            f"is not understood; it must be {URL}",
        ),
        ("DATABASE_URL", "postgres://fibo:secret%zz@db/x", f"is not understood; it must be {URL}"),
        *(
            (
                "AWS_ENDPOINT_URL",
                url,
                "is not understood; it must be http://host:port or https://host",
            )
            for url in (
                "secret",
                "localhost:9000",
                "//secret",
                "ftp://secret",
                "http://",
                "http://secret:99999",
                "http://key:secret@host",
                "http://se cret",
                "http://se_cret",
                "http://host?secret",
            )
        ),
        (
            "DJANGO_SECRET_KEY",
            "secret",
            "is too easily guessed; it must be at least 50 random characters",
        ),
        (
            "DJANGO_SECRET_KEY",
            "secret" * 8,
            "is too easily guessed; it must be at least 50 random characters",
        ),
        (
            "DJANGO_SECRET_KEY",
            "a" * 60,
            "is too easily guessed; it must be at least 50 random characters",
        ),
        *(
            (
                name,
                f"secret{character}x",
                "has control characters or bytes that are not UTF-8; it must be plain text",
            )
            for character in ("\n", "\x1b", "\udcff", "\x7f")
            for name in ("DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS", "FIBO_DATA_DIR", "PORT")
        ),
    ],
)
def test_what_may_hold_a_secret_is_refused_without_its_value(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    found = start(tmp_path, **(SHARED if name == "AWS_ENDPOINT_URL" else {}) | {name: value})
    assert (found.returncode, found.stdout, found.stderr) == (1, "", f"{name} {said}.\n")


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("PORT", " 8000\r", 8000),
        ("DJANGO_DEBUG", "TRUE", True),
        ("DJANGO_ALLOWED_HOSTS", " a , B.example.ORG.,", ["a", "b.example.org"]),
        ("DJANGO_ALLOWED_HOSTS", "::1,[2001:DB8::0:1]", ["[::1]", "[2001:db8::1]"]),
        ("DJANGO_ALLOWED_HOSTS", ".example.org,10.0.0.7", [".example.org", "10.0.0.7"]),
        ("DJANGO_ALLOWED_HOSTS", "bücher.example", ["xn--bcher-kva.example"]),
        ("DJANGO_ALLOWED_HOSTS", "*", ["*"]),
        ("FORWARDED_ALLOW_IPS", "10.0.0.7, 10.1.0.0/16", ["10.0.0.7", "10.1.0.0/16"]),
        ("DJANGO_SECRET_KEY", "$" + "secret" * 9, "$" + "secret" * 9),
        ("FIBO_DATA_DIR", "~/x", "{home}/x"),
        ("FIBO_DATA_DIR", "$HOME/x", "{home}/x"),
        ("FIBO_DATA_DIR", "${HOME}/a b/ü", "{home}/a b/ü"),
    ],
)
def test_what_is_plainly_meant_is_taken(
    tmp_path: Path, name: str, value: str, meant: object
) -> None:
    setting = f"fibosite.settings.{name.removeprefix('DJANGO_')}"
    program = f"import json, fibosite.settings; print(json.dumps({setting}, default=str))"
    found = run([sys.executable, "-c", program], tmp_path, HOME=str(tmp_path), **{name: value})
    assert found.returncode == 0, found.stderr
    expected = meant.format(home=tmp_path) if isinstance(meant, str) else meant
    assert json.loads(found.stdout) == expected


def test_a_relative_data_directory_is_below_the_working_directory(tmp_path: Path) -> None:
    relative = os.path.relpath(tmp_path / "x", ROOT)
    assert start(tmp_path, FIBO_DATA_DIR=relative).returncode == 0
    assert (tmp_path / "x").is_dir()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000", "https://s3.example.org", "http://[::1]:9000/minio/", ""]
)
def test_an_object_store_may_be_anywhere(tmp_path: Path, url: str) -> None:
    found = start(tmp_path, **SHARED, AWS_ENDPOINT_URL=url)
    assert (found.returncode, found.stderr) == (0, "")


def test_hosts_that_share_an_object_store_must_share_an_index(tmp_path: Path) -> None:
    found = manage(tmp_path, "check", FIBO_OBJECT_STORE="s3://bucket")
    assert found.returncode == 1
    assert found.stderr == (
        "DATABASE_URL is unset; it must name the index that hosts with FIBO_OBJECT_STORE share.\n"
    )


def test_the_defaults_are_safe(tmp_path: Path) -> None:
    found = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")
    assert found.returncode == 0, found.stderr
    assert "no issues" in found.stdout


def test_the_secret_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    manage(tmp_path, "check")
    path = tmp_path / "secret_key"
    first = path.read_text()
    assert len(first) >= 50
    assert path.stat().st_mode & 0o777 == 0o600
    manage(tmp_path, "check")
    assert path.read_text() == first
    assert [found.name for found in tmp_path.iterdir()] == ["secret_key"]


@pytest.mark.parametrize("content", [b"", b"\n", bytes(86)], ids=["empty", "blank", "zeros"])
def test_a_secret_key_that_a_crash_left_empty_is_made_again(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret_key"
    path.write_bytes(content)
    assert manage(tmp_path, "check").returncode == 0
    made = path.read_text()
    assert len(made) >= 50
    assert made.isprintable()
    assert path.stat().st_mode & 0o777 == 0o600
    manage(tmp_path, "check")
    assert path.read_text() == made


SECRET = b"0123456789" * 8


@pytest.mark.parametrize("content", [SECRET, SECRET + b"\n", b"1" + SECRET[1:]])
def test_a_secret_key_that_can_be_used_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret_key"
    path.write_bytes(content)
    path.chmod(0o400)
    assert manage(tmp_path, "check").returncode == 0
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"abc"), "is too easily guessed"),
        (lambda path: path.write_bytes(b"ab" * 50), "is too easily guessed"),
        (lambda path: path.write_bytes(b"\xb0" + SECRET), "cannot be used (it is not UTF-8)"),
        (lambda path: path.mkdir(), "is no regular file"),
        (os.mkfifo, "is no regular file"),
        (lambda path: path.symlink_to("nowhere"), "is no regular file"),
        (lambda path: path.symlink_to("/etc/passwd"), "is no regular file"),
        (lambda path: path.symlink_to(path), "is no regular file"),
    ],
    ids=["short", "monotonous", "binary", "directory", "FIFO", "dangling link", "link", "loop"],
)
def test_a_secret_key_that_cannot_be_used_is_told_in_a_sentence(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    path = tmp_path / "secret_key"
    make(path)
    found = manage(tmp_path, "check")
    assert found.returncode == 1
    assert found.stderr == (
        f"DJANGO_SECRET_KEY is unset, and {path} {why}; remove it, for a new one to be made, "
        "or set DJANGO_SECRET_KEY to at least 50 random characters.\n"
    )


def test_processes_that_start_at_once_have_one_secret_key(tmp_path: Path) -> None:
    program = "from fibosite.settings import SECRET_KEY; print(SECRET_KEY)"
    (tmp_path / "secret_key").touch()
    with ThreadPoolExecutor(8) as pool:
        command = [sys.executable, "-c", program]
        secrets = [found.stdout for found in pool.map(lambda _: run(command, tmp_path), range(8))]
    assert len(set(secrets)) == 1
    assert secrets[0].strip() == (tmp_path / "secret_key").read_text()


def test_a_secret_key_that_is_given_is_not_kept(tmp_path: Path) -> None:
    manage(tmp_path, "check", DJANGO_SECRET_KEY="secret" * 10)
    assert list(tmp_path.iterdir()) == []


def test_debug_can_be_switched_on(tmp_path: Path) -> None:
    program = "from django.conf import settings; print(settings.DEBUG)"
    for value, expected in (("on", "True"), ("off", "False")):
        found = manage(tmp_path, "shell", "--verbosity=0", "--command", program, DJANGO_DEBUG=value)
        assert found.stdout.strip() == expected


def test_a_lower_maximum_lowers_what_is_populated(tmp_path: Path) -> None:
    manage(tmp_path, "migrate", "--verbosity=0", FIBO_MAX_SN="50")
    found = manage(tmp_path, "prepopulate", FIBO_MAX_SN="50", FIBO_SEGMENT_BYTES="1024")
    assert "The first 50 terms are stored" in found.stdout


def test_what_postgresql_needs_is_named_if_it_is_missing(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError")
    url = "postgres://fibo:secret@db/fibo"
    found = manage(tmp_path, "check", DATABASE_URL=url, PYTHONPATH=str(tmp_path))
    assert found.returncode == 1
    assert found.stderr == "DATABASE_URL needs more: pip install -r requirements-cluster.txt.\n"
