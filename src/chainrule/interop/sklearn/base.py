"""What both estimators share: making a network, training it with `fit`, going on, pickling."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ... import nn, random
from ...data import Loader
from ...errors import ConfigurationError
from ...ir.types import NumpyArray
from ...train import EarlyStopping, History, Metric, fit, predict
from .network import make_network, make_optimizer
from .packing import packed, unpacked
from .sparse import SparseRows, dense

MANY_UPDATES = 100
MUCH_WORK = 1e11
"""From so many updates, or multiply-adds, on, compiling to native code takes less time than it saves."""


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]
    """Base of the classifier and the regressor; see them for the parameters."""

    metric = ""

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        network: Any = None,
        loss: Any = None,
        optimizer: Any = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        dropout: float = 0.0,
        batch_size: Any = "auto",
        epochs: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        n_iter_no_change: int | None = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        schedule: Any = None,
        clip_norm: float | None = None,
        accumulate: int = 1,
        callbacks: Any = (),
        warm_start: bool = False,
        compile: bool | None = None,
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.accumulate = accumulate
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.compile = compile
        self.threads = threads
        self.verbose = verbose

    # -- inputs

    def _checked(self, X: Any, y: Any, reset: bool, sample_weight: Any) -> tuple[Any, NumpyArray, NumpyArray]:
        """Inputs, which may stay sparse, targets, weights; examples of weight zero are left out, as if they weren't."""
        X, y = validate_data(self, X, y, reset=reset, y_numeric=False, multi_output=True, **self._form())
        y = dense(y)
        if sample_weight is None:
            return X, y, np.ones(len(y))
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        counted = weights > 0
        return (X, y, weights) if counted.all() else (X[counted], y[counted], weights[counted])

    def _form(self) -> dict[str, Any]:
        """Floats of 4 or 8 bytes, one row an example; a network of one's own may take more axes."""
        return {"dtype": [np.float64, np.float32], "allow_nd": self.network is not None, "accept_sparse": "csr"}

    def _outputs_for(self, X: Any) -> NumpyArray:
        """What the network gives for inputs, (n, outputs)."""
        check_is_fitted(self, "network_")
        X = validate_data(self, X, reset=False, **self._form())
        count, X = X.shape[0], X.astype(self._dtype, copy=False)
        rows = max(256, self._rows(count))
        parts = [predict(self.network_, dense(X[start : start + rows]), rows) for start in range(0, count, rows)]
        return np.concatenate(parts).reshape(count, -1)

    # -- training

    def _begin(self, X: Any, n_outputs: int) -> None:
        """A new network, with first weights of the random state's."""
        self._random = check_random_state(self.random_state)
        self._dtype = X.dtype
        inputs = X.shape[1] if X.ndim == 2 else X.shape[1:]
        with random.kept(self._next_seed()):
            network = make_network(
                self.network, inputs, n_outputs, self.hidden_layer_sizes, self.activation, self.dropout
            )
        self.network_: nn.Module = network.to(X.dtype)
        self.n_outputs_ = n_outputs
        self.n_iter_ = 0
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] = []
        self.validation_scores_: list[float] = []
        self._new_optimizer()

    def _new_optimizer(self) -> None:
        self.optimizer_ = make_optimizer(self.optimizer, self.network_, self.learning_rate, self.weight_decay)

    def _next_seed(self) -> int:
        return int(self._random.randint(2**31 - 1))

    def _rows(self, examples: int) -> int:
        if self.batch_size == "auto":
            return min(200, examples)
        if isinstance(self.batch_size, bool) or not isinstance(self.batch_size, int | np.integer):
            raise ConfigurationError(f"batch_size is 'auto' or a whole number, not {self.batch_size!r}")
        return int(self.batch_size)

    def _train(
        self, X: Any, targets: NumpyArray, weights: NumpyArray, epochs: int, held_out: Any, rule: Any
    ) -> History:
        rows, seed = self._rows(len(targets)), self._next_seed()
        with random.kept(seed):
            history = fit(
                self.network_,
                self.optimizer_,
                self._loss(),
                epochs=epochs,
                validation=held_out,
                metrics=(self._score_metric(),) if held_out is not None else (),
                schedule=self.schedule,
                early_stopping=rule,
                callbacks=tuple(self.callbacks),
                seed=seed,
                clip_norm=self.clip_norm,
                accumulate=self.accumulate,
                compile=self._worth_compiling(epochs, len(targets), rows) if self.compile is None else self.compile,
                threads=self.threads,
                progress=bool(self.verbose),
                **self._examples(X, targets, None if (weights == 1).all() else weights, rows, seed),
            )
        self._keep(history)
        return history

    def _examples(
        self, X: Any, targets: NumpyArray, weights: NumpyArray | None, rows: int, seed: int
    ) -> dict[str, Any]:
        """The options of `fit` that hand it the examples: arrays, or a loader that makes sparse rows dense."""
        shuffle = bool(self.shuffle)
        if not issparse(X):
            return {"data": (X, targets), "batch_size": rows, "shuffle": shuffle, "sample_weight": weights}
        others = (targets,) if weights is None else (targets, weights.astype(X.dtype))
        return {"data": Loader(SparseRows(X, others), rows, shuffle, seed)}

    def _worth_compiling(self, epochs: int, examples: int, rows: int) -> bool | None:
        """None lets `fit` compile where it can."""
        weights = sum(each.size for each in self.network_.parameters())
        updates, work = epochs * -(-examples // rows), 3.0 * epochs * examples * weights
        return None if updates >= MANY_UPDATES or work >= MUCH_WORK else False

    def _keep(self, history: History) -> None:
        self.history_ = history
        self.n_iter_ += len(history)
        self.loss_curve_ += history["loss"]
        self.loss_ = self.loss_curve_[-1]
        self.best_loss_: float | None = min(self.loss_curve_)
        self.best_validation_score_: float | None = None
        if "val_loss" in history.columns:
            self.validation_loss_curve_ += history["val_loss"]
            self.validation_scores_ += history[f"val_{self.metric}"]
            self.best_validation_score_ = max(self.validation_scores_)

    def _rule(self) -> EarlyStopping | None:
        """When to stop before the last epoch."""
        if self.n_iter_no_change is None:
            return None
        if self.early_stopping:
            return EarlyStopping(self.n_iter_no_change, self.tol, "val_loss")
        return EarlyStopping(self.n_iter_no_change, self.tol, "loss", restore_best=False)

    def _fit_all(self, X: Any, targets: NumpyArray, weights: NumpyArray, stratify: Any) -> Self:
        """All epochs, with a part held out if early stopping asks for it."""
        held_out = None
        if self.early_stopping:
            from ...data.split import count_held_out, split_indices

            count = count_held_out(len(targets), float(self.validation_fraction))
            kept, held = split_indices(len(targets), count, self._next_seed(), stratify)
            held_out = dense(X[held]), targets[held]
            X, targets, weights = X[kept], targets[kept], weights[kept]
        history = self._train(X, targets, weights, int(self.epochs), held_out, self._rule())
        if self.n_iter_no_change is not None and not history.stopped_early and self.verbose:
            why = f"the loss was still falling after {self.epochs} epochs: give more epochs"
            warnings.warn(why, ConvergenceWarning, stacklevel=3)
        return self

    def _loss(self) -> Any:
        raise NotImplementedError

    def _score_metric(self) -> str | Metric:
        """The metric that is the score of `score`."""
        return self.metric

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- pickling

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        optimizer = state.pop("optimizer_", None)
        if optimizer is not None:
            state["_optimizer_state"] = optimizer.state_dict()
        kept: dict[str, Any] = packed(state)
        return kept

    def __setstate__(self, state: dict[str, Any]) -> None:
        found = unpacked(state)
        moments = found.pop("_optimizer_state", None)
        super().__setstate__(found)
        if moments is not None:
            self._new_optimizer()
            self.optimizer_.load_state_dict(moments)
