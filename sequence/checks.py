"""What must hold before anything starts."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from sequence import build
from sequence.errors import LayoutMismatch


@register()
def store_is_cut_as_the_settings_say(**_: Any) -> list[CheckMessage]:
    """An error where the store was made with another layout version or segment size."""
    try:
        build.store()
    except LayoutMismatch as mismatch:
        return [Error(str(mismatch), id="sequence.E001")]
    return []
