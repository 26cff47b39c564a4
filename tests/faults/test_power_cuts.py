"""After a power cut at any moment, what was promised is there, and the rest can be done again.

The row is that of docs/hostile-inputs.md: 28.
"""

import io
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path
from random import Random
from textwrap import indent

import pytest

from tests.support import oracle
from tests.support.faults import AT_ONCE, Injected, disk
from tests.support.forks import Check, forks
from tests.support.powercut import Recording, Tree, record, write
from tests.support.processes import environment, free_port, manage
from tests.support.waiting import idle

pytestmark = pytest.mark.drill

SEED = 12
MANAGE = f"{sys.executable} manage.py"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory: images by the hundred are not to wait for the real disk."""
    with disk(tmp_path / "memory", "2g") as memory:
        yield memory


# The disk itself: it must forget what is not synced, and nothing else.

KEPT, TORN, FORGOTTEN = "kept", "torn", "forgotten"

BEGIN = """
import os, sqlite3
root, done = {root!r}, {done!r}
def at(name): return os.path.join(root, name)
def write(name, flags=os.O_TRUNC):
    global file
    file = os.open(at(name), os.O_CREAT | os.O_WRONLY | flags)
    os.write(file, b'later ' * 2000)
def rename(): os.rename(at('new'), at('f'))
def sync(): os.fsync(file)
def sync_names(): os.fsync(os.open(root, os.O_RDONLY))
def commit(synchronous):
    index = sqlite3.connect(at('f'), isolation_level=None)
    index.execute(f'PRAGMA synchronous={{synchronous}}')
    index.execute("UPDATE t SET x = 'later'")
    return index
"""

PROGRAMS = [
    # What it does to a file, and what may become of that: torn at any time, or forgotten after it
    # was told to be done.
    ("write('new'); sync(); rename(); sync_names()", KEPT),
    ("write('new'); rename(); sync_names()", TORN),
    ("write('new'); rename(); sync(); sync_names()", TORN),
    ("write('new'); sync(); rename()", FORGOTTEN),
    ("write('new'); sync(); sync_names(); rename()", FORGOTTEN),
    ("write('new'); sync(); os.unlink(at('f')); os.link(at('new'), at('f')); sync_names()", TORN),
    ("write('f'); sync(); sync_names()", TORN),
    ("write('f', 0); sync()", TORN),
    ("write('f', os.O_APPEND); os.ftruncate(file, 12000); sync()", TORN),
    ("pass", FORGOTTEN),
]
COMMITS = [
    ("connection = commit('FULL')", KEPT),
    ("commit('FULL').close()", KEPT),
    ("connection = commit('NORMAL')", FORGOTTEN),
    ("connection = commit('OFF')", FORGOTTEN),
]


def recorded(program: str, root: Path) -> Recording:
    """The program's calls."""
    done = f"{root}.done"
    script = root.with_name("program.py")
    script.write_text(f"{BEGIN.format(root=str(root), done=done)}{program}\nos.mkdir(done)\n")
    recording = record(f"{sys.executable} {script}", root, os.environ)
    assert recording.done.returncode == 0, recording.done.stderr
    return recording


def worst(recording: Recording, content_of: Callable[[Tree], bytes]) -> str:
    """What becomes of the file in the worst case: it was `early `, and is to be `later `."""
    found = {(image.acknowledged, content_of(image.tree)) for image in recording.images(SEED)}
    if not {content for _, content in found} <= {EARLY, LATER}:
        return TORN
    return FORGOTTEN if (True, EARLY) in found else KEPT


EARLY, LATER = b"early " * 2000, b"later " * 2000


@pytest.mark.parametrize(("program", "becomes"), PROGRAMS)
def test_a_disk_forgets_what_is_not_synced(place: Path, program: str, becomes: str) -> None:
    root = place / "data"
    root.mkdir()
    (root / "f").write_bytes(EARLY)
    recording = recorded(program, root)
    assert worst(recording, lambda tree: tree.get("f") or b"") == becomes


