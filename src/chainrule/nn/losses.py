"""Losses as modules: the functions of `functional` with their options kept."""

from __future__ import annotations

from typing import Any

from ..tensor import asarray
from . import functional
from .applied import Applied


class _Loss(Applied):
    """A loss of a prediction and a target; reduction: "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean", **options: Any) -> None:
        super().__init__(**options, reduction=reduction)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={option!r}" for name, option in self.options.items() if name not in self._buffers)


class _Weighted(_Loss):
    """A loss with a weight for each class or example, which is a buffer."""

    def __init__(self, weight: Any = None, reduction: str = "mean", **options: Any) -> None:
        super().__init__(reduction, **options)
        self._keep("weight", weight)

    def _keep(self, name: str, weight: Any) -> None:
        self.register_buffer(name, None if weight is None else asarray(weight))
        self._options += (name,)


class MSELoss(_Loss):
    """Squared error."""

    function = staticmethod(functional.mse_loss)


class L1Loss(_Loss):
    """Absolute error."""

    function = staticmethod(functional.l1_loss)


class HuberLoss(_Loss):
    """Half the squared error up to delta, then linear."""

    function = staticmethod(functional.huber_loss)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction, delta=delta)


class SmoothL1Loss(_Loss):
    """Huber's loss divided by beta."""

    function = staticmethod(functional.smooth_l1_loss)

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction, beta=beta)


class GaussianNLLLoss(_Loss):
    """Negative log-likelihood of a normal distribution: called with mean, target, variance."""

    function = staticmethod(functional.gaussian_nll_loss)

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction, full=full, eps=eps)


class PoissonNLLLoss(_Loss):
    """Negative log-likelihood of a Poisson distribution."""

    function = staticmethod(functional.poisson_nll_loss)

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean") -> None:
        super().__init__(reduction, log_input=log_input, full=full, eps=eps)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence from log-probabilities; reduction "batchmean" is the one of mathematics."""

    function = staticmethod(functional.kl_div)

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction, log_target=log_target)


class BCELoss(_Weighted):
    """Cross-entropy of two classes from probabilities."""

    function = staticmethod(functional.binary_cross_entropy)


class BCEWithLogitsLoss(_Weighted):
    """Cross-entropy of two classes from logits."""

    function = staticmethod(functional.binary_cross_entropy_with_logits)

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight, reduction)
        self._keep("pos_weight", pos_weight)


class NLLLoss(_Weighted):
    """Negative log-likelihood of class indices from log-probabilities."""

    function = staticmethod(functional.nll_loss)

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction, ignore_index=ignore_index)


class CrossEntropyLoss(_Weighted):
    """Cross-entropy of many classes from logits; see `functional.cross_entropy`."""

    function = staticmethod(functional.cross_entropy)

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction, ignore_index=ignore_index, label_smoothing=label_smoothing)


class SoftMarginLoss(_Loss):
    """log(1 + exp(-y x)) for targets -1 and 1."""

    function = staticmethod(functional.soft_margin_loss)


class HingeEmbeddingLoss(_Loss):
    """x where the target is 1, max(0, margin - x) where it is -1."""

    function = staticmethod(functional.hinge_embedding_loss)

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)


class MarginRankingLoss(_Loss):
    """max(0, -y (x1 - x2) + margin): called with x1, x2, y."""

    function = staticmethod(functional.margin_ranking_loss)

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)


class CosineEmbeddingLoss(_Loss):
    """Vectors of target 1 are to point the same way, those of -1 not: called with x1, x2, y."""

    function = staticmethod(functional.cosine_embedding_loss)

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)


class TripletMarginLoss(_Loss):
    """The anchor is to be nearer to the positive than to the negative by the margin: called with all three."""

    function = staticmethod(functional.triplet_margin_loss)

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction, margin=margin, p=p, eps=eps, swap=swap)


class CosineSimilarity(Applied):
    """Cosine of the angle between vectors along `dim`."""

    function = staticmethod(functional.cosine_similarity)

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__(dim=dim, eps=eps)


class MultiMarginLoss(_Weighted):
    """The true class ahead of the others by a margin."""

    function = staticmethod(functional.multi_margin_loss)

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(weight, reduction, p=p, margin=margin)


class MultiLabelMarginLoss(_Loss):
    """All true classes ahead of the others by 1."""

    function = staticmethod(functional.multilabel_margin_loss)


class MultiLabelSoftMarginLoss(_Weighted):
    """Cross-entropy of two classes for each label, averaged over the labels."""

    function = staticmethod(functional.multilabel_soft_margin_loss)


class TripletMarginWithDistanceLoss(_Loss):
    """The anchor nearer to the positive than to the negative by a margin, for any distance."""

    function = staticmethod(functional.triplet_margin_with_distance_loss)

    def __init__(
        self,
        *,
        distance_function: Any = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction, distance_function=distance_function, margin=margin, swap=swap)


class CTCLoss(_Loss):
    """Connectionist temporal classification: called with log_probs, targets, input_lengths, target_lengths."""

    function = staticmethod(functional.ctc_loss)

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction, blank=blank, zero_infinity=zero_infinity)


class PairwiseDistance(Applied):
    """The p-norm of the difference of vectors along the last axis."""

    function = staticmethod(functional.pairwise_distance)

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__(p=p, eps=eps, keepdim=keepdim)
