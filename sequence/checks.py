"""Django's system check of the store, before anything starts."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from sequence.errors import FiboError
from sequence.segments import storage


@register()
def store_can_be_opened(**_: Any) -> list[CheckMessage]:
    """Return an error if the store has another layout, or something else is in its place."""
    try:
        storage.store()
    except (FiboError, OSError) as error:
        return [Error(str(error), id="sequence.E001")]
    return []