@pytest.mark.parametrize(("program", "becomes"), COMMITS)
def test_a_disk_forgets_commits_that_are_not_synced(
    place: Path, program: str, becomes: str
) -> None:
    root, image = place / "data", place / "image"
    root.mkdir()
    with closing(sqlite3.connect(root / "f", isolation_level=None)) as index:
        index.execute("PRAGMA journal_mode=WAL")
        index.execute("CREATE TABLE t (x)")
        index.execute("INSERT INTO t VALUES ('early')")

    def content_of(tree: Tree) -> bytes:
        image.mkdir()
        write(tree, image)
        with closing(sqlite3.connect(image / "f")) as index:
            ((value,),) = index.execute("SELECT x FROM t")
        shutil.rmtree(image)
        return f"{value} ".encode() * 2000

    assert worst(recorded(program, root), content_of) == becomes


# The product on that disk


def assert_after_each_cut(
    recording: Recording, injected: Injected, most: int, check: Check, **variables: str
) -> None:
    """Has each image checked in a process that has just started, or as many as are told.

    `check` is given whether the command had told that it was done.
    """
    assert recording.done.returncode == 0, recording.done.stderr
    rng, images = Random(SEED), recording.images(SEED)
    chosen = rng.sample(images, min(most, len(images)))
    # Those after the end are few, and ask for most.
    chosen += [image for image in images if image.acknowledged and image not in chosen]
    place = recording.root.parent
    with forks(AT_ONCE, place, warm, **variables) as checkers:
        pairs = list(zip(chosen, cycle(checkers), strict=False))
        futures = [each.check(image.tree, check, image.acknowledged) for image, each in pairs]
        failures = [
            f"Power cut {image.point}:\n{indent(failure, '  ')}"
            for image, future in zip(chosen, futures, strict=True)
            if (failure := future.result(600))
        ]
    told = sum(image.acknowledged for image in chosen)
    injected(
        f"a power cut while {check.__name__.replace('_', ' ')}",
        len(chosen),
        f"of {len(images)} different disks; {told} after the end; {len(failures)} wrong",
    )
    assert not failures, f"{len(failures)} of {len(chosen)}, such as:\n" + "\n".join(failures[:3])


def warm() -> None:
    """Loads what the checks need, but for what looks at the data directory."""
    from django.core.management import get_commands, load_command_class
    from django.urls import get_resolver

    from sequence.text.compute import compute_bytes
    from sequence.text.span import Span

    for name in ("createsuperuser", "prepopulate", "prune", "verify"):
        load_command_class(get_commands()[name], name)
    assert get_resolver().url_patterns
    assert b"".join(compute_bytes(Span(0, 20))) == oracle.text(0, 20)[:20]
    oracle.terms(TERMS)


SEGMENTS = {"FIBO_SEGMENT_BYTES": "16384"}
TERMS = 2500
"""In 40 segments."""
PRUNED_TERMS = 10_000
"""Those of a store that has to shrink to 16 MiB: the least budget that may be set."""

OPERATOR = {
    "DJANGO_SUPERUSER_USERNAME": "operator",
    "DJANGO_SUPERUSER_EMAIL": "operator@example.org",
    "DJANGO_SUPERUSER_PASSWORD": "an early password",
}
LATER_PASSWORD = "a later password"  # noqa: S105
CREATE = f"{MANAGE} createsuperuser --noinput; $DONE"


def served_during(commands: str, port: int) -> str:
    """A script that runs the commands while a server has everything open."""
    return f"""
        gunicorn=$(dirname {sys.executable})/gunicorn
        $gunicorn --config fibosite/gunicorn.conf.py --bind 127.0.0.1:{port} 2>/dev/null & server=$!
        trap 'kill $server; wait $server' EXIT
        until curl --silent --fail http://127.0.0.1:{port}/readyz; do sleep 0.1; done
        curl --silent --fail --output /dev/null 'http://127.0.0.1:{port}/?sn=1000'
        {commands}
    """


