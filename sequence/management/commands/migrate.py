"""Django's migrate for the index and the accounts, by one process at a time."""

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections

from sequence.index import engine


class Command(migrate.Command):
    """manage.py migrate."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add Django's, of which --database is each one if it is not given."""
        super().add_arguments(parser)
        # Django commits the tables of a migration before it notes that they are there: what ends
        # in between is completed by taking tables that an initial migration builds as built.
        parser.set_defaults(database=None, fake_initial=True)

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Return Django's arguments of its checks."""
        return super().get_check_kwargs(options | {"database": options["database"] or "default"})

    def handle(self, *arguments: Any, database: str | None, **options: Any) -> None:
        """Migrate; who had to wait finds nothing left to do."""
        with engine.current().exclusive():
            for each in [database] if database else connections:
                super().handle(*arguments, database=each, **options)
