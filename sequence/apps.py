"""The Django app."""

from django.apps import AppConfig


class SequenceConfig(AppConfig):
    """The Fibonacci sequence as text."""

    name = "sequence"
    verbose_name = "Fibonacci sequence"

    def ready(self) -> None:
        """Registers the checks that Django makes at every start."""
        from sequence import checks  # noqa: F401
