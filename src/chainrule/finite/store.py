"""A step in a file: its graph, everything it was given, and the names of that. One .npz with a page of JSON in it."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError, DataError
from ..files import replacing
from ..ir.build import constant
from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import all_primitives
from ..ir.types import BFLOAT16, ArrayType, NumpyArray, as_dtype
from ..records import dataclass
from ..source import SourceLine

FORMAT = "chainrule step 1"


@dataclass(frozen=True)
class SavedStep:
    """inputs: of the graph; names: theirs; outputs: names of the outputs. batch, rows: see `told`."""

    graph: Graph
    inputs: tuple[NumpyArray, ...]
    names: tuple[str, ...]
    outputs: tuple[str, ...]
    batch: int | None = None
    rows: tuple[int, ...] | None = None


def new_place(folder: Path | None) -> Path:
    """Where to save a step: the first free name in this folder, which is made if need be, or in a temporary one."""
    folder = folder or Path(tempfile.mkdtemp(prefix="chainrule-"))
    folder.mkdir(parents=True, exist_ok=True)
    names = (f"not-finite-{number}.npz" for number in itertools.count(1))
    return next(folder / name for name in names if not (folder / name).exists())


def keep(step: SavedStep, folder: Path | None, what: str) -> tuple[str, str | None]:
    """Save a step in a folder: how to see it (`what`) again, and the file; where it can't be saved, why, and None."""
    try:
        place = save(step, new_place(folder))
    except (OSError, CheckpointError) as error:
        return f"It could not be saved for `chainrule replay`: {error}", None
    return f"To see {what} again: chainrule replay {place}", str(place)


def save(step: SavedStep, path: str | os.PathLike[str]) -> Path:
    """Write the file; gives its path."""
    arrays: dict[str, NumpyArray] = {f"input{number}": array for number, array in enumerate(step.inputs)}
    page = {
        "format": FORMAT,
        "graph": _graph(step.graph, arrays),
        "names": step.names,
        "outputs": step.outputs,
        "batch": step.batch,
        "rows": step.rows,
    }
    path = Path(path)
    with replacing(path) as file:
        np.savez(file, page=np.frombuffer(json.dumps(page).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    return path


def load(path: str | os.PathLike[str]) -> SavedStep:
    """Read it again; DataError for anything else."""
    from zipfile import BadZipFile, is_zipfile  # here, since they take long to import

    try:
        if os.path.isfile(path) and not is_zipfile(path):
            raise BadZipFile("it is not a whole .npz file")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: _with_its_type(array) for name, array in file.items()}
        page = json.loads(arrays.pop("page").tobytes())
        if page["format"] != FORMAT:
            raise ValueError(page["format"])
    except FileNotFoundError:
        raise DataError(f"there is no file {os.fspath(path)}") from None
    except (ValueError, KeyError, OSError, TypeError, EOFError, BadZipFile, NotImplementedError) as error:
        raise DataError(f"{os.fspath(path)} is no step that can be replayed: {error}") from None
    graph = _read_graph(page["graph"], arrays)
    inputs = tuple(arrays[f"input{number}"] for number in range(len(graph.inputs)))
    rows = None if page["rows"] is None else tuple(page["rows"])
    return SavedStep(graph, inputs, tuple(page["names"]), tuple(page["outputs"]), page["batch"], rows)


def _with_its_type(array: NumpyArray) -> NumpyArray:
    """A file of NumPy names bfloat16 by its size alone: two bytes of no known kind."""
    return array.view(as_dtype(BFLOAT16)) if array.dtype == np.dtype("V2") else array


# -- writing


def _graph(graph: Graph, arrays: dict[str, NumpyArray]) -> dict[str, Any]:
    numbers: dict[int, int] = {}
    constants: list[tuple[int, str]] = []

    def number(value: Value) -> int:
        if id(value) not in numbers:
            numbers[id(value)] = len(numbers)
            if value.data is not None:
                name = f"constant{len(arrays)}"
                arrays[name] = value.data
                constants.append((numbers[id(value)], name))
        return numbers[id(value)]

    inputs = [(number(value), value.dtype.name, value.shape) for value in graph.inputs]
    equations = [
        {
            "primitive": equation.primitive.name,
            "inputs": [number(value) for value in equation.inputs],
            "params": {name: _parameter(each, arrays) for name, each in equation.params.items()},
            "outputs": [(number(value), value.dtype.name, value.shape) for value in equation.outputs],
            "source": equation.source and [*equation.source, equation.source.text],
            "derives": equation.derives and [equation.derives[0], equation.derives[1] and list(equation.derives[1])],
        }
        for equation in graph.equations
    ]
    outputs = [number(value) for value in graph.outputs]
    return {
        "name": graph.name,
        "inputs": inputs,
        "equations": equations,
        "outputs": outputs,
        "constants": constants,
    }


def _parameter(value: Any, arrays: dict[str, NumpyArray]) -> Any:
    if isinstance(value, Graph):
        return {"graph": _graph(value, arrays)}
    if isinstance(value, np.dtype):
        return {"dtype": value.name}
    if isinstance(value, tuple):
        return {"tuple": [_parameter(each, arrays) for each in value]}
    if isinstance(value, np.generic):
        return value.item()
    return None if callable(value) else value


# -- reading


def _read_graph(page: dict[str, Any], arrays: dict[str, NumpyArray]) -> Graph:
    values = {number: constant(arrays[name]) for number, name in page["constants"]}
    for number, dtype, shape in page["inputs"]:
        values[number] = Value(ArrayType(tuple(shape), as_dtype(dtype)))
    equations = [_read_equation(each, values, arrays) for each in page["equations"]]
    outputs = tuple(values[number] for number in page["outputs"])
    inputs = tuple(values[number] for number, _, _ in page["inputs"])
    return Graph(inputs, tuple(equations), outputs, page["name"])


def _read_equation(page: dict[str, Any], values: dict[int, Value], arrays: dict[str, NumpyArray]) -> Equation:
    params = {name: _read_parameter(each, arrays) for name, each in page["params"].items()}
    inputs = tuple(values[number] for number in page["inputs"])
    primitive = all_primitives()[page["primitive"]]
    equation = Equation(primitive, inputs, params, _source(page["source"]))
    if page["derives"]:
        equation.derives = (page["derives"][0], _source(page["derives"][1]))
    kinds = [ArrayType(tuple(shape), as_dtype(dtype)) for _, dtype, shape in page["outputs"]]
    for (number, _, _), value in zip(page["outputs"], equation.produce(kinds, False)):
        values[number] = value
    return equation


def _source(listed: Sequence[Any] | None) -> SourceLine | None:
    return None if not listed else SourceLine(*listed[:3])


def _read_parameter(value: Any, arrays: dict[str, NumpyArray]) -> Any:
    if not isinstance(value, dict):
        return value
    if "graph" in value:
        return _read_graph(value["graph"], arrays)
    if "dtype" in value:
        return as_dtype(value["dtype"])
    return tuple(_read_parameter(each, arrays) for each in value["tuple"])
