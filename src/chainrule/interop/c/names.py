"""What C calls the parts of a state: parameters by the names of the module, moments by their parameter's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ... import random
from ...captured import GradientCell, Number, TensorCell
from ...compiler.running.names import cell_names, held
from ...optim import Optimizer

RESERVED = ("init", "state")


def identifier(text: str) -> str:
    """A text as part of a C name."""
    return re.sub(r"\W+", "_", text).strip("_") or "part"


def unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The same names, those that come again with a number."""
    found: list[str] = []
    known = {*taken}
    for name in names:
        chosen, count = name, 2
        while chosen in known:
            chosen, count = f"{name}_{count}", count + 1
        known.add(chosen)
        found.append(chosen)
    return found


def name_finder(functions: Iterable[Callable[..., Any]]) -> Callable[[Any], str]:
    """A function that names cells and options of these functions."""
    known: dict[int, str] = {id(random.default_generator.state): "random_state"}
    options: dict[int, str] = {}
    for function in functions:
        known |= {number: name.partition(" ")[2] for number, name in cell_names(function).items()}
        for optimizer in _optimizers(function):
            known |= _moments(optimizer, known)
            groups = optimizer.param_groups
            options |= {id(group): f"_{place}" * (len(groups) > 1) for place, group in enumerate(groups)}

    def find(source: Any) -> str:
        if isinstance(source, Number):
            part = "" if source.index is None else f"_{source.index}"
            return identifier(f"{source.key}{part}{options.get(id(source.container), '')}")
        assert isinstance(source, TensorCell | GradientCell)
        name = identifier(known.get(id(source.owner), "cell"))
        return f"{name}_gradient" if isinstance(source, GradientCell) else name

    return find


def _optimizers(function: Callable[..., Any]) -> Iterator[Optimizer]:
    for _, value in held(function):
        for each in (value, getattr(value, "optimizer", None)):
            if isinstance(each, Optimizer):
                yield each


def _moments(optimizer: Optimizer, known: dict[int, str]) -> dict[int, str]:
    return {
        id(moment): f"{known.get(id(parameter), 'parameter')}_{name}"
        for parameter, kept in optimizer.state.items()
        for name, moment in kept.items()
    }