def an_account_is_made(acknowledged: bool) -> None:
    """There is one with its password and rights, or none and it can be made."""
    assert_account_after(acknowledged, ["an early password"])


def a_password_is_changed(acknowledged: bool) -> None:
    """The account has one of both passwords; the later one if that was told."""
    from django.contrib.auth.models import User

    assert User.objects.filter(username="operator").exists()
    either = ["an early password", LATER_PASSWORD]
    assert_account_after(True, [LATER_PASSWORD] if acknowledged else either)


def assert_account_after(exists: bool, passwords: list[str]) -> None:
    from django.contrib.auth.models import User
    from django.core.management import CommandError, call_command

    try:
        call_command("createsuperuser", interactive=False, verbosity=0)
        made = True
    except CommandError as error:
        if "already taken" not in str(error):
            raise
        made = False
    assert not (exists and made), "the account was gone"
    user = User.objects.get(username="operator")
    assert user.is_superuser
    assert user.is_staff
    assert user.is_active
    assert any(user.check_password(password) for password in passwords)


@pytest.mark.parametrize("how", ["in a fresh directory", "while it is served"])
def test_an_account_that_was_made_is_there_after_a_power_cut(
    place: Path, injected: Injected, how: str
) -> None:
    root = place / "data"
    root.mkdir()
    script = CREATE if how == "in a fresh directory" else served_during(CREATE, free_port())
    recording = record(script, root, environment(root, **OPERATOR, **SEGMENTS))
    assert_after_each_cut(recording, injected, 40, an_account_is_made, **OPERATOR, **SEGMENTS)


def test_a_password_that_was_changed_stays_so_after_a_power_cut(
    place: Path, injected: Injected
) -> None:
    root = place / "data"
    root.mkdir()
    for command in (("migrate", "--verbosity=0"), ("createsuperuser", "--noinput")):
        made = manage(root, *command, **OPERATOR, **SEGMENTS)
        assert made.returncode == 0, made.stderr
    typed = f"printf '{LATER_PASSWORD}\\n{LATER_PASSWORD}\\n'"
    change = f"{typed} | {MANAGE} changepassword operator; $DONE"
    script = served_during(change, free_port())
    recording = record(script, root, environment(root, **OPERATOR, **SEGMENTS))
    assert_after_each_cut(recording, injected, 40, a_password_is_changed, **OPERATOR, **SEGMENTS)


def a_populate_fills_the_store(acknowledged: bool) -> None:
    """Rows have their bytes, answers are right, and the next populate completes it."""
    assert_rows_have_bytes()
    assert_answers()
    assert_completes(TERMS)


def a_prune_keeps_to_a_budget(acknowledged: bool) -> None:
    """Rows have their bytes, answers are right, and the next prune completes it."""
    from sequence.operations import prune

    assert_rows_have_bytes()
    assert_answers()
    called("prune")
    assert prune.surplus() == []
    assert_completes(PRUNED_TERMS)


def a_repair_repairs_the_store(acknowledged: bool) -> None:
    """Answers are right, and the next repair completes it."""
    assert_answers()
    called("verify", repair=True)
    assert_rows_have_bytes()
    assert_completes(TERMS)


def called(command: str, **options: object) -> str:
    """What the command printed; it must not fail."""
    from django.core.management import call_command

    idle()  # what answers have begun
    printed = io.StringIO()
    try:
        call_command(command, stdout=printed, **options)
    except SystemExit as end:
        if end.code:
            raise AssertionError(f"{command} ended with {end.code}: {printed.getvalue()}") from end
    return printed.getvalue()


def assert_completes(upto: int) -> None:
    called("prepopulate", upto=upto)
    assert_rows_have_bytes()
    called("verify")


