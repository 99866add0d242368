"""A network that tells classes apart, as a scikit-learn classifier."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from ...data.weights import BALANCED, example_weights
from ...errors import ConfigurationError, DataError
from ...ir.types import NumpyArray
from ...nn import functional
from ...tensor import Tensor
from ...train import LOSSES, Metric
from .base import NetworkEstimator

ONE_OUTPUT = ("bce_with_logits",)
MULTILABEL = "multilabel-indicator"


def _all_right(outputs: NumpyArray, targets: NumpyArray) -> list[float]:
    """How many examples have all labels right."""
    return [float(((outputs > 0) == (targets > 0)).all(axis=1).sum())]


ALL_LABELS_RIGHT = Metric("accuracy", _all_right, lambda sums, count: float(sums[0] / count), True)


class NetworkClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """A network that learns classes of any type from X (n, features), which may be sparse.

    y: a class for each example (n,), or several labels for each: zeros and ones (n, labels). X sparse: the rows of each
        batch are made dense when their turn comes.

    hidden_layer_sizes, activation, dropout: the dense network; or network: a Module, or a function of (n_inputs,
        n_outputs) that makes one. Its outputs are logits, one for each class.
    loss: "cross_entropy" by default, another name, or a function (outputs, class indices); with "bce_with_logits" two
        classes are told apart by one output. For several labels "bce_with_logits" is the default.
    optimizer: a name ("adam", "sgd" with Nesterov momentum, "lbfgs", ...), a class, or a function of the parameters;
        learning_rate, weight_decay, schedule, clip_norm, accumulate, callbacks, threads: as in `chainrule.train.fit`.
    batch_size: "auto" is 200, or all examples where there are fewer. epochs: passes over the data, at most.
    tol, n_iter_no_change: stop when the loss has not fallen by tol for so many epochs (None: never). early_stopping:
        look at the loss of a held-out validation_fraction instead, and keep the weights of the best epoch.
    class_weight: None, "balanced", or a dict from classes to weights. warm_start: `fit` goes on from the weights there.
    compile: None takes native code where that pays, True always, False never. Computes in the float type of X.

    After fitting: network_ (the Module), classes_, multilabel_, n_iter_, loss_curve_, validation_loss_curve_ and
    validation_scores_ (with early_stopping), history_ (all figures of the last `fit`).

    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> model = NetworkClassifier((8,), "tanh", optimizer="lbfgs", learning_rate=1.0, epochs=20, random_state=0)
    >>> model.fit(X, ["same", "other", "other", "same"]).predict(X).tolist()
    ['same', 'other', 'other', 'same']
    """

    metric = "accuracy"
    classes_: NumpyArray
    multilabel_: bool

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
        class_weight: Any = None,
        schedule: Any = None,
        clip_norm: float | None = None,
        accumulate: int = 1,
        callbacks: Any = (),
        warm_start: bool = False,
        compile: bool | None = None,
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            network=network,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            dropout=dropout,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            schedule=schedule,
            clip_norm=clip_norm,
            accumulate=accumulate,
            callbacks=callbacks,
            warm_start=warm_start,
            compile=compile,
            threads=threads,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from all examples. sample_weight (n,): how much each counts; 2 is the same as being there twice."""
        goes_on = bool(self.warm_start) and hasattr(self, "network_")
        X, y, weights = self._checked(X, y, not goes_on, sample_weight)
        y = self._labels(y)
        many = y.ndim == 2
        classes = np.arange(y.shape[1]) if many else np.unique(y)
        if goes_on and (many != self.multilabel_ or not np.array_equal(classes, self.classes_)):
            raise DataError(
                f"warm_start goes on with the classes {self.classes_.tolist()}, but y has {classes.tolist()}: "
                "fit a new estimator"
            )
        if not goes_on:
            self.classes_, self.multilabel_ = classes, many
            self._begin(X, self._outputs_wanted())
        else:
            self._new_optimizer()
        places = self._places(y)
        weights = self._class_weighted(places, weights)
        return self._fit_all(X, self._targets(places, X.dtype), weights, None if many else places)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One pass over these examples, going on from what is known. classes: all there will be, at the first call."""
        first = _check_partial_fit_first_call(self, classes) or not hasattr(self, "network_")
        X, y, weights = self._checked(X, y, first, sample_weight)
        y = self._labels(y)
        if first:
            self.multilabel_ = y.ndim == 2
            self.classes_ = self._columns(y) if self.multilabel_ else self.classes_
        self._check_known(y)
        if first:
            self._begin(X, self._outputs_wanted())
        if self.class_weight == BALANCED:
            raise ConfigurationError(
                "class_weight='balanced' needs all examples at once, so partial_fit can't have it: give a dict from "
                "classes to weights"
            )
        places = self._places(y)
        self._train(X, self._targets(places, X.dtype), self._class_weighted(places, weights), 1, None, None)
        return self

    def predict(self, X: Any) -> NumpyArray:
        """The most probable class of each example (n,); of several labels zeros and ones (n, labels)."""
        probabilities = self.predict_proba(X)
        if self.multilabel_:
            return (probabilities > 0.5).astype(np.int64)
        found: NumpyArray = self.classes_[probabilities.argmax(axis=1)]
        return found

    def decision_function(self, X: Any) -> NumpyArray:
        """The logits of all classes or labels, (n, classes); of two classes how much larger the second's is, (n,)."""
        outputs = self._outputs_for(X)
        if self.multilabel_ or len(self.classes_) != 2:
            return outputs
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs[:, 1] - outputs[:, 0]

    def predict_proba(self, X: Any) -> NumpyArray:
        """The probability of each class, (n, classes), in the order of `classes_`; of several labels that of each."""
        outputs = self._outputs_for(X)
        if self.multilabel_:
            each: NumpyArray = functional.sigmoid(Tensor(outputs)).numpy()
            return each
        if outputs.shape[1] == 1 and len(self.classes_) == 2:
            outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=1)
        probabilities: NumpyArray = functional.softmax(Tensor(outputs), 1).numpy()
        return probabilities

    def predict_log_proba(self, X: Any) -> NumpyArray:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def _labels(self, y: NumpyArray) -> NumpyArray:
        """Labels (n,), or zeros and ones (n, labels) where an example has several."""
        check_classification_targets(y)
        if type_of_target(y) == MULTILABEL:
            return y
        found: NumpyArray = column_or_1d(y, warn=True)
        return found

    def _columns(self, y: NumpyArray) -> NumpyArray:
        """The classes where an example has several labels: their columns, which `partial_fit` must have been given."""
        columns = np.arange(y.shape[1])
        if not np.array_equal(self.classes_, columns):
            given = self.classes_.tolist()
            del self.classes_  # so that the next call is the first
            raise DataError(
                f"y (n, {len(columns)}) has several labels an example, whose classes are its columns: give "
                f"partial_fit classes=range({len(columns)}), not {given}"
            )
        return columns

    def _check_known(self, y: NumpyArray) -> None:
        if self.multilabel_ != (y.ndim == 2) or (y.ndim == 2 and y.shape[1] != len(self.classes_)):
            known = f"{len(self.classes_)} labels an example" if self.multilabel_ else "one class an example"
            raise DataError(f"this estimator was made for {known}, but y has the shape {y.shape}")
        unknown = np.setdiff1d(y, self.classes_) if not self.multilabel_ else self.classes_[:0]
        if len(unknown):
            raise DataError(f"y has the classes {unknown.tolist()}, which are not among {self.classes_.tolist()}")

    def _places(self, y: NumpyArray) -> NumpyArray:
        """The place of each class; zeros and ones of several labels as they are."""
        return y if self.multilabel_ else np.searchsorted(self.classes_, y)

    def _loss(self) -> Any:
        default = "bce_with_logits" if self.multilabel_ else "cross_entropy"
        return default if self.loss is None else self.loss

    def _score_metric(self) -> str | Metric:
        return ALL_LABELS_RIGHT if self.multilabel_ else self.metric

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _outputs_wanted(self) -> int:
        two_classes = not self.multilabel_ and len(self.classes_) == 2
        return 1 if two_classes and self._takes_one_output() else len(self.classes_)

    def _takes_one_output(self) -> bool:
        loss = self._loss()
        return loss in ONE_OUTPUT or any(loss is LOSSES[name] for name in ONE_OUTPUT)

    def _targets(self, places: NumpyArray, dtype: Any) -> NumpyArray:
        """Class indices (n,), or zeros and ones (n, 1) for a single output, (n, labels) for several labels."""
        if self.multilabel_:
            return places.astype(dtype)
        return places[:, None].astype(dtype) if self._takes_one_output() else places.astype(np.int64)

    def _class_weighted(self, places: NumpyArray, weights: NumpyArray) -> NumpyArray:
        if self.class_weight is None:
            return weights
        if self.multilabel_:
            raise ConfigurationError(
                "class_weight is for one class an example; where examples have several labels, give sample_weight, or "
                "a loss with weights: nn.BCEWithLogitsLoss(pos_weight=...)"
            )
        if isinstance(self.class_weight, dict):
            each = [self.class_weight.get(label, 1.0) for label in self.classes_.tolist()]
            return example_weights(places, each, weights)
        return example_weights(places, self.class_weight, weights)
