"""Buffers that are used again: as many as are used at once, however many threads come and go."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Buffer = TypeVar("Buffer")


class Pool(Generic[Buffer]):
    """Buffers of one kind, made as they are needed."""

    def __init__(self, make: Callable[[], Buffer]) -> None:
        self._make = make
        self._free: deque[Buffer] = deque()

    @contextmanager
    def borrowed(self) -> Iterator[Buffer]:
        """Yield a buffer that is the caller's for the block."""
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = self._make()
        try:
            yield buffer
        finally:
            self._free.append(buffer)
