"""Credit: how much of the change of the loss each weight brought about, as data that adds up.

Every number is a change of the loss, in the loss's own units, float64: below zero it helped (the loss fell by it),
above zero it hurt. Summed over all weights the credit of a span of steps is the measured change of the loss, but for
the `residual`, which is always stated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..files import write_text
from .html.document import Document, Section, inline

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CreditSteps:
    """One row for each span of steps: with `every=1` a span is one weight update. T spans, P tensors, C classes.

    first, last: weight updates done before and after the span (T,). epoch: counted from 1 (T,).
    loss_before, loss_after: of the probe, measured (T,).
    residual: sum of all credits less the measured change (T,). evaluations: gradients of the probe it took (T,), one of
        a single row counted as its share.
    raw_residual: what quadrature alone left over (T,); another number only where its weights were fitted (`fit=True`).
    converged: whether quadrature alone was within the tolerance (T,). Where it was not (kinks of ReLU, a small budget),
        the sum says little of single weights: measured on ReLU networks with a budget of 9, their errors add up to 1
        or 2 % of the change. The residuals do not bound them.
    credit: of each tensor, all its weights together (T, P). by_class: the same for each class (T, P, C), or C = 0.
    helped, hurt: how many weights of each tensor made the loss fall, and rise (T, P); the others did nothing.
    """

    first: Counts
    last: Counts
    epoch: Counts
    loss_before: Floats
    loss_after: Floats
    residual: Floats
    raw_residual: Floats
    evaluations: Floats
    converged: NDArray[np.bool_]
    credit: Floats
    helped: Counts
    hurt: Counts
    by_class: Floats

    def __len__(self) -> int:
        return len(self.first)

    @property
    def change(self) -> Floats:
        """The measured change of the loss (T,)."""
        return self.loss_after - self.loss_before


@dataclass(frozen=True, eq=False)
class Credit:
    """The credit of every weight, over a run or between two states of a network.

    names: of the tensors, P of them: parameters by path (`0.weight`), then floating buffers that moved (the running
        statistics of batch norm; they change the loss too). trained: False for buffers (P).
    layers: the path of the module each tensor belongs to (P), "" for the network itself; kinds: its class (P).
    weights: tensor name -> credit of each weight over everything, of the tensor's shape.
    steps: one row for each span. classes: names of the classes, or empty.
    samples: credit of each tensor for each example of the probe (n, P), a part of the change of the mean loss; None
        where it was not asked for. sample_rows: which rows of the data the probe is made of (n).
    by_epoch: tensor name -> credit of each weight in each epoch (epochs, *shape); empty where it would be too large.
    gradient_cost: gradients of the probe, in multiples of a training step: rows of the probe over rows of a batch.
    """

    names: tuple[str, ...]
    trained: tuple[bool, ...]
    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    weights: Mapping[str, Floats]
    steps: CreditSteps
    probe_size: int
    tolerance: float
    gradient_cost: float | None = None
    classes: tuple[str, ...] = ()
    sample_rows: Counts = field(default_factory=lambda: np.empty(0, np.int64))
    samples: Floats | None = None
    by_epoch: Mapping[str, Floats] = field(default_factory=dict)

    section: ClassVar[Callable[..., Section]]
    """How a page shows it: pages/credit.py puts it here."""

    @property
    def loss_before(self) -> float:
        """The probe's loss before the first span."""
        return float(self.steps.loss_before[0])

    @property
    def loss_after(self) -> float:
        """The probe's loss after the last span."""
        return float(self.steps.loss_after[-1])

    @property
    def change(self) -> float:
        """The measured change of the loss over all spans."""
        return float(self.steps.change.sum())

    @property
    def total(self) -> float:
        """The sum of all credits."""
        return float(sum(float(each.sum()) for each in self.weights.values()))

    @property
    def residual(self) -> float:
        """The sum of all credits less the measured change: what quadrature and rounding left over."""
        return self.total - self.change

    @property
    def relative_residual(self) -> float:
        """The residual over the measured change."""
        return abs(self.residual) / abs(self.change) if self.change else abs(self.residual)

    @property
    def cost(self) -> float | None:
        """What it took per step, in multiples of a training step; None where no batch size is known."""
        if self.gradient_cost is None or not len(self.steps):
            return None
        return float(self.steps.evaluations.sum() / self._updates) * self.gradient_cost

    @property
    def _updates(self) -> int:
        return max(1, int((self.steps.last - self.steps.first).sum()))

    @property
    def helped_share(self) -> Floats:
        """Of all trained weights the share that made the loss fall, in each span (T,)."""
        return self._share(self.steps.helped)

    @property
    def hurt_share(self) -> Floats:
        """Of all trained weights the share that made the loss rise, in each span (T,)."""
        return self._share(self.steps.hurt)

    def _share(self, counts: Counts) -> Floats:
        trained = np.array(self.trained, bool)
        sizes = sum(self.weights[name].size for name, each in zip(self.names, self.trained) if each)
        return np.asarray(counts[:, trained].sum(axis=1) / max(1, sizes), np.float64)

    def by_layer(self) -> dict[str, float]:
        """Module path -> credit of all its tensors, in the order of the network."""
        found = dict.fromkeys(self.layers, 0.0)
        for name, layer in zip(self.names, self.layers):
            found[layer] += float(self.weights[name].sum())
        return found

    def by_neuron(self, layer: str) -> Floats:
        """Credit of each unit of a module (units,): its incoming weights and its bias, along the first axis."""
        own = [self.weights[name] for name, each in zip(self.names, self.layers) if each == layer]
        units = own[0].shape[0] if own and own[0].ndim else 1
        found = np.zeros(units)
        for weights in own:
            found += weights.reshape(units, -1).sum(axis=1) if weights.size % units == 0 else 0.0
        return found

    def by_class(self) -> dict[str, float]:
        """Class -> its part of the change of the loss."""
        return dict(zip(self.classes, self.steps.by_class.sum(axis=(0, 1)).tolist()))

    def helped(self, tensor: str) -> NDArray[np.bool_]:
        """Which weights of a tensor helped over everything; `weights[tensor] > 0` hurt, `== 0` did nothing."""
        return np.asarray(self.weights[tensor] < 0)

    def save(self, path: str | os.PathLike[str], image: tuple[int, ...] | None = None) -> Path:
        """Write a page that stands alone. image: (channels, height, width) of the network's inputs, where they are."""
        target = Path(path)
        write_text(target, Document("Credit", [self.section(image)]).text())
        return target

    def _repr_html_(self) -> str:
        """In a notebook: the same view as on a page."""
        return inline([self.section()], "Credit")
