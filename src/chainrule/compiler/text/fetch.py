"""Memory that will soon be needed, asked for before: a line of the cache at a time."""

from __future__ import annotations

from .emit import Function, Reg

CACHE_LINE = 64
"""Bytes."""


def ask_for(f: Function, address: Reg, writes: bool = False, near: bool = True) -> None:
    """Memory that is needed soon; an address that is none does no harm. near: in the first cache, not the second."""
    f.module.declare("@llvm.prefetch.p0", "void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    f.line(f"call void @llvm.prefetch.p0({address}, i32 {int(writes)}, i32 {3 if near else 2}, i32 1)")
