"""One training step: the five steps of backpropagation, as such."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from .. import nn, tree
from ..autocast import autocast
from ..errors import ConfigurationError, NoGradientError, telling, unknown_name
from ..optim import LBFGS, Optimizer, clip_grad_norm_
from ..tensor import Tensor
from ..transforms import stop_gradient
from .accumulate import accumulated
from .weighted import floats, mass, weighted_loss

Loss = Callable[[Any, Any], Tensor]

LOSSES: dict[str, Loss] = {
    "cross_entropy": nn.functional.cross_entropy,
    "nll": nn.functional.nll_loss,
    "mse": nn.functional.mse_loss,
    "l1": nn.functional.l1_loss,
    "huber": nn.functional.huber_loss,
    "smooth_l1": nn.functional.smooth_l1_loss,
    "bce": nn.functional.binary_cross_entropy,
    "bce_with_logits": nn.functional.binary_cross_entropy_with_logits,
    "kl_div": nn.functional.kl_div,
    "poisson_nll": nn.functional.poisson_nll_loss,
}


def as_loss(given: str | Loss) -> Loss:
    """A loss from its name, a module, or any function (outputs, targets) -> a single number."""
    if isinstance(given, str):
        if given not in LOSSES:
            raise unknown_name("loss", given, LOSSES)
        return LOSSES[given]
    if not callable(given):
        raise ConfigurationError(f"a loss is a name or a function (outputs, targets), not {given!r}")
    return given


NO_WEIGHT = (
    "the loss depends on no weight that is trained: compute it from the outputs, by operations that have a derivative "
    "(argmax and comparisons have none), and let some weights have requires_grad"
)


def _checked_error(given: Any) -> Tensor:
    if not isinstance(given, Tensor):
        raise ConfigurationError(
            f"the loss gives a {type(given).__name__}, through which no gradient comes: compute it from the outputs "
            "by operations on tensors"
        )
    if given.size != 1:
        raise ConfigurationError(f"the loss gives {given.shape} numbers: expected one, such as their mean")
    if not given.requires_grad:
        raise ConfigurationError(NO_WEIGHT)
    return given


def _backward(loss: Tensor) -> None:
    try:
        loss.backward()
    except NoGradientError as error:
        raise ConfigurationError(NO_WEIGHT) from error


@dataclass
class TrainingStep:
    """What happens to the weights when the network sees a batch of examples.

    rows: how many examples go through the network at once; the gradients of a larger batch are added up part by part.
    precision: what products are taken in, "float32" or "bfloat16" (see `cr.autocast`); None leaves that as it is.
    """

    model: nn.Module
    loss: Loss
    optimizer: Optimizer
    clip_norm: float | None = None
    rows: int | None = None
    precision: str | None = None

    def __call__(self, inputs: Any, targets: Any, weights: Any = None) -> tuple[Tensor, Any]:
        """One update of all weights; gives the loss before it, and the outputs. weights: of the examples."""
        if isinstance(self.optimizer, LBFGS):
            return self._by_closure(inputs, targets, weights)
        loss, outputs = self._gradients(inputs, targets, weights)  # 1. to 4.
        self.optimizer.step()  # 5. weight update: gradient descent
        return loss, outputs

    def _gradients(self, inputs: Any, targets: Any, weights: Any) -> tuple[Tensor, Any]:
        """Steps 1 to 4: how much each weight contributed to the error of the network."""
        self.optimizer.zero_grad()
        if self.rows is None or len(inputs) <= self.rows:
            outputs = self.outputs(inputs)  # 1. forward pass: the prediction
            loss = self.error(outputs, targets, weights)  # 2. loss: the error of the prediction
            _backward(loss)  # 3. backward pass, from the output to the input, by the chain rule
        else:
            batch = (inputs, targets) if weights is None else (inputs, targets, weights)
            loss, outputs = accumulated(self._of_a_part(batch), batch, self.rows)  # 1. to 3. for part after part
        if all(each.grad is None for group in self.optimizer.param_groups for each in group["params"]):
            raise ConfigurationError(NO_WEIGHT)
        if self.clip_norm is not None:  # 4. gradients: how much each weight contributed, limited in length if asked to
            clip_grad_norm_(self.model.parameters(), self.clip_norm)
        return loss, outputs

    def _of_a_part(self, batch: Sequence[Any]) -> Callable[..., tuple[Tensor, Any]]:
        """Steps 1 to 3 as a function of a part of the batch, which counts by its examples (or their weights)."""
        length = len(batch[0])
        total = stop_gradient(mass(self.loss, batch[1], floats(batch[2]))) if len(batch) > 2 else None

        def part(inputs: Any, targets: Any, weights: Any = None) -> tuple[Tensor, Any]:
            outputs = self.outputs(inputs)
            share = len(inputs) / length if total is None else mass(self.loss, targets, floats(weights)) / total
            loss = self.error(outputs, targets, weights) * share
            _backward(loss)
            return stop_gradient(loss), tree.map(stop_gradient, outputs)

        return part

    def outputs(self, inputs: Any) -> Any:
        """What the network gives for a batch."""
        with self._products():
            return self.model(inputs)

    def error(self, outputs: Any, targets: Any, weights: Any = None) -> Tensor:
        """The loss of a batch; where its examples have weights, their weighted mean."""
        with self._products(), telling("in the loss that was given to fit"):
            if weights is None:
                return _checked_error(self.loss(outputs, targets))
            return _checked_error(weighted_loss(self.loss, outputs, targets, weights))

    def _products(self) -> AbstractContextManager[Any]:
        return autocast(self.precision) if self.precision else nullcontext()

    def _by_closure(self, inputs: Any, targets: Any, weights: Any) -> tuple[Tensor, Any]:
        """L-BFGS looks several times before it moves: it calls steps 1 to 4 itself."""
        seen: list[tuple[Tensor, Any]] = []

        def evaluate() -> Tensor:
            seen.append(self._gradients(inputs, targets, weights))
            return seen[-1][0]

        self.optimizer.step(evaluate)
        return seen[0]
