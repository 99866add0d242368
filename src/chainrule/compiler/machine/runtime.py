"""The machine: its vector width and features, LLVM IR text to loaded native code."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import llvmlite
from llvmlite import binding as llvm

from ..text.target import Target
from . import cache
from .give_back import trim_heap

forks_wait = _lock = threading.RLock()
"""Held while LLVM works, and while a part of the compiler is loaded: other threads don't fork meanwhile."""


def _locks() -> list[Any]:
    """Ours, and llvmlite's own: a fork waits for them, so that in the child nobody holds them who is not there."""
    theirs = getattr(getattr(llvm.ffi, "lib", None), "_lock", None)
    return [_lock, theirs._lock] if theirs is not None and hasattr(theirs, "_lock") else [_lock]


def _acquire() -> None:
    for lock in _locks():
        lock.acquire()


def _release() -> None:
    for lock in reversed(_locks()):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_acquire, after_in_parent=_release, after_in_child=_release)


@lru_cache(maxsize=1)
def initialise() -> None:
    """LLVM's back end for this machine."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()


AVX_512 = ("avx512f", "avx512vl", "avx512dq")
"""What code for vectors of 64 bytes takes: its instructions are used on shorter vectors, too."""


def vector_bytes_with(has: Callable[[str], bool]) -> int:
    """Bytes of the vectors that code is written for on a processor with such features of LLVM's."""
    if all(map(has, AVX_512)):
        return 64
    return 32 if has("avx2") else 16


def pairs_with(triple: str, vector_bytes: int, has: Callable[[str], bool]) -> str:
    """Whose instruction for pairs of bfloat16 a processor with such features has: see `Target`."""
    if triple.startswith(("aarch64", "arm64")):
        return "neon" if has("bf16") else ""
    return "avx512" if vector_bytes == 64 and has("avx512bf16") else ""


@lru_cache(maxsize=1)
def host() -> Target:
    """The processor this process runs on."""
    initialise()
    known = llvm.get_host_cpu_features()
    features = known.flatten()
    triple = llvm.get_process_triple()
    wide = vector_bytes_with(lambda feature: bool(known.get(feature)))
    has_fma = bool(known.get("fma")) or triple.startswith("aarch64")
    pairs = pairs_with(triple, wide, lambda feature: bool(known.get(feature)))
    return Target(triple, llvm.get_host_cpu_name(), features, wide, has_fma, pairs)


_chosen: ContextVar[Target | None] = ContextVar("processor", default=None)


def processor() -> Target:
    """The processor that code is written for: the one this process runs on, unless another was chosen."""
    return _chosen.get() or host()


@contextmanager
def compiling_for(other: Target) -> Iterator[None]:
    """Within it code is written for another processor. Such code can be exported, not run here."""
    token = _chosen.set(other)
    try:
        yield
    finally:
        _chosen.reset(token)


def _machine(jit: bool = True) -> Any:
    """A new one each time: an engine takes it over."""
    chosen = processor()
    return llvm.Target.from_triple(chosen.triple).create_target_machine(
        cpu=chosen.cpu, features=chosen.features, opt=2, reloc="pic", codemodel="small", jit=jit
    )


WITHOUT = {"disable-lsr": True, "disable-cgp": True, "enable-misched": False}
"""Options of LLVM that take passes away which make loops no faster, by measure of time and of their instructions.

Loop strength reduction is half of the time of code generation. What prepares code for it (7 %) moves addresses into
the blocks that use them, where they are written already. The scheduler of instructions (9 %) does what the processor
does, and may spill sums that tiles keep in registers.
"""
OPTIONS = f"opt=2 reloc=pic codemodel=small {WITHOUT}"


@contextmanager
def _without_some_passes() -> Iterator[None]:
    """Some passes of LLVM off: options of the whole process, put back for others who use llvmlite."""
    for name, value in WITHOUT.items():
        llvm.set_option("", f"-{name}={str(value).lower()}")
    try:
        yield
    finally:
        for name, value in WITHOUT.items():
            llvm.set_option("", f"-{name}={str(not value).lower()}")


