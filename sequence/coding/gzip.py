"""gzip: a member of one deflate block, with the same Huffman codes for all (RFC 1951, RFC 1952)."""

from ctypes import byref

from isal import isal_zlib

from sequence.coding import coder, huffman
from sequence.coding.coder import Memory, packer
from sequence.coding.huffman import Bits
from sequence.text.representation import AnyRepresentation

# RFC 1952, section 2.3: deflate, no flags, no time, the fastest algorithm, no known system.
_MEMBER = Bits.of(bytes.fromhex("1f8b 08 00 00000000 04 ff"))
_CODES = huffman.deflate_codes(huffman.DEFLATE_LENGTHS)
# RFC 1951, section 3.2.3: the last block, its codes described (10) or its content stored (00).
_DESCRIBED = _MEMBER.then(
    huffman.code(0b101, 3), *huffman.deflate_description(huffman.DEFLATE_LENGTHS)
)
_STORED = _MEMBER.then(huffman.code(0b001, 8))

_TABLE = huffman.Table.of(_CODES)

MIN_DIGITS = 128
"""Of fewer digits the codes save less than their description takes: the content is stored."""


class Coder(coder.Coder):
    """Codes a representation to one member."""

    def __init__(self, representation: AnyRepresentation) -> None:
        super().__init__(representation)
        self._stored = representation.digit_count < MIN_DIGITS
        self._begun = _DESCRIBED
        if self._stored:  # its length, and the complement of that (RFC 1951, section 3.2.4)
            length = huffman.code(self._length, 16)
            self._begun = _STORED.then(length, huffman.code(self._length ^ 0xFFFF, 16))
        self._crc32 = 0

    def _code(self, text: Memory, room: Memory, at: int, *, final: bool = False) -> tuple[int, int]:
        if self._stored:
            at = room.write(at, self._begun.to_bytes())
            at = room.write(at, text.view)
            self._begun = Bits(0, 0)
        else:
            at = self._deflate(text, room, at)
        # Afterwards: the text is in the cache now, and packing waits less for memory.
        self._crc32 = isal_zlib.crc32(text.view, self._crc32)
        return len(text.view), room.write(at, self._tail()) if final else at

    def _deflate(self, text: Memory, room: Memory, at: int) -> int:
        """Writes the whole bytes of the codes so far; the last bits wait for those that follow."""
        room.write(at, self._begun.to_bytes())
        stop: int = packer.deflate(
            byref(_TABLE), text.address, len(text.view), room.address + at, self._begun.length
        )
        whole, bits = divmod(stop, 8)
        self._begun = Bits(room.view[at + whole], bits)
        return at + whole

    def _tail(self) -> bytes:
        """The end of the block, the CRC-32 and the length (RFC 1952, section 2.3.1)."""
        rest = self._begun if self._stored else self._begun.then(_CODES[huffman.END])
        length = (self._length % 2**32).to_bytes(4, "little")
        return rest.to_bytes() + self._crc32.to_bytes(4, "little") + length
