"""Django's commands about the accounts, wherever these lie."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DEFAULT_DB_ALIAS

from sequence.accounts import database
from sequence.index import health
from sequence.management.base import errors_as_sentences


class OnAccounts(BaseCommand):
    """What such a command does besides; it precedes Django's in the bases of a class."""

    # They are run first.
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Add Django's, of which --database is that of the accounts if it is not given."""
        super().add_arguments(parser)
        parser.set_defaults(database=database.alias())

    def handle(self, *arguments: Any, **options: Any) -> str | None:
        """Do as Django does, after the tables were built if they are missing."""
        with errors_as_sentences():
            if database.alias() == DEFAULT_DB_ALIAS:
                health.recreate()  # which has their tables too
            database.prepare()
            return super().handle(*arguments, **options)
