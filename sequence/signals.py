"""What becomes of segments and of the index, told to those whom the sender does not know.

Receivers are connected in `SequenceConfig.ready()` (sequence/apps.py).
"""

from django.dispatch import Signal

segment_built = Signal()
"""Sent after the first row of a segment has been committed; the sender is its number."""

segment_repaired = Signal()
"""Sent for each stretch of stored bytes that was wrong and was recomputed for an answer."""

index_set_aside = Signal()
"""Sent before a damaged index is set aside: the last chance to read from it."""

index_recreated = Signal()
"""Sent after an index that failed has been created again, empty."""