@contextmanager
def llvm_at_work() -> Iterator[None]:
    """Inside the block LLVM compiles, on this thread or on others; nobody forks."""
    initialise()
    with _lock:
        with _without_some_passes():
            yield
        trim_heap()


def machine() -> tuple[str, ...]:
    """What code depends on besides its text: the versions of LLVM, the processor, options."""
    chosen = processor()
    versions = ".".join(map(str, (*llvm.llvm_version_info, llvmlite.__version__)))
    return versions, chosen.triple, chosen.cpu, chosen.features, chosen.bfloat16, OPTIONS


class Code:
    """Loaded native code; it lives as long as this object. Compiled once for each text: the cache keeps the rest.

    passes: whether LLVM's passes are run. They are worth their time only for tiny programs.
    """

    def __init__(self, text: str, passes: bool = False) -> None:
        key = cache.key_of(text, str(passes), *machine())
        code = cache.load(key)
        if code is None:
            code = compiled_text(text, passes)
            cache.store(key, code)
        self._load([code])

    @classmethod
    def loaded(cls, objects: Sequence[bytes]) -> Code:
        """Code of object files, which may call each other."""
        made = cls.__new__(cls)
        made._load(objects)
        return made

    def _load(self, objects: Sequence[bytes]) -> None:
        with _lock:
            self._engine = _loaded(objects)

    def address(self, name: str) -> int:
        """Where a function lies."""
        return int(self._engine.get_function_address(name))


def compiled_text(text: str, passes: bool = False) -> bytes:
    """LLVM IR to an object file."""
    with llvm_at_work():
        module, target_machine = llvm.parse_assembly(text), _machine()
        if passes:
            _optimise(module, target_machine)
        code = bytes(target_machine.emit_object(module))
        del module, target_machine
        return code


class Parsed:
    """A module with a context of LLVM's and a machine to itself, so that it can be compiled while others are.

    Whoever makes one closes it: what lies in a context must be gone before the context is.
    """

    def __init__(self, text: str) -> None:
        self._context, self._machine = llvm.create_context(), _machine()
        self._module = llvm.parse_assembly(text, self._context)

    def close(self) -> None:
        """Forget everything, in order."""
        for part in (self._module, self._machine, self._context):
            part.close()

    def compiled(self) -> bytes:
        """Its object file. llvmlite takes a lock for each call; here it is left out for the one that takes long."""
        emit = getattr(llvm.ffi.lib.LLVMPY_TargetMachineEmitToMemory, "_cfn", None)
        if emit is None:
            return bytes(self._machine.emit_object(self._module))
        with llvm.ffi.OutputString() as message:
            buffer = emit(self._machine, self._module, 1, message)
            if not buffer:
                raise RuntimeError(str(message))
        library = llvm.ffi.lib
        try:
            return ctypes.string_at(library.LLVMPY_GetBufferStart(buffer), library.LLVMPY_GetBufferSize(buffer))
        finally:
            library.LLVMPY_DisposeMemoryBuffer(buffer)


def library(texts: Sequence[tuple[str, bool]]) -> bytes:
    """Several modules of LLVM IR to one object file that other programs link. texts: (text, whether passes are run).

    Functions that are `internal` to a module may have the same name in another; those that nobody calls are left out.
    """
    initialise()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    with _lock, _without_some_passes():
        target_machine, whole = _machine(jit=False), llvm.parse_assembly("")
        for text, passes in texts:
            module = llvm.parse_assembly(text)
            module.verify()
            if passes:
                _optimise(module, target_machine)
            whole.link_in(module)
        builder = llvm.create_pass_builder(target_machine, llvm.create_pipeline_tuning_options(speed_level=0))
        manager = llvm.create_new_module_pass_manager()
        manager.add_global_dead_code_eliminate_pass()
        manager.run(whole, builder)
        return bytes(target_machine.emit_object(whole))


def _optimise(module: Any, machine: Any) -> None:
    """LLVM's passes on IR. What is vectorised was so before: its vectorisers are left out."""
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


def _loaded(objects: Sequence[bytes]) -> Any:
    """An engine that has linked object files."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    for code in objects:
        engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine
