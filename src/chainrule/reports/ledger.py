"""The ledger of credit: what each span of steps adds, summed over weights, tensors, classes, samples and epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .. import nn
from ..ir.types import NumpyArray
from .credit_record import Counts, Credit, CreditSteps, Floats
from .probe import moving_tensors
from .quadrature import Integral

MOST_EPOCH_BYTES = 1 << 27
"""Of credits kept for each epoch apart."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What credit is given to, and on which examples.

    classes: their names; class_of: the class of each group of rows (G,), or None. by_sample: each group is one row.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    trained: tuple[bool, ...]
    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    probe_rows: Counts
    tolerance: float
    gradient_cost: float | None
    classes: tuple[str, ...] = ()
    class_of: Counts | None = None
    by_sample: bool = False

    @property
    def ends(self) -> list[int]:
        """Where each tensor but the last ends in the vector of all weights."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        return [int(end) for end in np.cumsum(sizes)[:-1]]


def tensors_of(network: nn.Module) -> dict[str, Any]:
    """Names, shapes and owners of all that moves, as arguments of `Subject`."""
    moving = moving_tensors(network)
    parameters = {name for name, _ in network.named_parameters()}
    layers = tuple(name.rpartition(".")[0] for name in moving)
    return {
        "names": tuple(moving),
        "shapes": tuple(each.shape for each in moving.values()),
        "trained": tuple(name in parameters for name in moving),
        "layers": layers,
        "kinds": tuple(type(network.get_submodule(layer)).__name__ for layer in layers),
    }


class Ledger:
    """Sums so far; `credit` gives them as a record."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        size = sum(int(np.prod(shape)) for shape in subject.shapes)
        self.weights = np.zeros(size)
        self.epochs: dict[int, Floats] = {}
        self.rows: dict[str, list[Any]] = {each.name: [] for each in fields(CreditSteps)}
        self.samples = np.zeros((len(subject.probe_rows), len(subject.names))) if subject.by_sample else None

    def add(self, first: int, last: int, epoch: int, found: Integral, movement: Floats) -> None:
        """One span of steps."""
        parts = found.gradients * movement  # (G, N)
        total = parts.sum(axis=0)
        self.weights += total
        self._add_to_epoch(epoch, total)
        starts = [0, *self.subject.ends]
        by_group = np.add.reduceat(parts, starts, axis=1)  # (G, P)
        if self.samples is not None:
            self.samples += by_group
        self._row(
            first=first,
            last=last,
            epoch=epoch,
            loss_before=found.start.loss,
            loss_after=found.end.loss,
            residual=float(total.sum()) - (found.end.loss - found.start.loss),
            raw_residual=found.raw_residual,
            evaluations=found.evaluations,
            converged=found.converged,
            credit=by_group.sum(axis=0),
            helped=np.add.reduceat((total < 0).astype(np.int64), starts),
            hurt=np.add.reduceat((total > 0).astype(np.int64), starts),
            by_class=self._by_class(by_group),
        )

    def _by_class(self, by_group: Floats) -> Floats:
        found = np.zeros((len(self.subject.names), len(self.subject.classes)))
        if self.subject.class_of is not None:
            np.add.at(found.T, self.subject.class_of, by_group)
        return found

    def _add_to_epoch(self, epoch: int, total: Floats) -> None:
        if total.nbytes * (len(self.epochs) + 1) > MOST_EPOCH_BYTES and epoch not in self.epochs:
            return
        self.epochs[epoch] = self.epochs.get(epoch, 0.0) + total

    def _row(self, **figures: Any) -> None:
        for name, figure in figures.items():
            self.rows[name].append(figure)

    def credit(self) -> Credit:
        """All that was added, as a record."""
        subject = self.subject
        spans = len(self.rows["first"])
        steps = {name: _column(name, rows, spans, subject) for name, rows in self.rows.items()}
        covered = set(self.rows["epoch"]) <= set(self.epochs)
        return Credit(
            names=subject.names,
            trained=subject.trained,
            layers=subject.layers,
            kinds=subject.kinds,
            weights=self._split(self.weights),
            steps=CreditSteps(**steps),
            probe_size=len(subject.probe_rows),
            tolerance=subject.tolerance,
            gradient_cost=subject.gradient_cost,
            classes=subject.classes,
            sample_rows=subject.probe_rows,
            samples=None if self.samples is None else self.samples.copy(),
            by_epoch=self._split(np.stack([self.epochs[each] for each in sorted(self.epochs)])) if covered else {},
        )

    def _split(self, vector: Floats) -> dict[str, Floats]:
        parts = np.split(vector, self.subject.ends, axis=-1)
        shaped = zip(self.subject.names, parts, self.subject.shapes)
        return {name: part.reshape((*vector.shape[:-1], *shape)).copy() for name, part, shape in shaped}

    # -- saving and restoring

    def state_dict(self) -> dict[str, Any]:
        """Everything that was added, fit for a checkpoint."""
        spans = len(self.rows["first"])
        rows = {name: _column(name, rows, spans, self.subject) for name, rows in self.rows.items()}
        epochs = {str(epoch): each for epoch, each in self.epochs.items()}
        return {"weights": self.weights, "epochs": epochs, "rows": rows, "samples": self.samples}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.weights = np.array(state["weights"])
        self.epochs = {int(epoch): np.array(each) for epoch, each in state["epochs"].items()}
        self.rows = {name: list(state["rows"][name]) for name in self.rows}
        self.samples = None if state["samples"] is None else np.array(state["samples"])


KINDS: dict[str, type] = {"first": np.int64, "last": np.int64, "epoch": np.int64}
KINDS |= {"helped": np.int64, "hurt": np.int64, "converged": np.bool_}


def _column(name: str, rows: Sequence[Any], spans: int, subject: Subject) -> NumpyArray:
    tensors, classes = len(subject.names), len(subject.classes)
    shapes = {"credit": (tensors,), "helped": (tensors,), "hurt": (tensors,), "by_class": (tensors, classes)}
    kind = KINDS.get(name, np.float64)
    return np.array(rows, kind).reshape((spans, *shapes.get(name, ())))
