"""What `fit` is given as data, checked and made ready: examples in arrays or as a stream, weights, what is held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .. import nn
from ..data import Batches, Loader, split
from ..data.weights import BALANCED, ClassWeight, as_table, checked_weights, example_weights
from ..errors import ConfigurationError
from ..ir.types import NumpyArray
from ..records import dataclass
from .feed import ArrayFeed, Feed, StreamFeed
from .feed_loader import LoaderFeed
from .modes import Pace, pace
from .step import Loss
from .validate import as_pair, check_classes, check_labels, output_shape

Arrays = tuple[NumpyArray, NumpyArray]


@dataclass(frozen=True)
class Wanted:
    """How examples are to be handed over: the options of `fit` that say so."""

    batch_size: int | None
    epochs: int | None
    mode: str
    shuffle: bool | None
    seed: int
    accumulate: int
    sample_weight: Any
    class_weight: ClassWeight | None
    sampling: Any

    def pace(self, length: int | None) -> Pace:
        """The mode's batch size, order and passes over so many examples."""
        passes = self.epochs if self.epochs is not None else 1 if self.mode == "online" else 10
        return pace(self.mode, self.batch_size, passes, length, self.shuffle, self.accumulate)


def feed_of(
    model: nn.Module, data: Any, validation: Any, loss: Loss, wanted: Wanted
) -> tuple[Feed, Arrays | None, Pace]:
    """Where batches come from, what is held out, and the pace."""
    if data is None:
        raise ConfigurationError("fit needs data=(inputs, targets)")
    if isinstance(data, Loader | Batches):
        return _of_loader(model, data, validation, loss, wanted)
    if wanted.mode == "online" and not isinstance(data, tuple | list):
        tempo = wanted.pace(None)
        return StreamFeed(data, tempo, _by_class(wanted)), _held_out(model, validation, loss), tempo
    inputs, targets = as_pair(data, "data")
    outputs = output_shape(model, inputs, "data")
    check_labels(outputs, targets, loss, "data")
    check_classes(outputs, loss, class_weight=wanted.class_weight, sampling=wanted.sampling)
    arrays = inputs, targets, *_weights(wanted, targets, inputs.dtype)
    if isinstance(validation, int | float | np.floating):
        rest, validation = split(arrays, validation, wanted.seed)
        arrays, validation = rest, validation[:2]
    held_out = _held_out(model, validation, loss)
    tempo = wanted.pace(len(arrays[0]))
    return ArrayFeed(arrays, tempo, wanted.seed, _sampling(wanted, arrays[1])), held_out, tempo


def _of_loader(
    model: nn.Module, data: Loader | Batches, validation: Any, loss: Loss, wanted: Wanted
) -> tuple[Feed, Arrays | None, Pace]:
    given = {"batch_size": wanted.batch_size, "shuffle": wanted.shuffle}
    own = [name for name, value in given.items() if value is not None]
    if own or wanted.mode not in ("mini-batch", "online"):
        what = f"{own[0]}={given[own[0]]}" if own else f"mode {wanted.mode!r}"
        raise ConfigurationError(f"a loader makes its batches itself, so {what} can't be: say it to the loader")
    if isinstance(validation, int | float | np.floating):
        raise ConfigurationError("nothing can be held out of a loader: give validation=(inputs, targets)")
    tempo = replace(wanted, batch_size=data.batch_size).pace(None)
    feed = LoaderFeed(data, model, loss, wanted.accumulate, _by_class(wanted))
    return feed, _held_out(model, validation, loss), tempo


def _weights(wanted: Wanted, targets: NumpyArray, dtype: Any) -> tuple[NumpyArray, ...]:
    """(weights of the examples,) in the type of the inputs; nothing where all count the same."""
    if wanted.sample_weight is None and wanted.class_weight is None:
        return ()
    labels = targets if wanted.class_weight is not None else np.zeros(len(targets), np.int64)
    found = example_weights(labels, wanted.class_weight, wanted.sample_weight)
    return (found.astype(dtype if dtype.kind == "f" else np.float32),)


def _sampling(wanted: Wanted, targets: NumpyArray) -> NumpyArray | None:
    """How often each example is to be drawn; None for each once an epoch."""
    if wanted.sampling is None:
        return None
    if isinstance(wanted.sampling, Mapping) or (isinstance(wanted.sampling, str) and wanted.sampling == BALANCED):
        return example_weights(targets, wanted.sampling)
    return checked_weights(wanted.sampling, len(targets), "sampling")


def _by_class(wanted: Wanted) -> ClassWeight | None:
    """Weights by class for a stream, checked before the first batch."""
    if wanted.sample_weight is not None or wanted.sampling is not None:
        what = "sample_weight" if wanted.sample_weight is not None else "sampling"
        raise ConfigurationError(
            f"{what} is for data in arrays; the examples of a stream bring their weights: (input, target, weight)"
        )
    if isinstance(wanted.class_weight, str):
        raise ConfigurationError(
            f"class_weight={wanted.class_weight!r} needs to count the classes first, which a stream doesn't allow: "
            f"give a dict from classes to weights (data.class_weights(labels) makes a {BALANCED} one)"
        )
    if wanted.class_weight is not None:
        as_table(wanted.class_weight)
    return wanted.class_weight


def _held_out(model: nn.Module, validation: Any, loss: Loss) -> Arrays | None:
    if validation is None:
        return None
    inputs, targets = as_pair(validation, "validation")
    check_labels(output_shape(model, inputs, "validation"), targets, loss, "validation")
    return inputs, targets
