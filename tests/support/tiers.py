"""Which tests start processes: a server, a command, a browser. `make check` leaves these out."""

import inspect
import subprocess
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import pytest


def starts_processes(item: pytest.Function) -> bool:
    """Whether the test, a fixture or parameter of it, or what they call uses `subprocess`."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    used = [item.function, *(each.func for several in fixtures for each in several), *parameters]
    return any(_reaches_subprocess(inspect.unwrap(each)) for each in used if callable(each))


_answers: dict[object, bool] = {}


def _reaches_subprocess(function: Any) -> bool:
    """Whether the code of a function, or of any other of these tests that it names, uses it."""
    if not isinstance(function, FunctionType) or not function.__module__.startswith("tests."):
        return False
    if function not in _answers:
        _answers[function] = False  # ends a recursion
        named = [function.__globals__.get(name) for name in _names(function.__code__)]
        # A class by all that it does.
        members = [member for each in named if inspect.isclass(each) for member in _methods(each)]
        _answers[function] = subprocess in named or any(
            _reaches_subprocess(inspect.unwrap(each))
            for each in (*named, *members)
            if callable(each)
        )
    return _answers[function]


def _methods(class_: type) -> list[object]:
    return [member for base in class_.__mro__ for member in vars(base).values()]


def _names(code: CodeType) -> Iterator[str]:
    """The global names in code and in the functions inside of it."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)
