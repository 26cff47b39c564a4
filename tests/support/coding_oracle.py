"""The codings as docs/text-format.md, section 6, defines them, slowly and obviously: bit by bit."""

import re
import zlib
from collections.abc import Iterable

END = "end of block"
Symbol = int | str


def lengths(**groups: str) -> dict[Symbol, int]:
    """The lengths of codes, from the bytes that have codes of so many bits."""
    return {ord(byte): int(bits[1:]) for bits, group in groups.items() for byte in group}


COMMON = {"_3": "01234", "_4": "56789", "_6": ' "', "_8": ":,\n", "_9": "{}nvalue"}
DEFLATE = {**lengths(**COMMON), ord("\r"): 9, END: 9}
WIDE = {**lengths(**COMMON), ord("\r"): 8}
COMPLETE = lengths(_3="012345", _4="6789")
DESCRIPTION = {
    id(COMPLETE): "b8 0000000000000000000000000000000000000000000000002222221110",
    id(WIDE): "fc 0000000000200200000000000000000040400000000020007777766666"
    "20000000000000000000000000000000000000010001000000101000000110000100",
}
GZIP_HEAD = "1f8b08000000000004ff05c0318e10010c03c0fe24feb0dafa0adb7692e47e434187e8a041fc9d01"
GZIP_HEAD_BITS = 315


def codes(of: dict[Symbol, int], longest_first: bool) -> dict[Symbol, str]:
    """The canonical codes: each is the beginning of the sum of 2^-length over those before it."""

    def place(symbol: Symbol) -> tuple[int, int]:
        number = 256 if isinstance(symbol, str) else symbol
        return (-of[symbol] if longest_first else of[symbol], number)

    result, before = {}, 0
    for symbol in sorted(of, key=place):
        result[symbol] = f"{before:015b}"[: of[symbol]]
        before += 2 ** (15 - of[symbol])
    assert before == 2**15
    return result


def packed(bits: str) -> bytes:
    """Bytes of the bits, the first one lowest."""
    return int(bits[::-1], 2).to_bytes((len(bits) + 7) // 8, "little")


def gzip(content: bytes, digits: int) -> bytes:
    """The member of a content whose terms have so many digits together."""
    tail = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
    head = bytes.fromhex(GZIP_HEAD)
    if digits < 128:
        size = len(content).to_bytes(2, "little")
        return head[:10] + b"\x01" + size + bytes(b ^ 255 for b in size) + content + tail
    head_bits = f"{int.from_bytes(head, 'little'):b}".zfill(8 * len(head))[::-1][:GZIP_HEAD_BITS]
    code = codes(DEFLATE, longest_first=False)
    symbols: Iterable[Symbol] = [*content, END]
    return packed(head_bits + "".join(code[symbol] for symbol in symbols)) + tail


def block(kind: int, size: int, body: bytes) -> bytes:
    """A block that is not the last."""
    return (kind << 1 | size << 3).to_bytes(3, "little") + body


def literals(content: bytes, of: dict[Symbol, int], known: bool) -> bytes:
    """A block of literals, which describes its codes unless they are known."""
    code = codes(of, longest_first=True)
    quarter = -(-len(content) // 4)
    streams = []
    for start in range(0, 4 * quarter, quarter):
        # It is read backwards: the highest bit of the last byte first, from the first 1 on.
        bits = "1" + "".join(code[byte] for byte in content[start : start + quarter])
        streams.append(int(bits, 2).to_bytes((len(bits) + 7) // 8, "little"))
    body = b"" if known else bytes.fromhex(DESCRIPTION[id(of)])
    body += b"".join(len(stream).to_bytes(2, "little") for stream in streams[:3])
    body += b"".join(streams)
    header = (3 if known else 2) | 3 << 2 | len(content) << 4 | len(body) << 22
    section = header.to_bytes(5, "little") + body + b"\x00"
    return block(2, len(section), section)


def zstd(content: bytes) -> bytes:
    """The frame of a content."""
    frame = bytes.fromhex("28b52ffd c0 38") + len(content).to_bytes(8, "little")
    known: dict[Symbol, int] = {}
    stretch = b""

    def ended() -> bytes:
        """The block of the stretch so far, if there is one."""
        nonlocal known, stretch
        text, stretch = stretch, b""
        if not text:
            return b""
        raw = block(0, len(text), text)
        if len(text) >= 64:
            coded = literals(text, WIDE, known is WIDE)
            if len(coded) < len(raw):
                known = WIDE
                return coded
        return raw

    while content:
        found = re.match(rb"[0-9]{0,133120}", content)
        assert found
        run = len(found[0])
        if run >= 2048:
            size = run - 2048 if run > 131_072 else run
            frame += ended() + literals(content[:size], COMPLETE, known is COMPLETE)
            known, content = COMPLETE, content[size:]
        else:
            if len(stretch) + len(content[: run + 1]) > 131_072:
                frame += ended()
            stretch, content = stretch + content[: run + 1], content[run + 1 :]
    return frame + ended() + bytes.fromhex("010000")
