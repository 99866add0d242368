"""What runs the workloads: frameworks, one file each, every one in a process of its own."""

from __future__ import annotations

import importlib
from types import ModuleType

NAMES = (
    "torch_eager",
    "torch_compile",
    "jax_jit",
    "jax_scan",
    "tf_xla",
    "chainrule_eager",
    "chainrule_compiled",
    "chainrule_epoch",
    "torch_bfloat16",
    "chainrule_bfloat16",
)


def load(name: str) -> ModuleType:
    """The contestant's file: `missing()` says what it lacks here, `prepare(workload, threads)` gives its runner."""
    if name not in NAMES:
        raise ValueError(f"no contestant {name!r}; there are {', '.join(NAMES)}")
    return importlib.import_module(f"{__name__}.{name}")
