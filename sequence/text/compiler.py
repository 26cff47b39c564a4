"""Compiles files of LLVM assembly to functions, once in a process, on hosts that can run them."""

import logging
import os
from ctypes import CDLL, addressof, c_char, c_int, c_size_t, c_void_p, get_errno
from errno import ENOMEM
from importlib.resources import files
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, PAGESIZE, PROT_EXEC, PROT_READ, mmap
from threading import Lock
from time import monotonic
from typing import Any

HOPELESS = (ModuleNotFoundError, PermissionError, RuntimeError)
"""There is no llvmlite; the system forbids code that was written at run time; LLVM knows no such
processor, or refuses the assembly."""

AGAIN_AFTER_S = 10.0
"""How long nothing is compiled after another failure."""

log = logging.getLogger(__name__)


class Functions:
    """The functions of a package's file of LLVM assembly, each of the ctypes type given by name.

    They are compiled when one is used, or `available` is asked, for the first time: for this
    processor, or for the one that LLVM calls `processor`. While they run, other threads do too, as
    ctypes releases the interpreter's lock. `without` says what becomes of a host that cannot
    compile them, or forbids code that was written at run time.
    """

    _compiling = Lock()

    def __init__(
        self, package: str, file: str, without: str, processor: str = "", **types: Any
    ) -> None:
        # Read now: when they are compiled there may be no descriptor left for the file.
        self._source = files(package).joinpath(file).read_text()
        self._without = without
        self._processor = processor
        self._types = types
        self._available: bool | None = None
        self._try_at = float("-inf")
        self._has_warned = False

    @property
    def available(self) -> bool:
        """Whether this host can run them; if it cannot now, the log says so, once.

        What can never work is remembered. What else has failed, as when descriptors or memory are
        short, is tried again.
        """
        # Threads that ask first together compile once.
        if self._is_to_be_tried():
            with self._compiling:
                if self._is_to_be_tried():
                    self._try()
        return bool(self._available)

    def _is_to_be_tried(self) -> bool:
        return self._available is None and monotonic() >= self._try_at

    def _try(self) -> None:
        try:
            _verify_executable_memory()
            self._compile()
            self._available = True
        except HOPELESS as error:
            self._available = False
            self._warn(error)
        except (ImportError, OSError, MemoryError) as error:
            self._try_at = monotonic() + AGAIN_AFTER_S
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            log.warning("%s: %s.", self._without, str(error) or "memory is short")
        self._has_warned = True

    def __getattr__(self, name: str) -> Any:
        """The function; asked for only until it is compiled, and an attribute from then on."""
        if name in self._types and self.available:
            return vars(self)[name]
        raise AttributeError(name, name=name, obj=self)

    def _compile(self) -> None:
        # Imported here: a process that only serves what is stored never loads the compiler.
        from llvmlite import binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=self._processor or llvm.get_host_cpu_name(),
            features="" if self._processor else llvm.get_host_cpu_features().flatten(),
        )
        module = llvm.parse_assembly(self._source)
        module.verify()
        passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
        passes.getModulePassManager().run(module, passes)
        self._engine = llvm.create_mcjit_compiler(module, machine)  # owns the machine code
        self._engine.finalize_object()
        vars(self).update(
            (name, declare(self._engine.get_function_address(name)))
            for name, declare in self._types.items()
        )


def _verify_executable_memory() -> None:
    """Raise PermissionError if this process may not run what it has written.

    LLVM does the same, ignores the error, and the first call is then a segmentation fault.
    prctl(2), PR_SET_MDWE; systemd.exec(5), MemoryDenyWriteExecute; SELinux, execmem.
    """
    page = mmap(-1, PAGESIZE, MAP_PRIVATE | MAP_ANONYMOUS)
    mprotect = CDLL(None, use_errno=True).mprotect
    mprotect.argtypes = (c_void_p, c_size_t, c_int)
    if mprotect(addressof(c_char.from_buffer(page)), PAGESIZE, PROT_READ | PROT_EXEC):
        said = os.strerror(get_errno())
        if get_errno() == ENOMEM:
            raise OSError(said)
        raise PermissionError(f"the system forbids code from memory ({said})")
