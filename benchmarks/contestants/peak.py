"""How many multiply-adds a core does: independent vector sums in a loop, as native code through llvmlite."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

SUMS, ROUNDS = 12, 1_000_000
WIDTHS = (8, 16)
"""Lanes that are tried: some processors do as many wide ones a cycle as narrow ones, some half as many or none."""


def _text(lanes: int) -> str:
    """LLVM IR of `void peak(ptr out)`."""
    kind = f"<{lanes} x float>"
    width = f'"prefer-vector-width"="{32 * lanes}" "min-legal-vector-width"="{32 * lanes}"'
    head = [
        f"declare {kind} @llvm.fma.v{lanes}f32({kind}, {kind}, {kind})",
        f"define void @peak(ptr %out) {width} {{",
        "start:",
    ]
    factor = [f"  %f = load {kind}, ptr %out, align 4", "  br label %loop", "loop:"]
    count = ["  %i = phi i64 [0, %start], [%j, %loop]"]
    sums = [f"  %s{n} = phi {kind} [%f, %start], [%t{n}, %loop]" for n in range(SUMS)]
    steps = [f"  %t{n} = call {kind} @llvm.fma.v{lanes}f32({kind} %s{n}, {kind} %f, {kind} %f)" for n in range(SUMS)]
    ends = ["  %j = add i64 %i, 1", f"  %more = icmp ult i64 %j, {ROUNDS}", "  br i1 %more, label %loop, label %end"]
    total, last = ["end:"], "%t0"
    for n in range(1, SUMS):
        total.append(f"  %u{n} = fadd {kind} {last}, %t{n}")
        last = f"%u{n}"
    tail = [f"  store {kind} {last}, ptr %out, align 4", "  ret void", "}"]
    return "\n".join([*head, *factor, *count, *sums, *steps, *ends, *total, *tail])


def measured_peak(cpus: list[int]) -> float:
    """GFLOP/s of one core, the best of several tries with each width of vectors."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if cpus and allowed:
        os.sched_setaffinity(0, set(cpus))
    best = Probe().measure(20)
    if allowed:
        os.sched_setaffinity(0, allowed)
    return best


class Probe:
    """The loop, compiled for each width of vectors. Run between measurements it tells how fast the core was then."""

    def __init__(self) -> None:
        self.engines = {lanes: _engine(lanes) for lanes in WIDTHS}

    def measure(self, tries: int) -> float:
        """GFLOP/s of this thread's core, the best of so many tries with each width."""
        return max(self._rate(lanes, tries) for lanes in WIDTHS)

    def _rate(self, lanes: int, tries: int) -> float:
        address = self.engines[lanes].get_function_address("peak")
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)
        return 2 * lanes * SUMS * ROUNDS / min(_seconds(function, lanes) for _ in range(tries)) / 1e9


def _engine(lanes: int) -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features().flatten()
    target = binding.Target.from_default_triple()
    machine = target.create_target_machine(cpu=binding.get_host_cpu_name(), features=features, opt=2)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(_text(lanes)), machine)
    engine.finalize_object()
    return engine


def _seconds(function: ctypes._CFunctionType, lanes: int) -> float:
    memory = (ctypes.c_float * lanes)(*[0.5] * lanes)
    begin = time.perf_counter()
    function(memory)
    return time.perf_counter() - begin
