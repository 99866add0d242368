"""Modules as trees, so that `cr.grad(loss)(model)` and `cr.tree.map` work: the leaves are the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import tree
from ..tensor import Parameter, Tensor, unwrap
from ..tree import Children
from .module import Module


def children_of(module: Module) -> Children:
    """The floating parameters by path, each once; a module is built anew as a shallow copy around new ones.

    Around its own it is itself: whether it trains, and what it counts, is then asked of the one that the caller has.
    """
    named = [(path, each) for path, each in module.named_parameters() if each.dtype.kind == "f"]
    places = {id(each): place for place, (_, each) in enumerate(named)}

    def rebuild(values: Sequence[Any]) -> Module:
        if all(value is each for value, (_, each) in zip(values, named)):
            return module
        return _copy(module, places, [_as_parameter(value) for value in values], {})

    return Children(tuple(path for path, _ in named), tuple(each for _, each in named), rebuild)


def _as_parameter(value: Any) -> Any:
    """The same value as a parameter, so that the copy lists it too: a penalty on all weights must find them."""
    if not isinstance(value, Tensor) or isinstance(value, Parameter):
        return value
    parameter = Parameter.__new__(Parameter)
    parameter._own_value = unwrap(value)
    parameter._own_grad = None
    return parameter


def _copy(module: Module, places: dict[int, int], parameters: list[Any], done: dict[int, Module]) -> Module:
    """The module with parameters replaced and everything else, buffers too, shared with the original."""
    if id(module) in done:
        return done[id(module)]
    copy = object.__new__(type(module))
    done[id(module)] = copy
    inside = {id(child) for child in module.children()}
    for name, part in module.__dict__.items():
        if id(part) in inside:
            part = _copy(part, places, parameters, done)
        elif id(part) in places:
            part = parameters[places[id(part)]]
        copy.__dict__[name] = part
    return copy


tree.register(Module, children_of)