def assert_rows_have_bytes() -> None:
    from django.db import DatabaseError

    from sequence import conf
    from sequence.models import Segment

    try:
        rows = list(Segment.objects.all())
    except DatabaseError:
        return  # there is no index, and so no row
    for row in rows:
        path = conf.segments_dir() / row.name
        assert path.is_file(), f"{row} has a row, and no file"
        assert path.read_bytes() == oracle.text(row.first_term, row.last_term + 1), f"{row} differs"


def assert_answers() -> None:
    """A service that starts here answers right."""
    from django.test import Client

    import fibosite.wsgi  # noqa: F401

    client = Client(headers={"host": "localhost"})
    assert client.get("/readyz").status_code == 200
    for start, sn in ((0, 20), (0, TERMS), (1000, 500)):
        response = client.get(f"/?sn={sn}&start={start}")
        body = (response.status_code, response.getvalue())
        assert body == (200, oracle.text(start, start + sn))


def test_a_populate_whose_power_is_cut_is_completed_by_the_next(
    place: Path, injected: Injected
) -> None:
    root = place / "data"
    root.mkdir()
    script = f"{MANAGE} prepopulate --upto={TERMS} --workers=1; $DONE"
    recording = record(script, root, environment(root, **SEGMENTS))
    assert_after_each_cut(recording, injected, 60, a_populate_fills_the_store, **SEGMENTS)


BUDGET = {"FIBO_SEGMENT_BYTES": "262144", "FIBO_ENCODINGS": ""}
LOWERED = BUDGET | {"FIBO_STORE_BYTES": str(16 << 20)}
"""Which has room for 30 segments of 40 (sequence/segments/budget.py)."""


def test_a_prune_whose_power_is_cut_is_completed_by_the_next(
    place: Path, injected: Injected
) -> None:
    root = place / "data"
    root.mkdir()
    assert manage(root, "prepopulate", f"--upto={PRUNED_TERMS}", **BUDGET).returncode == 0
    recording = record(f"{MANAGE} prune; $DONE", root, environment(root, **LOWERED))
    assert recording.done.stdout.count("\n") > 8, recording.done.stdout
    assert_after_each_cut(recording, injected, 40, a_prune_keeps_to_a_budget, **LOWERED)


def damage(root: Path) -> None:
    """Damages files and rows, each in ways of its own."""
    rng = Random(SEED)
    segments = sorted((root / "segments").glob("*.txt"))
    for path in rng.sample(segments, 12):
        content = bytearray(path.read_bytes())
        match rng.randrange(4):
            case 0:
                path.unlink()
            case 1:
                path.write_bytes(content[: rng.randrange(len(content))])
            case 2:
                path.write_bytes(content + b"1")
            case _:
                content[rng.randrange(len(content))] ^= 1
                path.write_bytes(content)
    with closing(sqlite3.connect(root / "index.sqlite3", isolation_level=None)) as index:
        index.execute("PRAGMA ignore_check_constraints=ON")
        index.execute("UPDATE sequence_segment SET length_bytes = 7 WHERE number IN (3, 5)")
        index.execute("UPDATE sequence_segment SET block_checksums = x'00' WHERE number = 4")
        index.execute("UPDATE sequence_term SET position = position + 1 WHERE n % 100 = 99")
        index.execute("DELETE FROM sequence_segment WHERE number IN (8, 9)")
        index.execute("DELETE FROM sequence_term WHERE n > 2400")


def test_a_repair_whose_power_is_cut_is_completed_by_the_next(
    place: Path, injected: Injected
) -> None:
    root = place / "data"
    root.mkdir()
    assert manage(root, "prepopulate", f"--upto={TERMS}", **SEGMENTS).returncode == 0
    damage(root)
    script = f"{MANAGE} verify --repair --workers=1; $DONE"
    recording = record(script, root, environment(root, **SEGMENTS))
    assert_after_each_cut(recording, injected, 50, a_repair_repairs_the_store, **SEGMENTS)
