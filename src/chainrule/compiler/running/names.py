"""What the arguments, results and cells of a function are called in messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from ...captured import Cell, GradientCell, TensorCell
from ...records import dataclass
from ...tensor import Parameter, Tensor


@dataclass
class Names:
    """What things are called. cells: by the id of their tensor."""

    function: str
    arguments: Sequence[str]
    results: Sequence[str]
    cells: dict[int, str]

    def cell(self, cell: Cell) -> str:
        """A parameter by its name, others by their type."""
        assert isinstance(cell, TensorCell | GradientCell)
        name = self.cells.get(id(cell.owner)) or f"a tensor {cell.owner._value.type} outside"
        return f"the gradient of {name}" if isinstance(cell, GradientCell) else name


def cell_names(function: Any) -> dict[int, str]:
    """Tensors that a function has hold of by the name of the variable, those of modules by theirs; by id."""
    found: dict[int, str] = {}
    for name, value in held(function):
        if isinstance(value, Tensor):
            found[id(value)] = f"parameter {name}" if isinstance(value, Parameter) else f"tensor {name}"
        for owner in (value, getattr(value, "model", None)):
            for kind, method in (("parameter", "named_parameters"), ("buffer", "named_buffers")):
                if callable(getattr(owner, method, None)) and not isinstance(owner, type):
                    found.update((id(tensor), f"{kind} {name}") for name, tensor in getattr(owner, method)())
    return found


def held(function: Any) -> Iterator[tuple[str, Any]]:
    """What a function reaches without being given it: variables around it, globals it names, what it is a method of."""
    code = getattr(function, "__code__", None)
    for name, cell in zip(getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or ()):
        with suppress(ValueError):  # a variable that has no value yet
            yield name, cell.cell_contents
    known = getattr(function, "__globals__", {})
    yield from ((name, known[name]) for name in getattr(code, "co_names", ()) if name in known)
    yield "self", getattr(function, "__self__", function)
