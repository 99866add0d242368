"""A probe row by row: each example at its own place of the straight path between two states, in native code.

A batch has one set of weights; here each row has its own, so that it can be looked at where its loss has kinks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import random
from ..dispatch import compiled_function
from ..errors import TraceError
from ..ir.types import NumpyArray
from ..tensor import Tensor
from ..transforms import jvp
from .credit_record import Counts, Floats
from .probe import Probe

ROWS_AT_ONCE = 1024
"""Rows copied for one native call."""
WORTH_COMPILING = 8
"""Rows of a probe: with fewer, compiling takes longer than it saves."""


class RowProbe:
    """Losses, slopes and gradients of single rows of a probe, each a part of the probe's mean loss."""

    def __init__(self, probe: Probe, compile: bool | None = None) -> None:
        self.probe = probe
        self.count = len(probe.inputs)
        self.tensors = list(probe.tensors.values())
        self.start, self.way, self.sums = ([Tensor(np.zeros(t.shape)) for t in self.tensors] for _ in range(3))
        self._look, self._gather = _eager(self._look_at), _eager(self._add)
        if compile or (compile is None and self.count > WORTH_COMPILING):
            self._compile(needed=bool(compile))

    def _compile(self, needed: bool) -> None:
        look, gather = (compiled_function(each, threads=1) for each in (self._look_at, self._add))
        row = (self.probe.inputs[:1], self.probe.targets[:1], np.zeros(1))
        try:
            look.program_for_many(*row)
            gather.program_for_many(*row, np.zeros(1))
        except TraceError:
            if needed:
                raise
            return
        self._look, self._gather = (_native(each) for each in (look, gather))

    def follow(self, before: Floats, movement: Floats) -> None:
        """The path: all weights before it, and how they move; both (N,)."""
        for tensors, vector in ((self.start, before), (self.way, movement)):
            for tensor, part in zip(tensors, self.probe.split(vector)):
                tensor.assign(np.array(part).reshape(tensor.shape))

    def look(self, rows: Counts, places: Floats) -> tuple[Floats, Floats]:
        """Each row's part of the loss at its place of the path, and its slope along the whole path; (n,) each."""
        found = [self._look(*part) for part in self._parts(rows, places)]
        losses, slopes = (np.concatenate([np.ravel(each) for each in column]) for column in zip(*found))
        return losses / self.count, slopes / self.count

    def gather(self, rows: Counts, places: Floats, weights: Floats) -> Floats:
        """The sum of the rows' gradients at their places, weighted: (N,)."""
        for total in self.sums:
            total.assign(np.zeros(total.shape))
        for part in self._parts(rows, places, weights / self.count):
            self._gather(*part)
        return np.concatenate([total.numpy().ravel() for total in self.sums])

    def _parts(self, rows: Counts, *columns: Floats) -> Iterator[tuple[NumpyArray, ...]]:
        with random.kept():
            for start in range(0, len(rows), ROWS_AT_ONCE):
                here = slice(start, start + ROWS_AT_ONCE)
                chosen = rows[here]
                yield (self.probe.inputs[chosen], self.probe.targets[chosen], *(each[here] for each in columns))

    # -- the steps, for one row

    def _look_at(self, inputs: Any, targets: Any, place: Any) -> Any:
        """The loss and its slope, forwards: no gradient of any weight is made."""

        def loss(place: Any) -> Any:
            with self._moved(place):
                return self.probe.loss(self.probe.network(inputs), targets)

        return jvp(loss, (place[0],), (np.ones(()),))

    @contextmanager
    def _moved(self, place: Any) -> Iterator[None]:
        """The weights at a place of the path, as functions of it."""
        kept = [tensor._value for tensor in self.tensors]
        try:
            for tensor, start, way in zip(self.tensors, self.start, self.way):
                tensor._value = (start + place * way)._value
            yield
        finally:
            for tensor, value in zip(self.tensors, kept):
                tensor._value = value

    def _add(self, inputs: Any, targets: Any, place: Any, weight: Any) -> Tensor:
        loss = self._backward(inputs, targets, place)
        for tensor, total in zip(self.tensors, self.sums):
            total.assign(total + weight[0] * _taken(tensor))
        return loss

    def _backward(self, inputs: Any, targets: Any, place: Any) -> Tensor:
        for tensor, start, way in zip(self.tensors, self.start, self.way):
            tensor.assign(start + place[0] * way)
            tensor.grad = None
        loss: Tensor = self.probe.loss(self.probe.network(inputs), targets)
        loss.backward()
        return loss


def _taken(tensor: Tensor) -> Tensor:
    """The gradient of a tensor, which then has none."""
    found, tensor.grad = tensor.grad, None
    return found if found is not None else Tensor(np.zeros(tensor.shape))


def _native(step: Any) -> Callable[..., Any]:
    return lambda *columns: [each.numpy() for each in _listed(step.epoch(*columns, batch_size=1))]


def _eager(step: Callable[..., Any]) -> Callable[..., Any]:
    def each_row(*columns: NumpyArray) -> list[NumpyArray]:
        rows = range(len(columns[0]))
        found = [_listed(step(*(Tensor(column[row : row + 1]) for column in columns))) for row in rows]
        return [np.array([each.item() for each in column]) for column in zip(*found)]

    return each_row


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple | list) else [found]
