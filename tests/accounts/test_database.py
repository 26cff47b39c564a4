"""Accounts are original data: durable, private, never replaced, and kept when the index goes."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from stat import S_IMODE
from textwrap import dedent

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import DatabaseError, connections
from django.test import Client
from pytest_django.fixtures import Settings

from sequence.accounts import database
from sequence.index import health
from sequence.models import Segment
from sequence.segments import build
from tests.support import oracle
from tests.support.processes import ROOT, environment, manage
from tests.support.servers import served
from tests.support.stored import replace_index
from tests.support.waiting import idle

Content = dict[str, list[tuple[object, ...]]]

SALT = "0123456789abcdef"
"""A part of the hash of the operator's password."""


@pytest.fixture
def own_accounts(own_index: Path) -> Iterator[Path]:
    """The path of a database of accounts of this test's own, which does not exist yet."""
    connection = connections["accounts"]
    connection.close()
    kept = connection.settings_dict["NAME"]
    path = connection.settings_dict["NAME"] = own_index.with_name("accounts.sqlite3")
    yield path
    idle()
    connection.close()
    connection.settings_dict["NAME"] = kept


@pytest.fixture
def old_index(own_accounts: Path, own_index: Path, settings: Settings) -> bytes:
    """An index as it was when the accounts lay in it: with two, a group and direct permissions."""
    if _old_index:
        replace_index(own_index, _old_index[0])
        return _old_index[0]
    replace_index(own_index, None)
    settings.DATABASE_ROUTERS = []
    call_command("migrate", database="default", verbosity=0, interactive=False)
    hashed = make_password("kept", SALT)
    User(username="operator", password=hashed, is_superuser=True, is_staff=True).save()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.groups.add(Group.objects.create(name="viewers"))
    Group.objects.get().permissions.add(Permission.objects.get(codename="view_segment"))
    viewer.user_permissions.add(Permission.objects.get(codename="repair_segment"))
    Client().force_login(viewer)
    settings.DATABASE_ROUTERS = ["fibosite.router.Router"]
    build.segment(0)
    connections["default"].close()
    _old_index.append(own_index.read_bytes())
    return _old_index[0]


_old_index: list[bytes] = []
"""Built once, as it takes a second."""


def content(path: Path) -> Content:
    """All rows of all tables of accounts in a database."""
    found: Content = {}
    with closing(sqlite3.connect(path)) as opened:
        for model in database._models():
            columns = ", ".join(str(each.column) for each in model._meta.local_concrete_fields)
            table = model._meta.db_table
            found[table] = sorted(opened.execute(f"SELECT {columns} FROM {table}"))  # noqa: S608
    return found


def tables(path: Path) -> set[str]:
    """The names of the tables in a database."""
    with closing(sqlite3.connect(path)) as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master")}


def root_page(path: Path, table: str) -> int:
    """Where the table begins in the file."""
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = database.execute(query, [table]).fetchone()
    return 4096 * (int(page) - 1)


