"""Processors by name, for code that is to run elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import binding as llvm

from ..errors import ConfigurationError, unknown_name
from .runtime import Target, host

LINUX = "unknown-linux-gnu"


@dataclass(frozen=True)
class _Known:
    """A processor as LLVM knows it. vector_bytes, has_fma: what its instructions offer."""

    triple: str
    cpu: str
    vector_bytes: int
    has_fma: bool


KNOWN = {
    "x86-64": _Known(f"x86_64-{LINUX}", "x86-64", 16, False),
    "x86-64-v2": _Known(f"x86_64-{LINUX}", "x86-64-v2", 16, False),
    "x86-64-v3": _Known(f"x86_64-{LINUX}", "x86-64-v3", 32, True),
    "x86-64-v4": _Known(f"x86_64-{LINUX}", "x86-64-v4", 64, True),
    "aarch64": _Known(f"aarch64-{LINUX}", "generic", 16, True),
}
"""x86-64 runs on every such processor, v3 on those with AVX2 and FMA (2013 on), v4 on those with AVX-512."""
WIDTHS = {"avx512f": 64, "avx2": 32}


def target_named(name: str, cpu: str | None = None, features: str = "") -> Target:
    """A processor by name: "host", one of `KNOWN`, or a triple of LLVM's with a cpu of LLVM's.

    features: LLVM's, "+avx2,+fma", on top. Raises UnknownNameError, ConfigurationError for what LLVM doesn't know.
    """
    if name == "host":
        return host()
    known = KNOWN.get(name)
    if known is None and "-" in name and name.count("-") >= 2:
        known = _of_triple(name)
    if known is None:
        raise unknown_name("target", name, ["host", *KNOWN, "or a triple such as aarch64-unknown-linux-gnu"])
    enabled = {feature[1:] for feature in features.split(",") if feature.startswith("+")}
    width = max([known.vector_bytes, *(WIDTHS[feature] for feature in enabled & set(WIDTHS))])
    return Target(known.triple, cpu or known.cpu, features, width, known.has_fma or "fma" in enabled)


def _of_triple(triple: str) -> _Known:
    llvm.initialize_all_targets()
    try:
        llvm.Target.from_triple(triple)
    except RuntimeError as error:
        raise ConfigurationError(f"LLVM knows no target {triple!r}: {error}") from error
    return _Known(triple, "", 16, triple.startswith(("aarch64", "arm64")))
