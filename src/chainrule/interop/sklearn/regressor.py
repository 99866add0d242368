"""A network that predicts numbers, as a scikit-learn regressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from ...errors import DataError
from ...ir.types import NumpyArray
from .base import NetworkEstimator


class NetworkRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """A network that learns one number or several for each row of X (n, features), which may be sparse.

    The parameters are those of NetworkClassifier, without class_weight; loss is "mse" by default, another name such as
    "huber", or a function (outputs, targets). Targets are taken as they are: with numbers far from 1, wrap it in
    scikit-learn's TransformedTargetRegressor.

    After fitting: network_ (the Module), n_outputs_, n_iter_, loss_curve_, validation_loss_curve_, validation_scores_
    (R² of the held-out part, with early_stopping), history_.

    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> y = np.sin(3 * X[:, 0])
    >>> model = NetworkRegressor((16,), "tanh", optimizer="lbfgs", learning_rate=1.0, epochs=20, random_state=0)
    >>> round(model.fit(X, y).score(X, y), 4)
    1.0
    """

    metric = "r2"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from all examples. y: (n,) or (n, outputs). sample_weight (n,): how much each counts."""
        goes_on = bool(self.warm_start) and hasattr(self, "network_")
        X, y, weights = self._checked(X, y, not goes_on, sample_weight)
        targets = self._targets(y, X.dtype, known=goes_on)
        if goes_on:
            self._new_optimizer()
        else:
            self._begin(X, targets.shape[1])
        return self._fit_all(X, targets, weights, None)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One pass over these examples, going on from what is known."""
        first = not hasattr(self, "network_")
        X, y, weights = self._checked(X, y, first, sample_weight)
        targets = self._targets(y, X.dtype, known=not first)
        if first:
            self._begin(X, targets.shape[1])
        self._train(X, targets, weights, 1, None, None)
        return self

    def predict(self, X: Any) -> NumpyArray:
        """One number for each example (n,), or (n, outputs) where y had several."""
        outputs = self._outputs_for(X)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    def _targets(self, y: NumpyArray, dtype: Any, known: bool) -> NumpyArray:
        """(n, outputs), in the type of the inputs."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        targets = np.asarray(y).astype(dtype).reshape(len(y), -1)
        if known and targets.shape[1] != self.n_outputs_:
            raise DataError(f"y has {targets.shape[1]} numbers a row, but the network was made for {self.n_outputs_}")
        return targets

    def _loss(self) -> Any:
        return "mse" if self.loss is None else self.loss

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
