"""Runs the nodes of an ONNX graph, its loops' bodies and the functions that operators are defined by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import ChainruleError
from ...ir.build import tracing
from ...tensor import Tensor
from .call import OPERATORS, ArraySequence, Call, OnnxError
from .operators import UNSUPPORTED
from .package import onnx
from .stored import array_of

Values = dict[str, Any]
DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class Library:
    """What the nodes of a file rest on: versions of operator sets by domain, and functions of its own."""

    opsets: Mapping[str, int]
    functions: Mapping[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators."""
        return self.opsets.get("", self.opsets.get("ai.onnx", 1))


class GraphBody:
    """Nodes in order; initialisers are known from the beginning."""

    def __init__(self, nodes: Sequence[Any], inputs: Sequence[str], outputs: Sequence[str], library: Library) -> None:
        self.nodes = [NodeStep(node, library) for node in nodes]
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.known: Values = {}

    @classmethod
    def of_graph(cls, graph: Any, library: Library) -> GraphBody:
        """The body of a loop or branch."""
        body = cls(graph.node, [x.name for x in graph.input], [y.name for y in graph.output], library)
        body.known = {tensor.name: array_of(tensor) for tensor in graph.initializer}
        return body

    @classmethod
    def of_function(cls, function: Any, library: Library) -> GraphBody:
        """A function that an operator is defined by."""
        own = Library(
            {each.domain: each.version for each in function.opset_import} or library.opsets, library.functions
        )
        return cls(function.node, function.input, function.output, own)

    def run(self, given: Sequence[Any], around: Mapping[str, Any], training: bool) -> list[Any]:
        """The outputs for inputs. around: values that the nodes may see besides."""
        values: Values = {**around, **self.known, **dict(zip(self.inputs, given))}
        for step in self.nodes:
            step.run(values, training)
        return [values.get(name) for name in self.outputs]  # an operator's definition leaves out what nobody asks for


class NodeStep:
    """One node: finds its operator, or the function that it is defined by."""

    def __init__(self, node: Any, library: Library) -> None:
        self.node, self.library = node, library
        self.name = node.op_type
        self.attributes: dict[str, Any] = {}
        self.graphs: dict[str, GraphBody] = {}
        self.references = {each.name: each.ref_attr_name for each in node.attribute if each.ref_attr_name}
        for each in node.attribute:
            if each.ref_attr_name:
                continue
            value = onnx().helper.get_attribute_value(each)
            if isinstance(value, onnx().GraphProto):
                self.graphs[each.name] = GraphBody.of_graph(value, library)
            else:
                self.attributes[each.name] = value
        self._expanded: dict[int, GraphBody] = {}
        self._defined: dict[Any, Any] = {}

    def run(self, values: Values, training: bool) -> None:
        """Compute it, and put its outputs among the values."""
        inputs = [values[name] if name else None for name in self.node.input]
        try:
            outputs = self._outputs(inputs, values, training)
        except OnnxError:
            raise
        except ChainruleError as error:
            raise OnnxError(f"{self.name} (node {self.node.name or self.node.output[0]!r}): {error}") from error
        for name, output in zip(self.node.output, outputs):
            if name:
                values[name] = output

    def _outputs(self, inputs: list[Any], values: Values, training: bool) -> list[Any]:
        attributes = {**self.attributes, **self._referred(values)}
        defined = self.library.functions.get((self.node.domain, self.name))
        if defined is not None:
            return self._function(defined, inputs, attributes, training)
        if self.node.domain not in DOMAINS or self.name not in OPERATORS:
            return self._by_definition(inputs, attributes, training)
        bodies = {name: _bound(graph, values, training) for name, graph in self.graphs.items()}
        count = len(self.node.output)
        call = Call(self.name, attributes, self.library.opset, count, training, bodies)
        if self.graphs or self.name in NOT_FOLDED or any(map(_is_open, inputs)):
            return _listed(OPERATORS[self.name](call, *inputs))
        with tracing(None):  # all is known: so is the result
            return [_elements(each) for each in _listed(OPERATORS[self.name](call, *inputs))]

    def _referred(self, values: Values) -> Values:
        """Attributes that stand for those of the function around."""
        given = values.get(ATTRIBUTES, {})
        return {name: given[other] for name, other in self.references.items() if given.get(other) is not None}

    # -- operators that are defined by others

    def _by_definition(self, inputs: list[Any], attributes: Values, training: bool) -> list[Any]:
        reason = UNSUPPORTED.get(self.name)
        if reason is not None:
            raise OnnxError(f"the operator {self.name}: {reason}")
        domain = "" if self.node.domain in DOMAINS else self.node.domain
        version = self.library.opsets.get(domain, 1) if domain else self.library.opset
        try:
            schema = onnx().defs.get_schema(self.name, version, domain)
        except onnx().defs.SchemaError as error:
            raise OnnxError(f"the operator {domain and domain + '.'}{self.name} is not known") from error
        kinds = tuple(map(_kind, inputs))
        if kinds not in self._defined:
            self._defined[kinds] = _definition(schema, self._complete(attributes), inputs)
        usual = {name: onnx().helper.get_attribute_value(each.default_value) for name, each in schema.attributes.items()
                 if each.default_value.name}  # fmt: skip
        return self._function(self._defined[kinds], inputs, {**usual, **attributes}, training)

    def _complete(self, attributes: Values) -> Any:
        """The node, attributes in it that stood for those of a function around."""
        if not self.references:
            return self.node
        return onnx().helper.make_node(self.name, list(self.node.input), list(self.node.output), **attributes)

    def _function(self, function: Any, inputs: list[Any], attributes: Values, training: bool) -> list[Any]:
        key = id(function)  # which the file, or the table of definitions, keeps
        if key not in self._expanded:
            self._expanded[key] = GraphBody.of_function(function, self.library)
        body = self._expanded[key]
        defaults = {each.name: onnx().helper.get_attribute_value(each) for each in function.attribute_proto}
        padded = [*inputs, *[None] * (len(body.inputs) - len(inputs))]
        around = {ATTRIBUTES: {**defaults, **attributes}}
        return body.run(padded, around, training)[: len(self.node.output)]


