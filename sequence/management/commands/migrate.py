"""Django's migrate, by one host at a time: where several share an index, all of them start so."""

from typing import Any

from django.core.management.commands import migrate

from sequence.index import sole_migrator


class Command(migrate.Command):
    """manage.py migrate."""

    def handle(self, *arguments: Any, **options: Any) -> None:
        """Migrates; who had to wait finds nothing left to do."""
        with sole_migrator():
            super().handle(*arguments, **options)
