"""Networks inside a pickled estimator: the same objects with plain arrays where tensors were.

Tensors are not pickled by themselves; an estimator must be, since scikit-learn copies and sends them that way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...ir.types import NumpyArray
from ...nn import Module
from ...tensor import Parameter, Tensor


@dataclass(frozen=True, eq=False)
class PackedTensor:
    """A tensor's content."""

    array: NumpyArray
    is_parameter: bool
    requires_grad: bool


@dataclass(frozen=True, eq=False)
class PackedModule:
    """A module's class and attributes, packed."""

    kind: type[Module]
    attributes: dict[str, Any]


def packed(value: Any, done: dict[int, Any] | None = None) -> Any:
    """The value with its modules and tensors packed; what is shared inside stays shared."""
    done = {} if done is None else done
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, Tensor):
        done[id(value)] = PackedTensor(value.numpy().copy(), isinstance(value, Parameter), value.requires_grad)
    elif isinstance(value, Module):
        holder = done[id(value)] = PackedModule(type(value), {})
        holder.attributes.update((name, packed(part, done)) for name, part in value.__dict__.items())
    elif type(value) in (list, tuple):
        return type(value)(packed(each, done) for each in value)
    elif type(value) is dict:
        return {key: packed(each, done) for key, each in value.items()}
    return done.get(id(value), value)


def unpacked(value: Any, done: dict[int, Any] | None = None) -> Any:
    """What `packed` was given, with tensors of its own."""
    done = {} if done is None else done
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, PackedTensor):
        made = Parameter(value.array) if value.is_parameter else Tensor(value.array)
        made.requires_grad_(value.requires_grad)
        done[id(value)] = made
    elif isinstance(value, PackedModule):
        module = done[id(value)] = object.__new__(value.kind)
        module.__dict__.update((name, unpacked(part, done)) for name, part in value.attributes.items())
    elif type(value) in (list, tuple):
        return type(value)(unpacked(each, done) for each in value)
    elif type(value) is dict:
        return {key: unpacked(each, done) for key, each in value.items()}
    return done.get(id(value), value)
