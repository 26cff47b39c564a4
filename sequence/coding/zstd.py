"""zstd: a frame of Huffman literals without sequences (RFC 8878)."""

from ctypes import Structure, byref, c_int64, c_void_p

from sequence.coding import coder, huffman
from sequence.coding.coder import Memory, packer
from sequence.text.representation import AnyRepresentation

# RFC 8878, section 3.1.1: a content size of 8 bytes, no checksum, a window of 128 KiB.
_HEADER = bytes.fromhex("28b52ffd c0 38")
# Section 3.1.1.2: the last block, raw, of no bytes.
_LAST_BLOCK = bytes.fromhex("010000")

_COMPLETE, _WIDE = (
    huffman.Table.of(huffman.zstd_codes(lengths), huffman.zstd_description(lengths))
    for lengths in (huffman.COMPLETE_LENGTHS, huffman.WIDE_LENGTHS)
)


class _State(Structure):
    """The table whose codes the decoder knows, and how many bytes of the last text were taken."""

    _fields_ = [("known", c_void_p), ("taken", c_int64)]


class Coder(coder.Coder):
    """Codes a representation to one frame."""

    def __init__(self, representation: AnyRepresentation) -> None:
        super().__init__(representation)
        self._header = _HEADER + self._length.to_bytes(8, "little")
        self._state = _State()

    def _code(self, text: Memory, room: Memory, at: int, *, final: bool = False) -> tuple[int, int]:
        at, self._header = room.write(at, self._header), b""
        tables, state = (byref(_COMPLETE), byref(_WIDE)), byref(self._state)
        length = len(text.view)
        at += packer.zstd(*tables, text.address, length, final, room.address + at, state)
        return self._state.taken, room.write(at, _LAST_BLOCK) if final else at
