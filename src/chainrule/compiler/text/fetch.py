"""Memory that will soon be needed, asked for before: a line of the cache at a time."""

from __future__ import annotations

from .emit import Function, Reg

CACHE_LINE = 64
"""Bytes."""


def ask_for(f: Function, address: Reg, writes: bool = False) -> None:
    """Memory that will soon be needed; an address that is none does no harm."""
    f.module.declare("@llvm.prefetch.p0", "void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    f.line(f"call void @llvm.prefetch.p0({address}, i32 {int(writes)}, i32 3, i32 1)")
