"""A network, or any function of arrays, to an ONNX file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ... import nn, tree
from ...capture import Use, capture
from ...captured import Captured, TensorCell
from ...errors import ConfigurationError, TraceError
from ...files import write_bytes
from ...ir.build import recording
from ...ir.graph import Graph
from ...ir.types import ArrayType
from ...names import parameters_of
from ...nn.evaluation import evaluating
from ...passes import run_passes
from ...tensor import Parameter
from .control import CONTROL
from .counted import counted
from .elementwise import ELEMENTWISE
from .package import BUFFERS, IR_VERSION, OPSET, PARAMETERS, onnx
from .sizes import Twins
from .structure import STRUCTURE
from .windows import WINDOWS
from .writer import Writer

EMITTERS = {**ELEMENTWISE, **STRUCTURE, **WINDOWS, **CONTROL}
BATCHES = (3, 4, 7)
"""Batch sizes to trace for; none is 1, which broadcasts."""


def export(
    model: nn.Module | Callable[..., Any],
    inputs: Any,
    path: str | os.PathLike[str],
    *,
    batch_axis: int | None = 0,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
) -> Path:
    """Write what `model` computes as an ONNX file (opset 18); gives its path.

    inputs: an example, an array or a tuple of arrays: their shapes and element types count. batch_axis: the axis of
    every input that may have any size; None: sizes are those of the example. A module is exported as it is in
    evaluation (dropout off). Parameters keep their names. input_names, output_names: by default those of the parameters
    of `forward`, and output, output_1, ...
    Raises TraceError for what can't be traced or ONNX has no operator for, MissingDependencyError without onnx.
    """
    onnx()
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    with evaluating(model) if isinstance(model, nn.Module) else nullcontext(), recording(False):
        captured = [
            capture(model, _kinds(given, batch_axis, batch), use=Use.FILE)
            for batch in (BATCHES if batch_axis is not None else (0,))
        ]
    _check(captured[0])
    graph, twins = _paired([each.graph for each in captured])
    names = [*input_names] or _argument_names(model, len(graph.inputs) - len(captured[0].cells))
    proto = _model(captured, graph, twins, _cell_names(model), names, output_names, batch_axis)
    onnx().checker.check_model(proto, full_check=True)
    place = Path(path)
    write_bytes(place, proto.SerializeToString())
    return place


def _kinds(inputs: tuple[Any, ...], axis: int | None, batch: int) -> Any:
    leaves, structure = tree.flatten(inputs)
    kinds = [ArrayType(tuple(leaf.shape), np.dtype(leaf.dtype)) for leaf in map(_array, leaves)]
    if axis is not None:
        for kind in kinds:
            if kind.ndim <= axis:
                raise ConfigurationError(f"an input is {kind}, which has no axis {axis} for the batch: say batch_axis=")
        kinds = [kind.with_shape((*kind.shape[:axis], batch, *kind.shape[axis + 1 :])) for kind in kinds]
    return tree.unflatten(structure, kinds)


def _array(leaf: Any) -> Any:
    return leaf if hasattr(leaf, "dtype") and hasattr(leaf, "shape") else np.asarray(leaf)


def _check(captured: Captured) -> None:
    if captured.written or captured.numbers:
        raise TraceError(
            "what is exported to ONNX must not change anything outside itself (parameters, running statistics, random "
            "state): export the network in evaluation, not a training step; training steps can be exported to C"
        )


def _paired(graphs: list[Graph]) -> tuple[Graph, Twins]:
    """The graph to write, simplified if all traces are simplified alike."""
    simple = [run_passes(graph) for graph in graphs]
    try:
        return simple[0], Twins(simple, BATCHES)
    except TraceError:
        return graphs[0], Twins(graphs, BATCHES)


def _argument_names(model: Any, count: int) -> list[str]:
    function = model.forward if isinstance(model, nn.Module) else model
    parameters = parameters_of(function)
    return parameters if len(parameters) == count else [f"input_{number}" for number in range(count)]


def _cell_names(model: Any) -> dict[int, str]:
    if not isinstance(model, nn.Module):
        return {}
    return {id(tensor): name for name, tensor in (*model.named_parameters(), *model.named_buffers())}


def _model(
    captures: Sequence[Captured],
    graph: Graph,
    twins: Twins,
    known: dict[int, str],
    input_names: Sequence[str],
    output_names: Sequence[str],
    batch_axis: int | None,
) -> Any:
    writer, helper = Writer(twins, EMITTERS, counted), onnx().helper
    captured, count = captures[0], captures[0].argument_count
    for value, name in zip(graph.inputs, input_names):
        writer.set_name(value, name)
    for value, *cells in zip(graph.inputs[count:], *(each.cells for each in captures)):
        cell = cells[0]
        owners = [each.owner for each in cells if isinstance(each, TensorCell)]
        assert isinstance(cell, TensorCell)
        if any(owner is not cell.owner for owner in owners):  # made by the function itself
            writer.set_constant(value, [owner.numpy() for owner in owners])
            continue
        name = known.get(id(cell.owner)) or writer.fresh("tensor")
        name = f"{name}_parameter" if name in input_names else name
        writer.initializers[name] = np.ascontiguousarray(cell.owner.numpy())
        writer.set_name(value, name)
    if batch_axis is not None:
        writer.batch = writer.node("Shape", input_names[0], start=batch_axis, end=batch_axis + 1)
    writer.emit(graph)
    names = [*output_names] or ["output", *(f"output_{number}" for number in range(1, len(graph.outputs)))]
    for name, value in zip(names, graph.outputs):
        writer.nodes.append(helper.make_node("Identity", [writer.name(value)], [name], name=name))
    tensors = [onnx().numpy_helper.from_array(array, name) for name, array in writer.initializers.items()]
    described = [
        [writer.described(name, value) for name, value in zip(listed, values)]
        for listed, values in ((input_names, graph.inputs[:count]), (names, graph.outputs))
    ]
    written = helper.make_graph(_used(writer), graph.name, *described, initializer=tensors)
    proto = helper.make_model(
        written, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="chainrule"
    )
    helper.set_model_props(proto, _roles(captured, known))
    return proto


def _roles(captured: Captured, known: dict[int, str]) -> dict[str, str]:
    """Which initialisers are trained and which are statistics, for `load`; others are numbers of the computation."""
    owners = [cell.owner for cell in captured.cells if isinstance(cell, TensorCell) and id(cell.owner) in known]
    names: dict[bool, list[str]] = {True: [], False: []}
    for owner in owners:
        names[isinstance(owner, Parameter)].append(known[id(owner)])
    return {PARAMETERS: json.dumps(names[True]), BUFFERS: json.dumps(names[False])}


def _used(writer: Writer) -> list[Any]:
    """The nodes, without the batch's size where nobody asks for it."""
    asked = any(writer.batch in node.input for node in writer.nodes)
    return [node for node in writer.nodes if asked or writer.batch not in node.output]
