"""What an ONNX file computes, as a module."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import nn
from ...errors import ConfigurationError
from ...tensor import Parameter, asarray
from .call import ArraySequence
from .graphs import GraphBody, Library
from .package import BUFFERS, PARAMETERS
from .stored import array_of

STATISTICS = {("BatchNormalization", 3), ("BatchNormalization", 4)}
"""(operator, input): running statistics."""
FIXED = {
    *(("Resize", place) for place in (1, 2, 3)),
    *(("Clip", place) for place in (1, 2)),
    *(("Upsample", 1), ("Pad", 2), ("Dropout", 1), ("ThresholdedRelu", 1), ("OneHot", 2)),
}
"""(operator, input): numbers that say what is done; they are not trained."""


class OnnxModule(nn.Module):
    """What an ONNX file computes. It is called with the inputs in the order of the file, or by their names."""

    def __init__(self, proto: Any) -> None:
        super().__init__()
        graph = proto.graph
        library = Library(
            {each.domain: each.version for each in proto.opset_import},
            {(each.domain, each.name): each for each in proto.functions},
        )
        stored = {tensor.name: array_of(tensor) for tensor in graph.initializer}
        inputs = [each.name for each in graph.input if each.name not in stored]
        self.input_names = inputs
        self.output_names = [each.name for each in graph.output]
        self._body = GraphBody(graph.node, inputs, self.output_names, library)
        self._places: dict[str, tuple[nn.Module, str]] = {}
        roles, usual = _roles(proto)
        for name, array in stored.items():
            self._keep(name, array, roles.get(name, usual))
        self.eval()

    def _keep(self, name: str, array: Any, role: str) -> None:
        if role == "fixed" or array.dtype.kind != "f" or array.ndim == 0:
            self._body.known[name] = array
            return
        module, last = self._place_for(name)
        if role == "buffer":
            module.register_buffer(last, asarray(np.array(array)))
        else:
            module.register_parameter(last, Parameter(np.array(array)))
        self._places[name] = module, last

    def _place_for(self, name: str) -> tuple[nn.Module, str]:
        """The module that holds an initialiser, and its name in it: `0.weight` is `weight` of the module `0`."""
        module: nn.Module = self
        *path, last = [part or "_" for part in name.split(".")]
        for part in path:
            inner = module.__dict__.get(part)
            if inner is None and not hasattr(module, part):
                inner = nn.Module()
                module.add_module(part, inner)
            if not isinstance(inner, nn.Module):
                return self, _free(self, name.replace(".", "_"))
            module = inner
        return module, _free(module, last)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The outputs for the inputs: one tensor, or a tuple of them. A sequence of arrays is a list."""
        given = _in_order(self.input_names, inputs, named)
        stored = {name: getattr(module, part) for name, (module, part) in self._places.items()}
        outputs = [_given_back(each) for each in self._body.run(list(map(_taken, given)), stored, self.training)]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _taken(given: Any) -> Any:
    if isinstance(given, list):
        return ArraySequence(tuple(map(asarray, given)))
    return None if given is None else asarray(given)


def _given_back(value: Any) -> Any:
    if isinstance(value, ArraySequence):
        return list(map(asarray, value.arrays))
    return None if value is None else asarray(value)


def _roles(proto: Any) -> tuple[dict[str, str], str]:
    """What initialisers are, by name, and what those are that are not named."""
    said = {each.key: each.value for each in proto.metadata_props}
    if PARAMETERS in said:
        names = {"parameter": json.loads(said[PARAMETERS]), "buffer": json.loads(said.get(BUFFERS, "[]"))}
        return {name: role for role, listed in names.items() for name in listed}, "fixed"
    found: dict[str, str] = {}
    for node in proto.graph.node:
        for place, name in enumerate(node.input):
            if (node.op_type, place) in STATISTICS:
                found[name] = "buffer"
            elif (node.op_type, place) in FIXED:
                found[name] = "fixed"
    return found, "parameter"


def _free(module: nn.Module, name: str) -> str:
    while hasattr(module, name):
        name += "_"
    return name


def _in_order(names: Sequence[str], inputs: Sequence[Any], named: dict[str, Any]) -> list[Any]:
    wrong = sorted(set(named) - set(names))
    given = {**dict(zip(names, inputs)), **named}
    if wrong or len(inputs) > len(names) or len(given) < len(names):
        raise ConfigurationError(
            f"the network takes the inputs {', '.join(names)}, but was given {len(inputs)} by position"
            + (f" and {', '.join(named)}" if named else "")
        )
    return [given[name] for name in names]
