"""A network as it is when it is used, not trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..transforms import no_grad
from .module import Module


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Evaluation behaviour, nothing recorded; afterwards each module is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
