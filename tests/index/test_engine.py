"""What differs between databases stands in their engines, and nobody asks which one it is."""

from sequence.index import engine
from sequence.index.postgresql.engine import PostgreSQLEngine
from sequence.index.sqlite.engine import SQLiteEngine
from tests.support.processes import ROOT


def test_no_module_asks_which_database_has_the_index() -> None:
    for room in ("sequence", "fibosite"):
        for path in (ROOT / room).rglob("*.py"):
            assert "vendor" not in path.read_text(), path


def test_the_engine_is_that_of_the_backend() -> None:
    assert isinstance(engine.current(), SQLiteEngine | PostgreSQLEngine)
