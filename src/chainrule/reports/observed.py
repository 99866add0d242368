"""One forward and backward pass through a copy of a network, with what every layer saw, gave, and was told."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn, random, tree
from ..autodiff import gradients
from ..ir.build import constant, recording
from ..ir.graph import Value
from ..ir.types import NumpyArray
from ..nn.calls import Call, noted_calls
from ..tensor import Tensor, unwrap

MIXING = ("Softmax", "Softmax2d", "LogSoftmax", "Softmin", "GLU", "MultiheadAttention")
"""Activations whose outputs depend on more than the input at their own place."""
SQUASHING = ("Sigmoid", "Tanh", "Hardsigmoid", "Hardtanh", "Softsign")


@dataclass(frozen=True, eq=False)
class Layer:
    """One call of a module that holds no others: its arrays, of all examples of the batch."""

    path: str
    kind: str
    module: nn.Module
    inputs: NumpyArray
    outputs: NumpyArray
    cotangent: NumpyArray | None
    input_cotangent: NumpyArray | None
    local: NumpyArray | None

    @property
    def is_activation(self) -> bool:
        """Whether each output depends on the input at its own place alone, and there is nothing to train."""
        return is_elementwise(self.module)


@dataclass(frozen=True, eq=False)
class Observed:
    """layers: in the order of the forward pass. gradients: of all parameters, by path."""

    loss: float
    outputs: NumpyArray
    layers: tuple[Layer, ...]
    gradients: Mapping[str, NumpyArray]


def is_elementwise(module: nn.Module) -> bool:
    """Whether a module is an activation such as ReLU or tanh."""
    kind = type(module)
    own = kind.__module__.endswith("nn.activation") and kind.__name__ not in MIXING
    return own and not list(module.parameters(recurse=False))


def observe(network: nn.Module, loss: Callable[..., Any], inputs: NumpyArray, targets: NumpyArray) -> Observed:
    """Run a copy of the network as it is (training or evaluation mode); nothing of the network itself changes."""
    model = copy.deepcopy(network)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    with random.kept(), recording(True), noted_calls(model) as calls:
        outputs = model(Tensor(inputs, requires_grad=inputs.dtype.kind == "f"))
        error = loss(outputs, Tensor(targets))
    leaves = [(call, *_ends(call)) for call in calls if not list(call.module.children())]
    known = [(call, given, made) for call, given, made in leaves if given is not None and made is not None]
    named = dict(model.named_parameters())
    cotangents = _cotangents(error, [*(v for _, *ends in known for v in ends), *map(unwrap, named.values())])
    layers = tuple(_layer(call, given, made, cotangents) for call, given, made in known)
    empty = {path: np.zeros(each.shape, each.dtype) for path, each in named.items()}
    found = {path: cotangents.get(id(each._value), empty[path]) for path, each in named.items()}
    return Observed(error.item(), outputs.numpy(), layers, found)


def _ends(call: Call) -> tuple[Value | None, Value | None]:
    """The first array that goes in and the first that comes out; None inside the body of a loop, which is traced."""
    return _first(call.inputs), _first(call.output)


def _first(held: Any) -> Value | None:
    values = [each._value for each in tree.leaves(held) if isinstance(each, Tensor)]
    return values[0] if values and values[0].data is not None else None


def _cotangents(error: Tensor, values: list[Any]) -> dict[int, NumpyArray]:
    wanted = {id(value): value for value in values if value.tracked}
    with recording(False):
        found = gradients([error._value], list(wanted.values()))
    return {key: each.data for key, each in zip(wanted, found) if each is not None and each.data is not None}


def _layer(call: Call, given: Value, made: Value, cotangents: Mapping[int, NumpyArray]) -> Layer:
    assert given.data is not None and made.data is not None
    local = None
    if is_elementwise(call.module) and given.tracked and made.tracked:
        with recording(False):
            (slope,) = gradients([made], [given], [constant(np.ones(made.shape, made.dtype))])
        local = None if slope is None else slope.data
    ends = (given.data, made.data, cotangents.get(id(made)), cotangents.get(id(given)))
    return Layer(call.path, type(call.module).__name__, call.module, *ends, local)
