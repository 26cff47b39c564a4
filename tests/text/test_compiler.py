"""Functions from LLVM assembly."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from ctypes import CFUNCTYPE, c_int64
from pathlib import Path
from threading import Barrier

import pytest

from sequence.text import compiler
from sequence.text.compiler import AGAIN_AFTER_S, Functions
from tests.support.processes import ROOT


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Functions:
    """A package with one function, not yet compiled."""
    package = tmp_path / "some_assembly"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "twice.ll").write_text(
        "define i64 @twice(i64 %n) {\n  %r = add i64 %n, %n\n  ret i64 %r\n}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    twice = CFUNCTYPE(c_int64, c_int64)
    return Functions("some_assembly", "twice.ll", without="Nothing is doubled", twice=twice)


def test_a_function_is_that_of_the_file(functions: Functions) -> None:
    assert functions.twice(21) == 42


def test_threads_that_ask_first_together_compile_once(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Functions] = []
    compile_one = Functions._compile

    def counted(self: Functions) -> None:
        compiled.append(self)
        compile_one(self)

    monkeypatch.setattr(Functions, "_compile", counted)
    barrier = Barrier(8)

    def called(n: int) -> int:
        barrier.wait()
        found: int = functions.twice(n)
        return found

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(called, range(8))) == [2 * n for n in range(8)]
    assert compiled == [functions]


def test_a_name_that_was_not_declared_is_no_attribute(functions: Functions) -> None:
    assert not hasattr(functions, "thrice")


HOPELESS = [
    ModuleNotFoundError("No module named 'llvmlite'"),
    PermissionError("the system forbids code from memory"),
    RuntimeError("No available targets are compatible with triple"),
]
SHORTAGES = [
    MemoryError(),
    OSError(24, "Too many open files"),
    OSError("Could not find/load shared object file 'libllvmlite.so'"),
    ImportError("libffi.so.8: failed to map segment from shared object"),
]


@pytest.mark.parametrize("error", [*HOPELESS, *SHORTAGES], ids=repr)
def test_only_what_can_never_work_is_not_tried_again(
    functions: Functions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def fail(_: Functions) -> None:
        raise error

    seconds = [0.0]
    monkeypatch.setattr(compiler, "monotonic", lambda: seconds[0])
    with monkeypatch.context() as failing:
        failing.setattr(Functions, "_compile", fail)
        for _ in range(2):
            assert not functions.available
            assert not hasattr(functions, "twice")
            seconds[0] += AGAIN_AFTER_S
    assert caplog.messages == [f"Nothing is doubled: {str(error) or 'memory is short'}."]
    seconds[0] -= 0.1
    assert not functions.available
    seconds[0] += 0.1
    assert functions.available == (error in SHORTAGES)
    assert hasattr(functions, "twice") == (error in SHORTAGES)


SHORT_OF_DESCRIPTORS = """
import os, resource
from sequence.text import compiler
from sequence.text import adder

compiler.AGAIN_AFTER_S = 0
most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, most[1]))
before = adder._adder.available
resource.setrlimit(resource.RLIMIT_NOFILE, most)
print(before, adder._adder.available)
"""


def test_a_process_short_of_descriptors_compiles_when_there_are_some() -> None:
    found = subprocess.run(
        [sys.executable, "-c", SHORT_OF_DESCRIPTORS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["False", "True"]
