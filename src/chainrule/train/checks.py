"""What can be wrong with the options of `fit`, said before anything is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..counts import checked_count_or_none
from ..errors import ConfigurationError
from ..optim import LBFGS, Optimizer
from .feed import ArrayFeed, Feed
from .feed_loader import LoaderFeed


def check_trained(model: Any, optimizer: Any) -> None:
    """That there is a network, and an optimizer of it."""
    if not isinstance(model, nn.Module):
        given = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise ConfigurationError(f"fit trains an nn.Module, not {given}")
    if not isinstance(optimizer, Optimizer):
        raise ConfigurationError(f"fit needs an optimizer such as optim.Adam(model.parameters()), not {optimizer!r}")
    own = {id(parameter) for parameter in model.parameters()}
    if not any(id(each) in own for group in optimizer.param_groups for each in group["params"]):
        raise ConfigurationError("the optimizer holds none of the model's parameters: make it from model.parameters()")


def check_numbers(clip_norm: Any, checkpoint_seconds: Any, **counts: Any) -> None:
    """Numbers in their ranges; counts by their names: at least 1, or None."""
    for name, count in counts.items():
        checked_count_or_none(name, count)
    if clip_norm is not None and not (_is_number(clip_norm, int | float | np.number) and clip_norm > 0):
        raise ConfigurationError(
            f"clip_norm is the largest length of the gradient, a number above 0, or None for any, not {clip_norm!r}"
        )
    if not (_is_number(checkpoint_seconds, int | float | np.number) and checkpoint_seconds >= 0):
        raise ConfigurationError(f"checkpoint_seconds is a number from 0 up, not {checkpoint_seconds!r}")


def _is_number(given: Any, kinds: Any) -> bool:
    return isinstance(given, kinds) and not isinstance(given, bool)


def check_readers(callbacks: Any, recorders: Any) -> None:
    """Those who are called between steps: a mistake there would end a training that has begun."""
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise ConfigurationError(f"callbacks is a list of functions of the TrainingState, not {callbacks!r}")
    if not isinstance(recorders, Sequence) or not all(hasattr(each, "begin") for each in recorders):
        raise ConfigurationError(f"recorders is a list of recorders such as [CreditRecorder()], not {recorders!r}")


def check_place(resume: bool, run_directory: Any) -> None:
    """Where checkpoints go."""
    if resume and run_directory is None:
        raise ConfigurationError("resume=True needs run_directory=, the directory of the run to go on with")
    if run_directory is not None and Path(run_directory).is_file():
        raise ConfigurationError(f"run_directory={str(run_directory)!r} is a file: name a directory for the run")


def bytes_at_most(given: int | str | None, compile: bool | None, feed: Feed, optimizer: Optimizer) -> int | None:
    """A limit on memory in bytes; refused where there is no native code, which alone keeps it."""
    from ..sizes import bytes_of

    if given is None:
        return None
    if isinstance(optimizer, LBFGS):
        raise ConfigurationError(
            "memory_limit is kept by native code only, which L-BFGS can't be: it looks at the loss to decide how often "
            "to look again. Leave memory_limit out, or take another optimizer such as optim.Adam"
        )
    if compile is False or not isinstance(feed, ArrayFeed | LoaderFeed):
        raise ConfigurationError(
            "memory_limit is kept by native code only: not with compile=False, nor on a plain stream"
        )
    return bytes_of(given)
