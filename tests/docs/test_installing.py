"""`make install` in a clone: an environment that does not work is built again."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.support.processes import ROOT

pytestmark = pytest.mark.drill

SYSTEM = Path("/usr/bin/python3")

MADE = shutil.ignore_patterns(
    *(".git", ".venv", ".static", "data", ".*_cache", ".hypothesis", "__pycache__")
)

# Every file that pip says it installed is there, as long as it was.
COMPLETE = """
from importlib.metadata import distributions
for each in distributions():
    for file in each.files:
        length = file.locate().stat().st_size
        assert file.size in (None, length), file
"""


def without_make() -> dict[str, str]:
    """The environment without what a `make` that runs the tests tells its own children."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


def begin(clone: Path, *words: str, **options: Any) -> "subprocess.Popen[Any]":
    """Start a `make install` in a process group of its own; what it prints goes into a log."""
    # Python compiles what it imports; of 8 s of CPU that leaves 3.
    own = without_make() | {"PIP_NO_COMPILE": "1"}
    with clone.with_name("log").open("w") as log:
        return subprocess.Popen(
            [*words, "make", "install"],
            cwd=clone,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **{"env": own} | options,
        )


def install(clone: Path, *words: str, **options: Any) -> tuple[int, str]:
    """Return the exit status of a `make install`, and what it printed."""
    with begin(clone, *words, **options) as process:
        return process.wait(), clone.with_name("log").read_text()


def assert_installs(clone: Path) -> None:
    """Run `make install`; what it leaves is complete, works, and is left alone by the next."""
    status, printed = install(clone)
    assert status == 0, printed
    for command in (
        ["python", "-c", COMPLETE],
        ["python", "manage.py", "check"],
        ["gunicorn", "--version"],
    ):
        subprocess.run([clone / ".venv" / "bin" / command[0], *command[1:]], cwd=clone, check=True)
    assert (clone / ".static" / "staticfiles.json").exists()
    assert install(clone) == (0, "make: Nothing to be done for 'install'.\n")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with what serving needs."""
    path = tmp_path_factory.mktemp("installing") / "clone"
    shutil.copytree(ROOT, path, ignore=MADE)
    assert_installs(path)
    return path


def has_moved(clone: Path) -> Path:
    # The old one stays: scripts of the new one would run in it.
    moved = clone.with_name("another place")
    shutil.copytree(clone, moved, symlinks=True)
    return moved


def lost_its_python(clone: Path) -> Path:
    for link in (clone / ".venv" / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("/nonexistent/python3")
    return clone


def had_its_python_upgraded(clone: Path) -> Path:
    # The new Python looks for packages in a directory of its own version.
    (packages,) = (clone / ".venv" / "lib").iterdir()
    packages.rename(packages.with_name("python3.9"))
    return clone


def lost_power_at_its_end(clone: Path) -> Path:
    (clone / ".venv" / "whole").write_text("")
    return clone


def had_a_full_disk(clone: Path) -> Path:
    shutil.rmtree(clone / ".venv")
    assert install(clone, "prlimit", "--fsize=1000000")[0] != 0
    return clone


@pytest.mark.parametrize(
    "broken",
    [
        has_moved,
        lost_its_python,
        had_its_python_upgraded,
        lost_power_at_its_end,
        had_a_full_disk,
    ],
)
def test_an_environment_that_does_not_work_is_built_again(
    clone: Path, broken: Callable[[Path], Path]
) -> None:
    assert_installs(broken(clone))


def test_an_install_may_be_killed_at_any_moment(clone: Path) -> None:
    (clone / ".venv" / "whole").unlink()
    began = monotonic()
    assert install(clone)[0] == 0
    took_s = monotonic() - began
    (clone / ".venv" / "whole").unlink()
    for tenths in (0, 1, 3, 5, 7, 9):
        with begin(clone) as process:
            sleep(took_s * tenths / 10)
            os.killpg(process.pid, signal.SIGKILL)
    # Killed alone, `make` leaves a pip behind that the next one waits for.
    with begin(clone) as process:
        sleep(took_s / 2)
        process.kill()
    assert_installs(clone)


def test_two_installs_at_once_both_succeed(clone: Path) -> None:
    (clone / ".venv" / "whole").unlink()
    with begin(clone) as first, begin(clone) as second:
        pass
    assert (first.returncode, second.returncode) == (0, 0)
    assert_installs(clone)


def test_static_files_that_were_half_collected_are_collected_again(clone: Path) -> None:
    (clone / ".static" / "whole").unlink()
    icon = next((clone / ".static" / "sequence").glob("icon.*.svg.gz"))
    whole = icon.read_bytes()
    icon.write_bytes(whole[:10])
    assert_installs(clone)
    assert icon.read_bytes() == whole


# gunicorn itself has tracebacks for these.
@pytest.mark.parametrize("name", ["WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"])
def test_make_serve_says_which_setting_makes_no_sense(clone: Path, name: str) -> None:
    found = subprocess.run(
        ["make", "serve"],  # noqa: S607
        cwd=clone,
        env=without_make() | {name: "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    sentence, rest = found.stderr.split("\n", 1)
    assert sentence.startswith(f"{name} is 'x'; it must be ")
    assert rest.startswith("make")
    assert found.stdout == ""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(not SYSTEM.exists(), reason="only Debian's Python has venv in its own package")
def test_without_root_what_is_missing_is_said_in_one_sentence() -> None:
    # Not below pytest's own directory, which is closed to others.
    with tempfile.TemporaryDirectory() as directory:
        parent, clone = Path(directory), Path(directory) / "clone"
        shutil.copytree(ROOT, clone, ignore=MADE)
        (parent / "ensurepip.py").write_text("raise ImportError")
        parent.chmod(0o755)
        clone.chmod(0o777)
        status, printed = install(
            clone,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": directory},
            user=65534,
            group=65534,
            extra_groups=[],
        )
    assert status == 2
    sentence, rest = printed.split("\n", 1)
    assert sentence == ("python3 cannot build environments: install Debian's package python3-venv.")
    assert rest.startswith("make: ***")
