"""Running averages of weights, to evaluate with: they wander less than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..ir.build import recording
from ..ir.types import NumpyArray, float64
from ..tensor import Tensor
from . import checks
from .groups import parameter_list
from .state import restored_arrays


class ExponentialMovingAverage:
    """A running mean of weights: average = decay · average + (1 - decay) · weight, after each `update`.

    parameters: those to average (`model.parameters()`), arrays of any shapes. decay: weight of the past, in [0, 1).
    warm_up: use the smaller of decay and (1 + t) / (10 + t) at update t, so that the first weights are soon forgotten.
    Raises ConfigurationError for a decay outside [0, 1) or no parameters.
    Source: Polyak and Juditsky 1992; the warm-up is TensorFlow's ExponentialMovingAverage.

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> average = ExponentialMovingAverage([w], decay=0.5)
    >>> w.assign([3.0])
    tensor([3.], requires_grad=True)
    >>> average.update()
    >>> with average.applied():
    ...     w.item()
    2.0
    >>> w.item()
    3.0
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float = 0.999, *, warm_up: bool = False) -> None:
        checks.fractions("decay", decay)
        self.parameters = parameter_list(parameters)
        if not self.parameters:
            raise ConfigurationError("an average needs at least one parameter")
        self.decay, self.warm_up = decay, warm_up
        self.count = Tensor(np.zeros((), float64))
        self.averages = [Tensor(np.array(each.numpy())) for each in self.parameters]

    def update(self) -> None:
        """Take the weights as they are now into the average: after each step of the optimiser, compiled or not."""
        with recording(False):
            self.count.assign(self.count + 1.0)
            kept = self._kept()
            for average, parameter in zip(self.averages, self.parameters):
                part = kept if isinstance(kept, float) else kept.astype(parameter.dtype)
                average.assign(parameter + (average - parameter) * part)

    def _kept(self) -> Any:
        if not self.warm_up:
            return self.decay
        from ..functions import minimum

        return minimum((self.count + 1.0) / (self.count + 10.0), self.decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within this, the parameters hold their averages; afterwards what they held before."""
        before = [np.array(each.numpy()) for each in self.parameters]
        self.copy_to_parameters()
        try:
            yield
        finally:
            _assign(self.parameters, before)

    def copy_to_parameters(self) -> None:
        """Make the averages the weights, for good."""
        _assign(self.parameters, [each.numpy() for each in self.averages])

    def state_dict(self) -> dict[str, Any]:
        """Copies of the averages, and the count of updates."""
        return {"count": self.count.item(), "averages": [np.array(each.numpy()) for each in self.averages]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave. Raises ConfigurationError that says what differs; then nothing is changed."""
        given = {str(number): each for number, each in enumerate(state_dict["averages"])}
        expected = {str(number): each.numpy() for number, each in enumerate(self.averages)}
        arrays = restored_arrays("averages", given, expected)
        _assign(self.averages, list(arrays.values()))
        self.count.assign(float(state_dict["count"]))


def _assign(tensors: list[Tensor], arrays: list[NumpyArray]) -> None:
    with recording(False):
        for each, array in zip(tensors, arrays):
            each.assign(array)