def overwrite(path: Path, at: int, by: bytes) -> None:
    """Write other bytes from there on."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(by)


def test_accounts_of_an_old_index_move_once_with_all_rights(
    own_accounts: Path, own_index: Path, old_index: bytes
) -> None:
    before = content(own_index)
    assert {len(before[table]) for table in ("auth_user", "django_session", "auth_group")} == {1, 2}
    database.prepare()
    assert content(own_accounts) == before
    assert User.objects.get(username="operator").check_password("kept")
    viewer = User.objects.get(username="viewer")
    assert viewer.get_all_permissions() == {"sequence.view_segment", "sequence.repair_segment"}
    assert tables(own_index).isdisjoint(before)
    assert Segment.objects.count() == 1
    User.objects.update(first_name="Leonardo")
    # As after a power cut before the tables' end was on the disk, or of a backup.
    replace_index_only(own_index, old_index)
    database.prepare()
    assert User.objects.filter(first_name="Leonardo").count() == 2
    assert tables(own_index).isdisjoint(before)


def replace_index_only(path: Path, by: bytes) -> None:
    """Replace the index, and leave the accounts."""
    for connection in connections.all():
        connection.close()
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    path.write_bytes(by)


def test_no_hash_of_a_password_stays_in_the_index(
    own_accounts: Path, own_index: Path, old_index: bytes
) -> None:
    assert SALT.encode() in old_index
    database.prepare()
    secret = [path for path in own_index.parent.glob("*") if path.is_file()]
    assert [path.name for path in secret if SALT.encode() in path.read_bytes()] == [
        own_accounts.name
    ]


class Ended(BaseException):
    """As if the process had been killed."""


def test_a_move_that_ends_at_any_table_is_begun_again(
    own_accounts: Path, own_index: Path, old_index: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rows, left = content(own_index), database._rows, 0

    def ends(*arguments: object) -> list[tuple[object, ...]]:
        nonlocal left
        left -= 1
        if left < 0:
            raise Ended
        return rows(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "_rows", ends)
    # The tables' names are read first.
    for left in range(1 + len(before)):  # noqa: B007
        with pytest.raises(Ended):
            database.prepare()
        assert not User.objects.exists()
    left = 1 + len(before)
    database.prepare()
    assert content(own_accounts) == before


Spoil = Callable[[Path], None]

SPOILT: dict[str, Spoil] = {
    **{
        f"bit {bit} of byte {byte}": lambda path, byte=byte, bit=bit: overwrite(  # type: ignore[misc]
            path, byte, bytes([path.read_bytes()[byte] ^ 1 << bit])
        )
        for byte, bit in zip(range(24), range(0, 72, 3), strict=True)
        for bit in [bit % 8]
    },
    "the page of the segments": lambda path: overwrite(
        path, root_page(path, "sequence_segment"), b"\xff" * 4096
    ),
    "a schema that is no SQL": lambda path: overwrite(
        path, path.read_bytes().index(b"CHECK", path.read_bytes().index(b"sequence_term")), b"CHUCK"
    ),
}


def test_an_index_is_not_replaced_before_its_accounts_have_moved(
    own_accounts: Path, own_index: Path, old_index: bytes
) -> None:
    before = content(own_index)
    SPOILT["the page of the segments"](own_index)
    health.recreate()
    assert content(own_accounts) == before
    assert (own_index.with_name("damaged.sqlite3")).exists()
    assert health.fault() is None


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_accounts_of_an_old_index_that_is_damaged_elsewhere_are_all_kept(
    own_accounts: Path, own_index: Path, old_index: bytes, spoil: Spoil
) -> None:
    before = content(own_index)
    spoil(own_index)
    database.prepare()
    assert content(own_accounts) == before


def test_what_cannot_be_read_of_old_accounts_is_told_and_the_rest_is_kept(
    own_accounts: Path, own_index: Path, old_index: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    before = content(own_index)
    overwrite(own_index, root_page(own_index, "auth_user"), b"\xff" * 4096)
    database.prepare()
    lost = {"auth_user", "auth_user_groups", "auth_user_user_permissions"}
    assert {table for table, rows in content(own_accounts).items() if rows != before[table]} == lost
    for table in lost:
        assert f"Of {table} in the damaged index not all could be read (" in caplog.text
    assert User.objects.create_superuser("operator").pk
    # Others may read more of it.
    assert own_index.with_name("damaged.sqlite3").exists()
    health.recreate()
    assert own_index.with_name("damaged.sqlite3").exists()


@pytest.mark.parametrize("spoiled", [b"no index at all " * 1000, b""], ids=["garbage", "empty"])
def test_an_index_that_cannot_be_read_at_all_keeps_nobody_from_starting(
    own_accounts: Path, own_index: Path, old_index: bytes, spoiled: bytes
) -> None:
    replace_index_only(own_index, spoiled)
    database.prepare()
    health.recreate()
    assert User.objects.create_superuser("operator").pk
    assert health.fault() is None


def test_an_old_index_that_is_locked_loses_no_account(
    own_accounts: Path, own_index: Path, old_index: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(own_index)
    options = connections["default"].settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "init_command", "PRAGMA busy_timeout=9")
    with closing(sqlite3.connect(own_index, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseError, match="locked"):
            database.prepare()
    database.prepare()
    assert content(own_accounts) == before


@pytest.fixture
def operator(own_accounts: Path, client: Client) -> Client:
    """A browser that is logged in, on accounts that are on the disk."""
    database.prepare()
    client.raise_request_exception = False
    client.force_login(User.objects.create_superuser("operator"))
    connections["accounts"].close()
    return client


DAMAGES: dict[str, Spoil] = {
    "no database": lambda path: overwrite(path, 0, b"no accounts at all " * 1000),
    "a wrong header": lambda path: overwrite(path, 16, b"\xff\xff"),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "without a schema": lambda path: overwrite(path, 100, bytes(3996)),
    "the page of the sessions": lambda path: overwrite(
        path, root_page(path, "django_session"), b"\xff" * 4096
    ),
    "the page of the accounts": lambda path: overwrite(
        path, root_page(path, "auth_user"), b"\xff" * 4096
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_accounts_are_told_of_and_neither_replaced_nor_in_the_way(
    own_accounts: Path, operator: Client, damage: Spoil, caplog: pytest.LogCaptureFixture
) -> None:
    backup = own_accounts.read_bytes()
    damage(own_accounts)
    damaged = own_accounts.read_bytes()
    page = operator.get("/admin/sequence/segment/")
    assert page.status_code == 503
    assert "put the backup in its place or move it away" in page.content.decode()
    assert [record.exc_info for record in caplog.records] == [None]
    assert operator.get("/?sn=500").getvalue() == oracle.text(0, 500)
    assert operator.get("/readyz").status_code == 200
    idle()
    assert own_accounts.read_bytes() == damaged
    connections["accounts"].close()
    own_accounts.write_bytes(backup)
    assert operator.get("/admin/sequence/segment/").status_code == 200


def test_a_start_with_damaged_accounts_serves_and_says_so_once(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "accounts.sqlite3").write_bytes(b"no accounts at all " * 1000)
    with served(data_dir) as server:
        assert server.get("/?sn=500")[2] == oracle.text(0, 500)
        assert server.log.read_text().count("The accounts cannot be used") == 1
    found = manage(data_dir, "changepassword", "operator")
    assert found.returncode == 1
    assert found.stderr.startswith("CommandError: The accounts cannot be used (file is not a data")


def test_the_index_may_be_deleted_at_any_time(own_index: Path, operator: Client) -> None:
    for end in ("", "-wal", "-shm"):
        own_index.with_name(own_index.name + end).unlink(missing_ok=True)
    health.recreate()
    assert operator.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    "command",
    [
        ("createsuperuser", "--noinput", "--username=operator", "--email="),
        ("changepassword", "operator"),
        ("dumpdata", "auth.user"),
        ("loaddata", "none"),
        ("migrate",),
    ],
    ids=lambda command: command[0],
)
def test_commands_about_accounts_work_in_a_fresh_data_directory(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = manage(tmp_path, *command, DJANGO_SUPERUSER_PASSWORD="a long one")  # noqa: S106
    expected = {
        "changepassword": "CommandError: user 'operator' does not exist\n",
        "loaddata": "CommandError: No fixture named 'none' found.\n",
    }
    assert done.stderr == expected.get(command[0], "")
    assert "auth_user" in tables(tmp_path / "accounts.sqlite3")
    with_index = (tmp_path / "index.sqlite3").exists()
    assert with_index == (command[0] == "migrate")


@pytest.mark.parametrize("app", ["auth", "admin", "contenttypes", "sessions"])
def test_a_migration_that_ended_before_it_was_noted_is_completed(
    own_accounts: Path, app: str
) -> None:
    call_command("migrate", app, "0001", database="accounts", verbosity=0)
    with connections["accounts"].cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = %s AND name LIKE '0001%%'", [app])
    database.prepare()
    assert User.objects.create_superuser("operator").pk


def test_what_is_committed_to_the_accounts_is_on_the_disk(tmp_path: Path) -> None:
    program = (
        "from django.db import connections\n"
        "for alias in connections:\n"
        "    with connections[alias].cursor() as cursor:\n"
        "        for name in ('journal_mode', 'synchronous'):\n"
        "            print(alias, name, cursor.execute(f'PRAGMA {name}').fetchone()[0])"
    )
    found = manage(tmp_path, "shell", "--verbosity=0", f"--command={program}")
    # 1 is NORMAL, and 2 FULL: the log is synced at each commit, and its name with the first.
    assert found.stdout.splitlines() == [
        *("default journal_mode wal", "default synchronous 1"),
        *("accounts journal_mode wal", "accounts synchronous 2"),
    ]


def test_nobody_else_may_read_accounts_or_index_whatever_the_umask(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    for name in ("damaged.sqlite3", "index.sqlite3-wal"):  # of an older version
        (data_dir / name).touch(0o666)
        (data_dir / name).chmod(0o666)
    kept = os.umask(0)
    try:
        with served(data_dir) as server:
            done = manage(
                data_dir,
                *("createsuperuser", "--noinput", "--username=operator", "--email="),
                DJANGO_SUPERUSER_PASSWORD="a long one",  # noqa: S106
            )
            assert done.returncode == 0, done.stderr
            server.get("/?sn=500")
            with closing(sqlite3.connect(data_dir / "accounts.sqlite3")) as other:
                other.execute("SELECT * FROM auth_user").fetchall()
                found = sorted(data_dir.glob("*.sqlite3*"))
                assert len(found) == 7
                assert {S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    finally:
        os.umask(kept)


def test_a_read_only_data_directory_serves_and_lets_nobody_in(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    manage(data_dir, "migrate")
    # Root may write anywhere: what stands for it is a directory that is mounted read-only.
    read_only = ["unshare", "--mount", "sh", "-c", f'mount -r --bind {data_dir} {data_dir}; "$@"']
    program = (
        "import fibosite.wsgi; from django.test import Client\n"
        "client = Client(); print(client.get('/?sn=9', HTTP_HOST='localhost').getvalue())\n"
        "print(client.post('/admin/login/', {'username': 'a', 'password': 'b'}, HTTP_HOST="
        "'localhost').status_code)"
    )
    done = subprocess.run(
        [*read_only, "sh", sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(data_dir),
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip("only root can mount")
    assert done.stdout == "b'0 1 1 2 3 5 8 13 21 '\n200\n", done.stderr


def documented(heading: str) -> list[str]:
    """The blocks of commands below a heading of docs/operations.md."""
    text = (ROOT / "docs" / "operations.md").read_text()
    (section,) = re.findall(rf"^## {heading}\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    return [dedent(block) for block in re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)]


def test_the_backup_of_the_documentation_restores_accounts_with_all_rights(tmp_path: Path) -> None:
    back_up, restore = documented("What to back up")
    old, new = tmp_path / "old", tmp_path / "new"
    for directory in (old, new):
        directory.mkdir()
    # The commands are run where `make` makes their environment.
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    program = (
        "from django.contrib.auth.models import *\n"
        "User.objects.create_superuser('operator', password='a long one')\n"
        "viewer = User.objects.create_user('viewer')\n"
        "viewer.groups.add(Group.objects.create(name='viewers'))\n"
        "Group.objects.get().permissions.add(Permission.objects.get(codename='view_segment'))\n"
        "viewer.user_permissions.add(Permission.objects.get(codename='repair_segment'))"
    )
    manage(old, "migrate")
    # So that the numbers of permissions differ.
    clear = "from django.contrib.contenttypes.models import *; ContentType.objects.all().delete()"
    manage(old, "shell", "--verbosity=0", f"--command={clear}")
    for command in (("migrate",), ("shell", "--verbosity=0", f"--command={program}")):
        done = manage(old, *command)
        assert done.returncode == 0, done.stderr

    def run(commands: str, data_dir: Path) -> None:
        done = subprocess.run(
            ["/bin/bash", "-euc", commands],
            cwd=tmp_path,
            env=environment(data_dir),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    run(back_up, old)
    assert S_IMODE((tmp_path / "accounts.json").stat().st_mode) == 0o600
    secret = (old / "secret_key").read_bytes()
    shutil.rmtree(old)
    run(restore, new)
    assert (new / "secret_key").read_bytes() == secret
    assert S_IMODE((new / "secret_key").stat().st_mode) == 0o600
    program = (
        "from django.contrib.auth.models import User\n"
        "print(*sorted(User.objects.get(username='viewer').get_all_permissions()))\n"
        "operator = User.objects.get(username='operator')\n"
        "print(operator.is_superuser, operator.check_password('a long one'))"
    )
    found = manage(new, "shell", "--verbosity=0", f"--command={program}")
    assert found.stdout == "sequence.repair_segment sequence.view_segment\nTrue True\n"
