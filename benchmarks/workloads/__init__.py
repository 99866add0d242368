"""Training steps that are timed, one file each: data, first weights, and the network in each framework's words."""

from __future__ import annotations

import importlib

from .base import Workload

NAMES = ("xor", "lecun1989", "mlp_tiny", "mlp_b64", "mlp_b1024", "lenet5", "resnet20", "lstm", "gpt_mini")


def load(name: str) -> Workload:
    """The workload of that name; only its file is imported."""
    if name not in NAMES:
        raise ValueError(f"no workload {name!r}; there are {', '.join(NAMES)}")
    workload: Workload = importlib.import_module(f"{__name__}.{name}").WORKLOAD
    return workload
