"""Processors by name, for code that is to run elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import binding as llvm

from ...errors import ConfigurationError, unknown_name
from ..text.target import Target
from .runtime import AVX_512, host, pairs_with, vector_bytes_with

LINUX = "unknown-linux-gnu"


@dataclass(frozen=True)
class _Known:
    """A processor as LLVM knows it. vector_bytes, has_fma, bfloat16: what its instructions offer (see `Target`)."""

    triple: str
    cpu: str
    vector_bytes: int
    has_fma: bool
    bfloat16: str = ""


KNOWN = {
    "x86-64": _Known(f"x86_64-{LINUX}", "x86-64", 16, False),
    "x86-64-v2": _Known(f"x86_64-{LINUX}", "x86-64-v2", 16, False),
    "x86-64-v3": _Known(f"x86_64-{LINUX}", "x86-64-v3", 32, True),
    "x86-64-v4": _Known(f"x86_64-{LINUX}", "x86-64-v4", 64, True),
    **{
        name: _Known(f"x86_64-{LINUX}", name, 64, True, "avx512") for name in ("cooperlake", "sapphirerapids", "znver4")
    },
    "aarch64": _Known(f"aarch64-{LINUX}", "generic", 16, True),
    "neoverse-v1": _Known(f"aarch64-{LINUX}", "neoverse-v1", 16, True, "neon"),
}
"""x86-64 runs on every such processor, v3 on those with AVX2 and FMA (2013 on), v4 on those with AVX-512.

The others have instructions for products of bfloat16.
"""
IMPLIED = {"avx512f": {"avx2"}}
"""What LLVM enables with a feature, of those that matter here."""
NEEDED = frozenset({*AVX_512, "avx2", "avx", "fma", "f16c", "sse4.2", "sse4.1", "ssse3", "sse3"})
"""Without one of these LLVM has no AVX-512 on all lengths of vectors: it switches off what builds on them, too."""

HOST_IS_WHOLE = (
    "a cpu and features belong to a target with a name, such as target 'x86-64' with cpu 'haswell': "
    "the host has those of this machine"
)


def target_named(name: str, cpu: str | None = None, features: str = "") -> Target:
    """A processor by name: "host", one of `KNOWN`, or a triple of LLVM's with a cpu of LLVM's.

    features: LLVM's, "+avx2,+fma", on top; the host takes neither. Raises UnknownNameError, ConfigurationError for what
    LLVM doesn't know and for processors with addresses shorter than 64 bits or the high byte first.
    """
    if name == "host":
        if cpu is not None or features:
            raise ConfigurationError(HOST_IS_WHOLE)
        return host()
    known = KNOWN.get(name)
    if known is None and name.count("-") >= 2:
        known = _of_triple(name)
    if known is None:
        raise unknown_name("target", name, ["host", *KNOWN, "or a triple such as aarch64-unknown-linux-gnu"])
    enabled, disabled = ({each[1:] for each in features.split(",") if each.startswith(sign)} for sign in "+-")
    enabled = enabled.union(*(IMPLIED.get(each, ()) for each in enabled))
    width = max(known.vector_bytes, vector_bytes_with(enabled.__contains__))
    if disabled & NEEDED:
        width = min(width, 32)
    pairs = pairs_with(known.triple, width, enabled.__contains__) or (known.bfloat16 if cpu is None else "")
    pairs = "" if disabled & {"avx512bf16", "bf16", *NEEDED} else pairs
    return Target(known.triple, cpu or known.cpu, features, width, known.has_fma or "fma" in enabled, pairs)


def _of_triple(triple: str) -> _Known:
    llvm.initialize_all_targets()
    try:
        layout = str(llvm.Target.from_triple(triple).create_target_machine().target_data).split("-")
    except RuntimeError as error:
        raise ConfigurationError(f"LLVM knows no target {triple!r}: {error}") from error
    narrow = any(part.startswith("p:") and not part.startswith("p:64:") for part in layout)
    if narrow or layout[0] == "E":
        has = "addresses shorter than 64 bits" if narrow else "the high byte of a number first"
        raise ConfigurationError(
            f"target {triple!r} has {has}: code is made for processors with addresses of 64 bits and the low byte "
            "first, such as x86-64 and aarch64"
        )
    return _Known(triple, "", 16, triple.startswith(("aarch64", "arm64")))
