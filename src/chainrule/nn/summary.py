"""What a network is made of: its layers in the order they are called, what shapes they give, how many weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import random, tree
from ..errors import ConfigurationError
from ..tensor import Tensor, asarray
from ..transforms import no_grad
from .calls import Call, noted_calls
from .module import Module


@dataclass(frozen=True)
class SummaryRow:
    """One call of a layer; parameters counts its own, 0 where an earlier row has them already."""

    path: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int


@dataclass(frozen=True)
class Summary:
    """`print(model.summary(...))` shows it as a table."""

    name: str
    rows: tuple[SummaryRow, ...]
    parameters: int
    trained: int
    bytes: int

    def __str__(self) -> str:
        heads = ("layer", "kind", "output", "parameters")
        cells = [
            (row.path, row.kind, _shape(row.shape), f"{row.parameters:,}" if row.parameters else "-")
            for row in self.rows
        ]
        widths = [max(len(each[place]) for each in (heads, *cells)) for place in range(4)]
        lines = [_line(heads, widths), "-" * (sum(widths) + 6), *(_line(each, widths) for each in cells)]
        total = f"{self.parameters:,} parameters, {self.trained:,} of them trained, {self.bytes / 1024:,.1f} KiB"
        return "\n".join([self.name, *lines, "-" * (sum(widths) + 6), total])

    __repr__ = __str__


def summary(network: Module, example: Any = None) -> Summary:
    """Of a network; `example` as in `Module.summary`."""
    parameters = list(network.parameters())
    rows = _from_structure(network) if example is None else _from_calls(network, example)
    return Summary(
        type(network).__name__,
        tuple(rows),
        sum(each.size for each in parameters),
        sum(each.size for each in parameters if each.requires_grad),
        sum(each.size * each.dtype.itemsize for each in parameters),
    )


def _from_structure(network: Module) -> list[SummaryRow]:
    seen: set[int] = set()
    return [
        SummaryRow(path, type(module).__name__, None, _own(module, seen))
        for path, module in network.named_modules()
        if not list(module.children()) or list(module.parameters(recurse=False))
    ]


def _from_calls(network: Module, example: Any) -> list[SummaryRow]:
    seen: set[int] = set()
    return [
        SummaryRow(call.path, type(call.module).__name__, _output_shape(call.output), _own(call.module, seen))
        for call in calls_on(network, example)
        if not list(call.module.children()) or list(call.module.parameters(recurse=False))
    ]


def calls_on(network: Module, example: Any) -> list[Call]:
    """The calls that a copy of the network makes on an example batch, in evaluation mode."""
    model = copy.deepcopy(network).eval()
    with random.kept(), no_grad(), noted_calls(model) as calls:
        model(*_batch(network, example))
    return calls


def _batch(network: Module, example: Any) -> tuple[Any, ...]:
    if isinstance(example, tuple) and not all(isinstance(each, int) for each in example):
        return tuple(map(asarray, example))
    if not isinstance(example, tuple):
        return (asarray(example),)
    if any(size < 1 for size in example):
        raise ConfigurationError(f"the shape of one example has sizes of at least 1, not {example}")
    floats = [each.dtype for each in network.parameters()]
    return (Tensor(np.zeros((1, *example), floats[0] if floats else np.float32)),)


def _own(module: Module, seen: set[int]) -> int:
    new = [each for each in module.parameters(recurse=False) if id(each) not in seen]
    seen.update(map(id, new))
    return sum(each.size for each in new)


def _output_shape(output: Any) -> tuple[int, ...] | None:
    tensors = [each for each in tree.leaves(output) if isinstance(each, Tensor)]
    return tensors[0].shape if tensors else None


def _shape(shape: tuple[int, ...] | None) -> str:
    return "" if shape is None else " x ".join(map(str, ("n", *shape[1:]))) if shape else "a number"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if place == 3 else cell.ljust(width) for place, (cell, width) in enumerate(zip(cells, widths))
    ]
    return "  ".join(padded).rstrip()
