"""What all codings share: text in pieces cut anywhere, and the compiled packers."""

from abc import ABC, abstractmethod
from ctypes import CFUNCTYPE, addressof, c_char, c_char_p, c_int64, c_void_p, cast
from typing import NamedTuple

from sequence.errors import BodyShort
from sequence.text.compiler import Functions
from sequence.text.pool import Pool
from sequence.text.representation import AnyRepresentation

MAX_BYTES = 512 * 1024
"""How much text is packed at once: more than can wait for the end of its block, and little enough
to stay in the cache."""

STEP_BYTES = 32 * 1024
"""How much of a piece is copied at once to what waits from the piece before it."""

ROOM_BYTES = 2 * MAX_BYTES
"""Enough for the coded form of so much and of what waited: a code has nine bits at most, a block
has a few bytes more, and the last word is written whole."""


def compiled(processor: str = "") -> Functions:
    """The functions of packer.ll, for this processor or for one that LLVM knows by name."""
    return Functions(
        __package__,
        "packer.ll",
        "No content coding is offered",
        processor,
        deflate=CFUNCTYPE(c_int64, c_void_p, c_void_p, c_int64, c_void_p, c_int64),
        zstd=CFUNCTYPE(c_int64, c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_void_p),
    )


packer = compiled()


class Memory(NamedTuple):
    """Bytes and their address."""

    view: memoryview
    address: int

    @classmethod
    def of(cls, content: bytes | bytearray | memoryview) -> "Memory":
        """Return the memory of the content; of a copy if it is a read-only view."""
        if isinstance(content, memoryview) and content.readonly:
            content = bytes(content)  # ctypes has the address of bytes, but not of such a view
        if isinstance(content, bytes):
            address = cast(c_char_p(content), c_void_p).value
        else:
            address = addressof(c_char.from_buffer(content)) if content else 0
        return cls(memoryview(content), address or 0)

    def part(self, start: int, stop: int | None = None) -> "Memory":
        """Return a part of it, uncopied."""
        return Memory(self.view[start:stop], self.address + start)

    def write(self, at: int, content: bytes | memoryview) -> int:
        """Copy the content to `at` and return its end."""
        end = at + len(content)
        self.view[at:end] = content
        return end


class Coder(ABC):
    """Codes a representation, given in pieces, to the same bytes however it was cut."""

    def __init__(self, representation: AnyRepresentation) -> None:
        self._length = representation.length or 0
        self._given_bytes = 0
        self._waiting = b""

    def pack(self, piece: bytes | memoryview) -> bytes:
        """Return what this piece of the representation completes of the coded form."""
        self._given_bytes += len(piece)
        memory = Memory.of(piece)
        with _rooms.borrowed() as room:
            return b"".join(
                self._pack(memory.part(at, at + MAX_BYTES), room)
                for at in range(0, len(piece), MAX_BYTES)
            )

    def finish(self) -> bytes:
        """Return the rest of the coded form; raises BodyShort if the pieces were not all of it."""
        if self._given_bytes != self._length:
            raise BodyShort(self._length, self._given_bytes)
        with _rooms.borrowed() as room:
            _, end = self._code(Memory.of(self._waiting), room, 0, final=True)
            return bytes(room.view[:end])

    def _pack(self, text: Memory, room: Memory) -> bytes:
        at = end = 0
        while self._waiting and at < len(text.view):
            begun = Memory.of(self._waiting + text.view[at : at + STEP_BYTES])
            at += len(begun.view) - len(self._waiting)
            taken, end = self._code(begun, room, end)
            self._waiting = bytes(begun.view[taken:])
            if len(self._waiting) <= at:  # all of it lies in the text, and need not be copied
                at, self._waiting = at - len(self._waiting), b""
        if not self._waiting:
            taken, end = self._code(text.part(at), room, end)
            self._waiting = bytes(text.view[at + taken :])
        return bytes(room.view[:end])

    @abstractmethod
    def _code(self, text: Memory, room: Memory, at: int, *, final: bool = False) -> tuple[int, int]:
        """Write the coded form of what can be coded of the text, all if it is final, to `at`.

        Returns how many bytes of the text that was, and where the coded form ends in the room.
        """


_rooms = Pool(lambda: Memory.of(bytearray(ROOM_BYTES)))
