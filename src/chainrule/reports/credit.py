"""`cr.explain.credit`: the change of the loss between two states of a network, shared out among its weights.

Loss Change Allocation: Lan, Liu, Zhou, Yosinski, "LCA: Loss Change Allocation for Neural Network Training", NeurIPS
2019, equation 3. Their Runge-Kutta quadrature is replaced by one that measures its error; see `quadrature`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..counts import checked_count
from ..errors import ConfigurationError, DataError
from ..interop.safetensors import load_file
from ..ir.types import NumpyArray
from ..train import as_loss, as_pair, load_checkpoint
from .credit_record import Counts, Credit, Floats
from .ledger import Ledger, Subject, tensors_of
from .probe import Probe, moving_tensors
from .quadrature import Integral, integrate
from .rowwise import RowByRow

State = Mapping[str, Any] | nn.Module | str | os.PathLike[str]
BUDGET = 100.0
TOLERANCE = 1e-6
MOST_BYTES = 1 << 30
"""Of gradients held at once."""


@dataclass(frozen=True)
class CreditOptions:
    """How credit is taken; see `credit`."""

    tolerance: float = TOLERANCE
    budget: float = BUDGET
    by_class: bool | None = None
    by_sample: bool = False
    fit: bool = False
    compile: bool | None = None

    def __post_init__(self) -> None:
        if self.budget < 3:
            raise ConfigurationError(f"budget is at least 3 gradients (Simpson's rule), not {self.budget!r}")
        if not self.tolerance > 0:
            raise ConfigurationError(f"tolerance is a number above 0, not {self.tolerance!r}")


def credit(
    model: nn.Module,
    loss: str | Callable[..., Any] = "cross_entropy",
    data: Any = None,
    before: State | None = None,
    after: State | None = None,
    *,
    probe: int | None = None,
    tolerance: float = TOLERANCE,
    budget: float = 400.0,
    by_class: bool | None = None,
    by_sample: bool = False,
    fit: bool = False,
    compile: bool | None = None,
) -> Credit:
    """How much each weight contributed to the change of the loss on `data` between two states of `model`.

    The weights are moved along the straight line from `before` to `after`, and dE/dw · dw is integrated for each. For a
    training record the steps as they happen, with `CreditRecorder`: a line over a whole run is not the way it took.

    before, after: state dicts, networks, files of weights, checkpoints or run directories; `after` may be left out: the
        model as it is. data: (inputs, targets). probe: so many rows of it, spread over the classes; all by default.
    tolerance: what the quadrature may leave over, relative to the change of the loss. budget: gradients of the whole
        probe at most (one of a single example counts as its share); what is left over by then is the residual.
    fit: where the budget did not suffice, fit the quadrature's weights to the measured change; `raw_residual` is what
        it left over before. by_class: for each class apart (by default where targets are classes).
    by_sample: for each example apart.

    >>> import chainrule as cr
    >>> line = cr.nn.Linear(1, 1, bias=False)
    >>> found = credit(line, "mse", (np.ones((1, 1)), np.ones((1, 1))), {"weight": [[3.0]]}, {"weight": [[2.0]]})
    >>> found.change, found.weights["weight"].round(9).tolist()
    (-3.0, [[-3.0]])
    """
    options = CreditOptions(tolerance, budget, by_class, by_sample, fit, compile)
    if before is None:
        raise ConfigurationError(
            "credit needs before=, the state of the network that the change of the loss starts from"
        )
    taker = CreditTaker(model, as_loss(loss), chosen_rows(data, probe), options)
    start = taker.vector(before)
    taker.take(start, taker.vector(model if after is None else after), 0, 1, 1)
    return taker.ledger.credit()


@dataclass(frozen=True, eq=False)
class ProbeRows:
    """Examples of a probe and which rows of the data they are."""

    inputs: NumpyArray
    targets: NumpyArray
    rows: Counts


def chosen_rows(data: Any, count: int | None) -> ProbeRows:
    """`count` rows of (inputs, targets): as many of each class, or evenly spaced; always the same ones."""
    inputs, targets = as_pair(data, "data")
    rows = np.arange(len(inputs))
    if count is not None and count < len(rows):
        count = checked_count("probe", count)
        rows = _in_turns(targets)[:count] if is_classes(targets) else rows * len(rows) // count
        rows = np.sort(rows[:count] if is_classes(targets) else np.arange(count) * len(inputs) // count)
    return ProbeRows(inputs[rows], targets[rows], rows.astype(np.int64))


def _in_turns(classes: NumpyArray) -> Counts:
    """All rows: the first of each class, then the second of each, and so on."""
    turn = np.empty(len(classes), np.int64)
    for each in np.unique(classes):
        own = np.flatnonzero(classes == each)
        turn[own] = np.arange(len(own))
    return np.lexsort((classes, turn)).astype(np.int64)


def is_classes(targets: NumpyArray) -> bool:
    """Whether targets are one class index for each example."""
    return targets.ndim == 1 and targets.dtype.kind in "iu"


class CreditTaker:
    """Takes the credit of one span of steps after another into a ledger."""

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[..., Any],
        rows: ProbeRows,
        options: CreditOptions,
        batch_size: int | None = None,
    ) -> None:
        self.model, self.options = model, options
        groups, classes, class_of = _groups(rows, options)
        cost = len(rows.inputs) / batch_size if batch_size else None
        self.subject = Subject(
            **tensors_of(model),
            probe_rows=rows.rows,
            tolerance=options.tolerance,
            gradient_cost=cost,
            classes=classes,
            class_of=class_of,
            by_sample=options.by_sample,
        )
        self._require_room(len(groups))
        self.probe = Probe(model, loss, rows.inputs, rows.targets, groups, options.compile)
        self.by_row = RowByRow(self.probe, options.compile)
        self.ledger = Ledger(self.subject)
        self._end: tuple[Floats, Integral] | None = None

    def _require_room(self, groups: int) -> None:
        size = sum(int(np.prod(shape)) for shape in self.subject.shapes)
        needed = 8 * size * groups * 9
        if groups > 1 and needed > MOST_BYTES:
            raise ConfigurationError(
                f"credit of {groups} classes or examples apart, of {size:,} weights each, takes {needed >> 20:,} MiB: "
                "use fewer examples, or by_class=False and by_sample=False"
            )

    def vector(self, state: State) -> Floats:
        """All weights of a state, float64 (N,)."""
        arrays = as_state(state)
        parts = []
        for name, tensor in moving_tensors(self.model).items():
            found = arrays.get(name, tensor)
            part = np.asarray(found.numpy() if hasattr(found, "numpy") else found, np.float64)
            if part.shape != tensor.shape:
                raise DataError(f"{name} is {tensor.shape} in the network, but {part.shape} in the state given")
            parts.append(part.ravel())
        return np.concatenate(parts)

    def take(self, before: Floats, after: Floats, first: int, last: int, epoch: int) -> None:
        """The credit of the way from one vector of weights to another."""
        movement = after - before
        start = self._end[1].end if self._end is not None and np.array_equal(self._end[0], before) else None
        self.by_row.follow(before, movement)
        found = integrate(
            lambda place: self.probe.at(after if place == 1 else before + place * movement),
            movement,
            self.options.tolerance,
            self.options.budget,
            start,
            self.options.fit,
            self.by_row,
        )
        self._end = (after, found)
        self.ledger.add(first, last, epoch, found, movement)


def _groups(rows: ProbeRows, options: CreditOptions) -> tuple[list[Counts], tuple[str, ...], Counts | None]:
    """Groups of places in the probe, names of classes, and the class of each group."""
    known = is_classes(rows.targets)
    if options.by_class and not known:
        raise ConfigurationError("by_class needs targets that are class indices: integers, one for each example")
    every = np.arange(len(rows.targets), dtype=np.int64)
    if not known or options.by_class is False:
        return ([every[place : place + 1] for place in every] if options.by_sample else [every]), (), None
    values, class_of = np.unique(rows.targets, return_inverse=True)
    names = tuple(str(int(value)) for value in values)
    if options.by_sample:
        return [every[place : place + 1] for place in every], names, class_of.astype(np.int64)
    return [np.flatnonzero(class_of == each) for each in range(len(values))], names, np.arange(len(values))


def as_state(state: State) -> Mapping[str, Any]:
    """Arrays by path, from anything that holds the weights of a network."""
    if isinstance(state, nn.Module):
        return dict(moving_tensors(state))
    if isinstance(state, Mapping):
        return {name: np.asarray(each) for name, each in state.items()}
    path = Path(state)
    path = path / "model.safetensors" if path.is_dir() else path
    arrays = load_file(path)
    if any(name.startswith("state/") for name in arrays):
        found: Mapping[str, Any] = load_checkpoint(path)["model"]
        return found
    return arrays
