"""The addition of decimal texts: each term written straight after the last.

The terms already in the buffer are the operands, so no number is kept anywhere. The two functions
are in adder.ll, which is compiled once in a process (docs/decisions/0001-llvm-assembly.md). While
they run, other threads do too: ctypes lets the interpreter's lock go. A host that cannot compile
them, or forbids code that was written at run time, has the same sums from `decimal`.
"""

import logging
import os
import sys
from array import array
from ctypes import (
    CDLL,
    CFUNCTYPE,
    addressof,
    c_char,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_void_p,
    get_errno,
    memmove,
    string_at,
)
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import accumulate
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, PAGESIZE, PROT_EXEC, PROT_READ, mmap
from threading import Lock
from typing import Any, NamedTuple

from sequence.text.doubling import EXACT
from sequence.text.layout import LOG10_PHI, LOG10_SQRT5, SCALE_BITS, digit_count
from sequence.text.span import Span

log = logging.getLogger(__name__)

READ_BEFORE_BYTES = 64
"""How many bytes before its operands `append` may read: the buffer must have them."""

_FIXED_POINT_BYTES = (64 + SCALE_BITS) // 8


def positions(terms: Span) -> "array[int]":
    """Where each term of the span starts, in bytes from the start of the first; then their end.

    One entry more than there are terms, in signed 64-bit integers. Exact where
    `layout.digit_count` is.
    """
    compiled = _functions()
    if not compiled:
        lengths = (digit_count(n) + 1 for n in range(terms.start, terms.stop))
        return array("q", accumulate(lengths, initial=0))
    result = array("q", bytes(8 * (terms.length + 1)))
    first_x = terms.start * LOG10_PHI - LOG10_SQRT5
    compiled.positions(
        result.buffer_info()[0], terms.length, _fixed_point(first_x), _fixed_point(LOG10_PHI)
    )
    return result


def append(text_address: int, positions: "array[int]", terms: Span) -> None:
    """Writes the terms, each with its space, straight after the two before them.

    Both spans count from the first of `positions`: term k of them lies at text_address +
    positions[k], and terms.start is at least 2. Nothing is checked here.
    """
    compiled = _functions()
    if compiled:
        compiled.append(text_address, positions.buffer_info()[0], terms.start, terms.stop)
        return

    def text(k: int) -> str:
        return string_at(text_address + positions[k], positions[k + 1] - positions[k] - 1).decode()

    before, value = Decimal(text(terms.start - 2)), Decimal(text(terms.start - 1))
    for k in range(terms.start, terms.stop):
        before, value = value, EXACT.add(before, value)
        memmove(
            text_address + positions[k],
            b"%b " % str(value).encode(),
            positions[k + 1] - positions[k],
        )


def _fixed_point(value: int) -> bytes:
    return value.to_bytes(_FIXED_POINT_BYTES, sys.byteorder, signed=True)


class _Compiled(NamedTuple):
    positions: Any
    append: Any
    engine: Any  # owns the machine code of both


_compiling = Lock()


def _functions() -> _Compiled | None:
    """The functions of adder.ll, or None if this host cannot run them. Threads that ask first
    together get the same, as code that belongs to a discarded engine is gone while it runs."""
    with _compiling:
        return _compiled_if_possible()


@cache
def _compiled_if_possible() -> _Compiled | None:
    try:
        _verify_executable_memory()
        return _compiled()
    except (ImportError, OSError, RuntimeError) as error:
        log.warning("The text is computed by decimal, which is slower: %s.", error)
        return None


def _verify_executable_memory() -> None:
    """Raise OSError if this process may not run what it has written.

    LLVM does the same, ignores the error, and the first call is then a segmentation fault.
    prctl(2), PR_SET_MDWE; systemd.exec(5), MemoryDenyWriteExecute; SELinux, execmem.
    """
    page = mmap(-1, PAGESIZE, MAP_PRIVATE | MAP_ANONYMOUS)
    mprotect = CDLL(None, use_errno=True).mprotect
    mprotect.argtypes = (c_void_p, c_size_t, c_int)
    if mprotect(addressof(c_char.from_buffer(page)), PAGESIZE, PROT_READ | PROT_EXEC):
        raise OSError(f"the system forbids code from memory ({os.strerror(get_errno())})")


def _compiled() -> _Compiled:
    """adder.ll as machine code for this processor."""
    # Imported here: a process that only serves what is stored never loads the compiler.
    from llvmlite import binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten()
    )
    module = llvm.parse_assembly(files(__package__).joinpath("adder.ll").read_text())
    module.verify()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    declare_positions = CFUNCTYPE(None, c_void_p, c_int64, c_char_p, c_char_p)
    declare_append = CFUNCTYPE(None, c_void_p, c_void_p, c_int64, c_int64)
    return _Compiled(
        declare_positions(engine.get_function_address("positions")),
        declare_append(engine.get_function_address("append")),
        engine,
    )
