"""What all codings share: text in pieces cut anywhere, and the compiled packers."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, addressof, c_char, c_char_p, c_int64, c_void_p, cast

from sequence.compiler import Functions
from sequence.errors import BodyShort
from sequence.text.representation import Representation

MAX_BYTES = 512 * 1024
"""How much text is packed at once: more than can wait for the end of its block, and little enough
to stay in the cache."""

STEP_BYTES = 32 * 1024
"""How much of a piece is copied at once to what waits from the piece before it."""

ROOM_BYTES = MAX_BYTES + MAX_BYTES // 4 + 1024
"""For the coded form of MAX_BYTES: a code has nine bits at most, a block a few bytes more, and the
last word is written whole."""


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


class Memory:
    """Bytes, and where they lie."""

    def __init__(self, content: bytes | bytearray | memoryview) -> None:
        if isinstance(content, memoryview) and content.readonly:
            content = bytes(content)  # ctypes tells where bytes lie, but not where such a view does
        self.view = memoryview(content)
        if isinstance(content, bytes):
            self.address = cast(c_char_p(content), c_void_p).value or 0
        else:
            self.address = addressof(c_char.from_buffer(content))


class Coder(ABC):
    """Codes a representation, given in pieces, to the same bytes however it was cut."""

    def __init__(self, representation: Representation) -> None:
        self._length = representation.length
        self._given_bytes = 0
        self._waiting = b""

    def pack(self, piece: bytes | memoryview) -> bytes:
        """What this piece of the representation completes of the coded form."""
        self._given_bytes += len(piece)
        with _room() as room:
            return b"".join(self._coded(piece, room)) if piece else b""

    def finish(self) -> bytes:
        """The rest of the coded form; raises BodyShort if the pieces were not all of it."""
        if self._given_bytes != self._length:
            raise BodyShort(self._length, self._given_bytes)
        last = Memory(self._waiting)
        with _room() as room:
            return self._code(last.view, last.address, room, final=True)[1]

    def _coded(self, piece: bytes | memoryview, room: Memory) -> Iterator[bytes]:
        memory, at = Memory(piece), 0
        while self._waiting and at < len(piece):
            begun = Memory(self._waiting + memory.view[at : at + STEP_BYTES])
            at += len(begun.view) - len(self._waiting)
            taken, coded = self._code(begun.view, begun.address, room)
            yield coded
            self._waiting = bytes(begun.view[taken:])
            if len(self._waiting) <= at:  # all of it lies in the piece, and need not be copied
                at, self._waiting = at - len(self._waiting), b""
        taken = 1
        while taken and at < len(piece):
            text = memory.view[at : at + MAX_BYTES]
            taken, coded = self._code(text, memory.address + at, room)
            yield coded
            at += taken
        self._waiting += memory.view[at:]

    @abstractmethod
    def _code(
        self, text: memoryview, address: int, room: Memory, *, final: bool = False
    ) -> tuple[int, bytes]:
        """How many bytes of the text could be coded, and to what; all of them if it is final."""


_rooms: deque[Memory] = deque()


@contextmanager
def _room() -> Iterator[Memory]:
    """Room while the block runs: there are as many as are used at once, however many coders."""
    try:
        room = _rooms.pop()
    except IndexError:
        room = Memory(bytearray(ROOM_BYTES))
    try:
        yield room
    finally:
        _rooms.append(room)
