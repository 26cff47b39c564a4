"""The Django app."""

from django.apps import AppConfig


class SequenceConfig(AppConfig):
    """The Fibonacci sequence as text."""

    name = "sequence"
    verbose_name = "Fibonacci sequence"

    def ready(self) -> None:
        """Register the checks that Django makes at every start, and connect receivers."""
        from sequence import checks, signals  # noqa: F401
        from sequence.accounts import database
        from sequence.operations import reconcile

        signals.index_set_aside.connect(database.on_index_set_aside)
        signals.index_recreated.connect(reconcile.on_index_recreated)
