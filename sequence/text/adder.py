"""The compiled addition of decimal texts: each term written straight after the last.

The terms already in the buffer are the operands, so no number is kept anywhere. The two functions
are in adder.ll, which is compiled once in a process (docs/decisions/0001-llvm-assembly.md). While
they run, other threads do too: ctypes lets the interpreter's lock go.
"""

import sys
from array import array
from ctypes import CFUNCTYPE, c_char_p, c_int64, c_void_p
from functools import cache
from importlib.resources import files
from threading import Lock
from typing import Any, NamedTuple

from sequence.text.layout import LOG10_PHI, LOG10_SQRT5, SCALE_BITS
from sequence.text.span import Span

READ_BEFORE_BYTES = 64
"""How many bytes before its operands `append` may read: the buffer must have them."""

_FIXED_POINT_BYTES = (64 + SCALE_BITS) // 8


def positions(terms: Span) -> "array[int]":
    """Where each term of the span starts, in bytes from the start of the first; then their end.

    One entry more than there are terms, in signed 64-bit integers. Exact where
    `layout.digit_count` is.
    """
    result = array("q", bytes(8 * (terms.length + 1)))
    first_x = terms.start * LOG10_PHI - LOG10_SQRT5
    _functions().positions(
        result.buffer_info()[0], terms.length, _fixed_point(first_x), _fixed_point(LOG10_PHI)
    )
    return result


def append(text_address: int, positions: "array[int]", terms: Span) -> None:
    """Writes the terms, each with its space, straight after the two before them.

    Both spans count from the first of `positions`: term k of them lies at text_address +
    positions[k], and terms.start is at least 2. Nothing is checked here.
    """
    _functions().append(text_address, positions.buffer_info()[0], terms.start, terms.stop)


def _fixed_point(value: int) -> bytes:
    return value.to_bytes(_FIXED_POINT_BYTES, sys.byteorder, signed=True)


class _Compiled(NamedTuple):
    positions: Any
    append: Any
    engine: Any  # owns the machine code of both


_compiling = Lock()


def _functions() -> _Compiled:
    """The functions of adder.ll. Threads that ask first together get the same, as code that
    belongs to a discarded engine is gone while it runs."""
    with _compiling:
        return _compiled()


@cache
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
