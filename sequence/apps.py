"""The Django app."""

import sys

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
        signals.index_recreated.connect(reconcile.submit)
        signals.segment_built.connect(count_built)
        signals.segment_repaired.connect(count_repaired)


# Counted if the process has metrics: to import their library would cost every command 14 ms.
def count_built(**_: object) -> None:
    """Count a segment that was built."""
    if metrics := sys.modules.get("sequence.web.metrics"):
        metrics.SEGMENTS_BUILT.inc()


def count_repaired(**_: object) -> None:
    """Count a stretch of stored bytes that was wrong and was recomputed."""
    if metrics := sys.modules.get("sequence.web.metrics"):
        metrics.STORE_REPAIRED.inc()
