"""Functions from LLVM assembly."""

from concurrent.futures import ThreadPoolExecutor
from ctypes import CFUNCTYPE, c_int64
from pathlib import Path
from threading import Barrier

import pytest

from sequence.compiler import Functions


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


def test_a_host_that_cannot_run_them_has_no_functions_and_says_so_once(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden() -> None:
        raise OSError("the system forbids code from memory")

    monkeypatch.setattr("sequence.compiler._verify_executable_memory", forbidden)
    assert not functions.available
    assert not hasattr(functions, "twice")
    assert caplog.messages == ["Nothing is doubled: the system forbids code from memory."]
