"""Which database the rows of a model are in."""

from typing import Any

from django.db.models import Model

from sequence.accounts import database
from sequence.index.health import DERIVED


class Router:
    """Django's database router: derived data is in the index, all else with the accounts."""

    def db_for_read(self, model: type[Model], **_: Any) -> str:
        """Return the alias of the database that rows of the model are read from."""
        return _alias(model._meta.app_label)

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool:
        """Return whether the tables of the app are in that database."""
        return db == _alias(app_label)


def _alias(app_label: str) -> str:
    return "default" if app_label in DERIVED else database.alias()
