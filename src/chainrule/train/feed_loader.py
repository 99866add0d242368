"""Examples from a loader: batches as it makes them, from its own exact position."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .. import nn
from ..data import Batches, Loader
from ..data.weights import ClassWeight
from ..errors import DataError
from ..ir.types import NumpyArray
from .feed import weighed
from .validate import check_classes, check_finite, check_labels, output_shape


class LoaderFeed:
    """Batches of a Loader (or of Batches), some of them gathered for each update."""

    def __init__(
        self, loader: Loader | Batches, model: nn.Module, loss: Any, gathered: int, weights: ClassWeight | None
    ) -> None:
        self.loader, self.model, self.loss = loader, model, loss
        self.gathered, self.class_weight = gathered, weights
        count = len(loader) if isinstance(loader, Batches) else loader.batches
        self.batches = None if count is None else -(-count // gathered)
        self._state = loader.state_dict()
        self._outputs: tuple[int, ...] | None = None

    def epoch(self) -> Iterator[tuple[Any, ...]]:
        """The batches of this epoch that are still to come."""
        batches = iter(self.loader)
        while True:
            group = []
            for batch in itertools.islice(batches, self.gathered):
                group.append(self._checked(batch))
                self._state = self.loader.state_dict()
            if not group:
                break
            yield group[0] if len(group) == 1 else _joined(group)
        self._state = self.loader.state_dict()

    def _checked(self, batch: Any) -> tuple[Any, ...]:
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise DataError(
                "a loader for fit gives batches (inputs, targets) or (inputs, targets, weights), not "
                f"{type(batch).__name__}: let its examples be pairs (input, target)"
            )
        inputs, targets = batch[0], np.asarray(batch[1])
        name = f"batch {self.loader.position.batch - 1}"
        if isinstance(inputs, np.ndarray):
            check_finite(inputs, f"the inputs of {name}")
            if self._outputs is None:
                self._outputs = output_shape(self.model, inputs, name)
                check_classes(self._outputs, self.loss, class_weight=self.class_weight)
            check_labels(self._outputs, targets, self.loss, name)
        return weighed((inputs, targets, *map(np.asarray, batch[2:])), self.class_weight)

    def done(self) -> int:
        """How many updates of this epoch have had their batches."""
        return -(-int(self._state["batch"]) // self.gathered)

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return self._state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.loader.load_state_dict(state)
        self._state = self.loader.state_dict()

    def fingerprint(self) -> str:
        """Its options are compared when its position is loaded; the examples can't be told from others."""
        return type(self.loader).__name__.lower()


def _joined(group: list[tuple[Any, ...]]) -> tuple[NumpyArray, ...]:
    try:
        return tuple(np.concatenate(parts) for parts in zip(*group))
    except ValueError as error:
        raise DataError(
            f"batches of different shapes can't be gathered for one update (accumulate): {error}"
        ) from error