def _definition(schema: Any, node: Any, inputs: Sequence[Any]) -> Any:
    """The function of other operators that an operator stands for; it may depend on the types of inputs."""
    if schema.has_function:
        return schema.function_body
    if not schema.has_context_dependent_function:
        raise OnnxError(f"the operator {node.op_type} is not known")
    function = onnx().FunctionProto()
    types = [_type_proto(each) for each in inputs]
    function.ParseFromString(schema.get_context_dependent_function(node.SerializeToString(), types))
    return function


ATTRIBUTES = "attributes of the function around"  # no name of a value: these have no spaces
NOT_FOLDED = frozenset({"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli"})


def _bound(graph: GraphBody, values: Values, training: bool) -> Any:
    return lambda given: graph.run(given, values, training)


def _is_open(value: Any) -> bool:
    """Whether a value depends on what the network is given."""
    if isinstance(value, ArraySequence):
        return any(map(_is_open, value.arrays))
    return isinstance(value, Tensor)


def _kind(value: Any) -> Any:
    if isinstance(value, ArraySequence):
        return "sequence", *map(_kind, value.arrays)
    return None if value is None else (str(value.dtype), tuple(value.shape))


def _type_proto(value: Any) -> bytes:
    if value is None:
        return bytes(onnx().TypeProto().SerializeToString())
    if isinstance(value, ArraySequence):
        return _sequence_type(value)
    element = onnx().helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    return bytes(onnx().helper.make_tensor_type_proto(element, list(value.shape)).SerializeToString())


def _sequence_type(sequence: ArraySequence) -> bytes:
    package = onnx()
    if not sequence.arrays:
        inner = package.helper.make_tensor_type_proto(package.TensorProto.FLOAT, None)
    else:
        element = package.helper.np_dtype_to_tensor_dtype(np.dtype(sequence.arrays[0].dtype))
        inner = package.helper.make_tensor_type_proto(element, None)
    return bytes(package.helper.make_sequence_type_proto(inner).SerializeToString())


def _listed(answer: Any) -> list[Any]:
    return list(answer) if isinstance(answer, tuple | list) else [answer]


def _elements(value: Any) -> Any:
    if isinstance(value, ArraySequence):
        return ArraySequence(tuple(map(_elements, value.arrays)))
    return value.numpy() if isinstance(value, Tensor) else value
