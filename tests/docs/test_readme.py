"""README's tables of settings, commands and addresses have all that the code has, and no more."""

import ast
import re
from collections.abc import Iterator

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve

from tests.support.processes import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS = sorted(
    path.stem
    for path in (ROOT / "sequence" / "management" / "commands").glob("*.py")
    if path.stem != "__init__"
)
TARGETS = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def rows(head: str) -> list[list[str]]:
    """The cells of each row of the table with that head."""
    table = re.search(rf"^\| {head} \|.*\n\|[ |-]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert table, f"README has no table of {head}"
    return [line.strip("| ").split(" | ") for line in table[1].splitlines()]


def coded(text: str) -> list[str]:
    """What a text has between backticks."""
    return re.findall(r"`([^`]+)`", text)


def variables() -> set[str]:
    """The names that the settings read: the first arguments of the readers of fibosite/env.py."""
    tree = ast.parse((ROOT / "fibosite" / "settings.py").read_text())
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def routes(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    """The addresses, a parameter as the capital letter that README has for it."""
    for each in patterns:
        yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: found[1].upper(), str(each.pattern))


def addresses() -> set[str]:
    """The addresses of README's table, without their queries."""
    cells = [coded(first) for first, *_ in rows("address")]
    return {each.partition("?")[0] for cell in cells for each in cell if each.startswith("/")}


def options(name: str) -> set[str]:
    """The options of a command that Django's do not have."""

    def taken(command: BaseCommand) -> set[str]:
        actions = command.create_parser("manage.py", name)._actions
        return {option for action in actions for option in action.option_strings}

    own = load_command_class("sequence", name)
    django = [each for each in type(own).__mro__ if each.__module__.startswith("django.")]
    return taken(own) - taken(django[0]())


def test_every_setting_has_a_row_and_every_row_is_of_a_setting() -> None:
    named = {name for first, *_ in rows("variable") for name in coded(first)}
    mentioned = {name for row in rows("variable") for cell in row for name in coded(cell)}
    read = variables()
    assert len(read) > 10
    assert read - mentioned == set()
    assert named - read == set()
    # boto3's own are told where the object store is.
    assert {name for name in read - named if not name.startswith("AWS_")} == set()


def test_nothing_but_its_readers_reads_the_environment() -> None:
    """Else the table of settings would lack something."""
    reads = re.compile(r"\bos\.environ(?!\.setdefault\(\"DJANGO_SETTINGS_MODULE\")|\bgetenv\b")
    reading = {
        str(path.relative_to(ROOT))
        for part in ("fibosite", "sequence")
        for path in (ROOT / part).rglob("*.py")
        if reads.search(path.read_text())
    }
    assert reading == {"fibosite/env.py"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_row_with_all_of_its_options(name: str) -> None:
    cells = [first for first, *_ in rows("command") if name in re.findall(r"[\w-]+", first)]
    assert cells, f"README has no row for manage.py {name}"
    assert options(name) - set(re.findall(r"--[a-z-]+", " ".join(cells))) == set()


def test_every_command_that_has_a_row_is_there() -> None:
    named = {
        found[1]
        for first, *_ in rows("command")
        for code in coded(first)
        if (found := re.match(r"(?:manage\.py )?([a-z]+)", code)) and not code.startswith("make")
    }
    # procrastinate's needs DATABASE_URL.
    assert named - {"procrastinate"} <= set(get_commands())


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_of_make_has_a_row(target: str) -> None:
    named = {
        code.split()[1] for first, *_ in rows("command") for code in coded(first) if " " in code
    }
    assert target in named


def test_every_address_has_a_row() -> None:
    documented = addresses()
    for route in routes(get_resolver().url_patterns):
        # What is below the admin's address is the admin's.
        below = any(
            route.startswith(each) for each in documented if each.endswith("/") and each != "/"
        )
        assert route in documented or below, f"README has no row for {route}"


@pytest.mark.parametrize("address", sorted(addresses()))
def test_every_address_that_has_a_row_is_there(address: str) -> None:
    try:
        resolve(address)
    except Resolver404:
        pytest.fail(f"{address} leads nowhere")


def test_no_row_stands_twice_in_a_table() -> None:
    for table in re.findall(r"^\|[ |-]+\n((?:\|.*\n)+)", README, re.MULTILINE):
        cells = [line.split(" | ")[0].strip("| ") for line in table.splitlines()]
        named = [cell for cell in cells if cell]
        assert sorted(set(named)) == sorted(named)
