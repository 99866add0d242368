"""What can be wrong with data, said before training starts: one clear message, with the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import nn, random
from ..errors import ConfigurationError, DataError, telling
from ..ir.types import NumpyArray, is_known, native
from ..nn.evaluation import evaluating
from ..ops.operators import refuse_masked
from ..tensor import Tensor

SHOWN = 5
AT_ONCE = 1 << 18
"""Numbers that are looked at together."""


def as_pair(data: Any, name: str) -> tuple[NumpyArray, NumpyArray]:
    """(inputs, targets) as arrays of one length, with finite numbers; raises DataError that names the rows."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(f"{name} is a pair (inputs, targets) of arrays, not {type(data).__name__}")
    inputs, targets = (_as_array(part, f"{what} of {name}") for part, what in zip(data, ("inputs", "targets")))
    for part, array in (("inputs", inputs), ("targets", targets)):
        if array.ndim == 0 or array.dtype.kind not in "fiub":
            raise DataError(
                f"the {part} of {name} must be an array of numbers with one row an example, not {array.dtype}"
            )
        if not is_known(array.dtype):
            raise DataError(f"the {part} of {name} are {array.dtype}: convert them first, as by .astype('float32')")
    if len(inputs) != len(targets):
        raise DataError(f"{name} has {len(inputs)} inputs but {len(targets)} targets; there must be one for each")
    if len(inputs) == 0:
        raise DataError(f"{name} is empty")
    check_finite(inputs, f"the inputs of {name}")
    check_finite(targets, f"the targets of {name}")
    return inputs, targets


def _as_array(given: Any, name: str) -> NumpyArray:
    with telling(f"in the {name}"):
        refuse_masked(given)
    try:
        array = np.asarray(given)
    except ValueError as error:  # lists of lists that are not all as long
        raise DataError(f"the {name} make no array, as their rows are not all alike: {error}") from error
    return array if array.dtype.isnative else array.astype(native(array.dtype))


def check_finite(array: NumpyArray, name: str) -> None:
    """A DataError that names the rows with NaN or infinity."""
    if array.dtype.kind != "f" or _is_finite(array):
        return
    rows = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
    raise DataError(
        f"{name} hold NaN or infinite numbers in {len(rows)} of the rows ({_listed(rows)}); "
        "remove or fill them in first"
    )


def _is_finite(array: NumpyArray) -> bool:
    """Whether all numbers are; some rows at once, as the answers for all would take a quarter of the data's memory."""
    rows = max(1, AT_ONCE * len(array) // max(1, array.size))
    return all(np.isfinite(array[start : start + rows]).all() for start in range(0, len(array), rows))


def _listed(rows: Iterable[Any]) -> str:
    listed = [str(int(row)) for row in rows]
    return ", ".join(listed[:SHOWN]) + (", ..." if len(listed) > SHOWN else "")


def check_labels(outputs: tuple[int, ...], targets: NumpyArray, loss: Any, name: str) -> None:
    """A DataError for class labels outside the network's outputs."""
    classes = _classes(outputs, loss)
    if classes is None or targets.dtype.kind == "f" or targets.ndim != len(outputs) - 1:
        return  # with another number of axes the loss tells them
    if targets.dtype.kind == "b":
        raise DataError(f"the targets of {name} are bools; give class indices as integers")
    ignored = getattr(loss, "options", {}).get("ignore_index", -100)
    wrong = np.argwhere(((targets < 0) | (targets >= classes)) & (targets != ignored))
    if len(wrong):
        place = tuple(int(index) for index in wrong[0])
        raise DataError(
            f"the label {targets[place]} in row {place[0]} of {name} is out of range: "
            f"the network has {classes} outputs, so labels go from 0 to {classes - 1} "
            f"({len(wrong)} labels are out of range)"
        )


def _classes(outputs: tuple[int, ...], loss: Any) -> int | None:
    """How many classes the network tells apart; None where its loss is not one of classes."""
    from .step import LOSSES

    of_classes = loss in (LOSSES["cross_entropy"], LOSSES["nll"]) or isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss)
    return outputs[1] if of_classes and len(outputs) > 1 else None


def check_classes(outputs: tuple[int, ...], loss: Any, **weights: Any) -> None:
    """A ConfigurationError for weights of classes that the network doesn't have. weights: by the option's name."""
    classes = _classes(outputs, loss)
    for option, given in weights.items():
        if classes is None or given is None or isinstance(given, str):
            continue
        if isinstance(given, Mapping):
            unknown = [label for label in given if label not in range(classes)]
            if unknown:
                raise ConfigurationError(
                    f"{option} has a weight for the class {unknown[0]!r}: the network has {classes} outputs, so "
                    f"classes go from 0 to {classes - 1}"
                )
        elif option == "class_weight" and np.ndim(given) == 1 and len(given) > classes:
            raise ConfigurationError(
                f"class_weight has {len(given)} weights, but the network has {classes} outputs: give one for each"
            )


def output_shape(model: nn.Module, inputs: NumpyArray, name: str) -> tuple[int, ...]:
    """The shape the network gives for one example; neither its state nor the random numbers move.

    Errors say of which data, by its name; () where it gives several arrays.
    """
    with random.kept(), evaluating(model), telling(f"where the network was given the first example of {name}"):
        outputs = model(Tensor(inputs[:1]))
    return tuple(getattr(outputs, "shape", ()))
