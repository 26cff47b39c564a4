from pathlib import Path

import pytest

from tests.conftest import manage


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
        ("FIBO_DATA_DIR", "/dev/null/data", "a directory (Not a directory)"),
    ],
)
def test_a_value_that_makes_no_sense_stops_the_start(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    found = manage(tmp_path, "check", **{name: value})
    assert found.returncode == 1
    assert found.stderr == f"{name} is {value!r}; it must be {allowed}.\n"
    assert found.stdout == ""


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


def test_a_secret_key_that_is_given_is_not_kept(tmp_path: Path) -> None:
    manage(tmp_path, "check", DJANGO_SECRET_KEY="x" * 60)
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


def test_what_postgresql_needs_is_named_where_it_is_missing(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError")
    url = "postgres://fibo:secret@db/fibo"
    found = manage(tmp_path, "check", DATABASE_URL=url, PYTHONPATH=str(tmp_path))
    assert found.returncode == 1
    assert found.stderr == "DATABASE_URL needs more: pip install -r requirements-cluster.txt.\n"
