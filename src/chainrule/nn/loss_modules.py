"""Losses as modules: the functions of losses.py with their options kept."""

from __future__ import annotations

from typing import Any

from ..tensor import asarray
from . import losses
from .module import Module


class _Loss(Module):
    function: Any

    def __init__(self, reduction: str = "mean", **options: Any) -> None:
        super().__init__()
        self.options = {"reduction": reduction, **options}

    def forward(self, input: Any, target: Any) -> Any:
        return type(self).function(input, target, **self.options)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={each!r}" for name, each in self.options.items() if each is not None)


class _Weighted(_Loss):
    """A loss with a weight for each class, which is a buffer."""

    weight: Any

    def __init__(self, weight: Any = None, reduction: str = "mean", **options: Any) -> None:
        super().__init__(reduction, **options)
        self.register_buffer("weight", None if weight is None else asarray(weight))

    def forward(self, input: Any, target: Any) -> Any:
        return type(self).function(input, target, weight=self.weight, **self.options)


class MSELoss(_Loss):
    """Squared error."""

    function = staticmethod(losses.mse_loss)


class L1Loss(_Loss):
    """Absolute error."""

    function = staticmethod(losses.l1_loss)


class HuberLoss(_Loss):
    """Half the squared error up to delta, then linear."""

    function = staticmethod(losses.huber_loss)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction, delta=delta)


class SmoothL1Loss(_Loss):
    """Huber's loss divided by beta."""

    function = staticmethod(losses.smooth_l1_loss)

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction, beta=beta)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence from log-probabilities."""

    function = staticmethod(losses.kl_div)

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction, log_target=log_target)


class PoissonNLLLoss(_Loss):
    """Negative log-likelihood of a Poisson distribution."""

    function = staticmethod(losses.poisson_nll_loss)

    def __init__(self, log_input: bool = True, reduction: str = "mean") -> None:
        super().__init__(reduction, log_input=log_input)


class SoftMarginLoss(_Loss):
    """log(1 + exp(-y x)) for targets -1 and 1."""

    function = staticmethod(losses.soft_margin_loss)


class HingeEmbeddingLoss(_Loss):
    """x where the target is 1, max(0, margin - x) where it is -1."""

    function = staticmethod(losses.hinge_embedding_loss)

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)


class BCELoss(_Weighted):
    """Cross-entropy of two classes from probabilities."""

    function = staticmethod(losses.binary_cross_entropy)


class BCEWithLogitsLoss(_Weighted):
    """Cross-entropy of two classes from logits."""

    function = staticmethod(losses.binary_cross_entropy_with_logits)
    pos_weight: Any

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight, reduction)
        self.register_buffer("pos_weight", None if pos_weight is None else asarray(pos_weight))

    def forward(self, input: Any, target: Any) -> Any:
        return losses.binary_cross_entropy_with_logits(
            input, target, weight=self.weight, pos_weight=self.pos_weight, **self.options
        )


class NLLLoss(_Weighted):
    """Negative log-likelihood of class indices from log-probabilities."""

    function = staticmethod(losses.nll_loss)

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction, ignore_index=ignore_index)


class CrossEntropyLoss(_Weighted):
    """Cross-entropy of many classes from logits; see `functional.cross_entropy`."""

    function = staticmethod(losses.cross_entropy)

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction, ignore_index=ignore_index, label_smoothing=label_smoothing)
