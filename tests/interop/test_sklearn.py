"""The estimators: scikit-learn's own checks, all of them, and what those don't look at."""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, DataError, MissingDependencyError

sklearn = pytest.importorskip("sklearn", minversion="1.6")

from scipy.sparse import csc_matrix, csr_array  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

from chainrule.interop.sklearn import NetworkClassifier, NetworkRegressor  # noqa: E402

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.standard_normal((90, 3))
KINDS = np.array(["ant", "bee", "cow"])[(INPUTS[:, 0] > 0).astype(int) + (INPUTS[:, 1] > 0.5)]
NUMBERS = np.stack([INPUTS[:, 0] * INPUTS[:, 1], INPUTS[:, 2] ** 2], axis=1)
QUICK: dict[str, Any] = {"hidden_layer_sizes": (10,), "epochs": 8, "learning_rate": 0.1}
NOT_HERE = ("is not installed", "SCIPY_ARRAY_API is not set")


def weights(estimator: Any) -> np.ndarray:
    return np.concatenate([each.numpy().ravel() for each in estimator.network_.parameters()])


@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_scikit_learns_own_checks(kind: Any) -> None:
    """With few epochs, to be quick; `python tests/check_estimators.py` checks the default settings, with pandas too."""
    results = check_estimator(kind(**QUICK), on_fail=None, on_skip=None)
    wrong = [
        f"{each['check_name']}: {each['exception']!r}" for each in results if each["status"] in ("failed", "xfail")
    ]
    assert not wrong
    assert len(results) > 50
    skipped = [str(each["exception"]) for each in results if each["status"] == "skipped"]
    assert all(any(reason in text for reason in NOT_HERE) for text in skipped), skipped


def test_a_classifier_learns_labels_of_any_type_in_a_pipeline_and_a_search() -> None:
    search = GridSearchCV(
        make_pipeline(StandardScaler(), NetworkClassifier(random_state=0, **{**QUICK, "epochs": 20})),
        {"networkclassifier__hidden_layer_sizes": [(), (12,)]},
        cv=2,
    )
    search.fit(INPUTS, KINDS)
    assert search.best_estimator_.score(INPUTS, KINDS) > 0.9
    probabilities = search.predict_proba(INPUTS)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(search.classes_[probabilities.argmax(axis=1)], search.predict(INPUTS))


@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_a_pickled_estimator_goes_on_to_the_same_bits(kind: Any) -> None:
    targets = KINDS if kind is NetworkClassifier else NUMBERS
    first = kind(
        network=lambda n, m: nn.Sequential(nn.Linear(n, 4), nn.BatchNorm1d(4), nn.Linear(4, m)), random_state=1
    )
    first.set_params(
        network=nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 3 if targets is KINDS else 2))
    )
    first.partial_fit(INPUTS, targets, *([np.unique(KINDS)] if targets is KINDS else []))
    second = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(second.predict(INPUTS), first.predict(INPUTS))
    for each in (first, second):
        each.partial_fit(INPUTS, targets)
    np.testing.assert_array_equal(weights(second), weights(first))
    assert second.loss_curve_ == first.loss_curve_ and len(first.loss_curve_) == 2
    assert clone(second).get_params()["optimizer"] == "adam"


def test_random_state_decides_all_bits_and_moves_no_others() -> None:
    cr.random.manual_seed(5)
    before = cr.random.default_generator.get_state()
    one, two, other = (NetworkRegressor(dropout=0.2, random_state=s, **QUICK).fit(INPUTS, NUMBERS) for s in (3, 3, 4))
    np.testing.assert_array_equal(weights(one), weights(two))
    assert (weights(one) != weights(other)).any()
    np.testing.assert_array_equal(cr.random.default_generator.get_state(), before)


def test_early_stopping_keeps_the_best_epoch_and_its_curves() -> None:
    model = NetworkClassifier(early_stopping=True, validation_fraction=0.2, n_iter_no_change=3, random_state=0, **QUICK)
    model.set_params(epochs=60, batch_size=18, compile=False).fit(INPUTS, KINDS)
    curve = model.validation_loss_curve_
    assert model.n_iter_ == len(model.loss_curve_) == len(curve) == len(model.validation_scores_) < 60
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.history_.best_epoch == np.argmin(curve) + 1


def test_warm_start_goes_on_from_the_weights_there() -> None:
    model = NetworkRegressor(warm_start=True, random_state=0, **QUICK).fit(INPUTS, NUMBERS)
    first = model.loss_
    model.fit(INPUTS, NUMBERS)
    assert model.loss_curve_[8] < model.loss_curve_[0] and model.loss_ < first and model.n_iter_ == 16
    with pytest.raises(DataError, match="made for 2"):
        model.fit(INPUTS, NUMBERS[:, 0])
    classes = NetworkClassifier(warm_start=True, **QUICK).fit(INPUTS, KINDS)
    with pytest.raises(DataError, match="goes on with the classes"):
        classes.fit(INPUTS, np.where(KINDS == "ant", "bee", KINDS))


def test_a_network_and_a_loss_of_ones_own() -> None:
    given = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2))
    untouched = given[0].weight.numpy().copy()
    model = NetworkRegressor(network=given, loss=lambda o, t: cr.mean(cr.abs(o - t)), optimizer="sgd", epochs=3)
    model.fit(INPUTS.astype(np.float32), NUMBERS)
    np.testing.assert_array_equal(given[0].weight.numpy(), untouched)
    assert model.predict(INPUTS).shape == (90, 2) and model.predict(INPUTS).dtype == np.float32
    images = INPUTS[:, :, None, None] * np.ones((1, 1, 2, 2))
    seen: list[Any] = []

    def network(inputs: Any, outputs: int) -> nn.Module:
        seen.append((inputs, outputs))
        return nn.Sequential(nn.Conv2d(inputs[0], 4, 2), nn.Flatten(), nn.Linear(4, outputs))

    convolution = NetworkClassifier(network=network, epochs=2).fit(images, KINDS)
    assert seen == [((3, 2, 2), 3)] and convolution.predict(images[:2]).shape == (2,)


def test_one_output_for_two_classes() -> None:
    two = KINDS == "ant"
    model = NetworkClassifier(loss="bce_with_logits", random_state=0, **QUICK).set_params(epochs=40).fit(INPUTS, two)
    logits = model.network_(cr.tensor(INPUTS)).numpy()[:, 0]
    np.testing.assert_allclose(model.predict_proba(INPUTS)[:, 1], 1 / (1 + np.exp(-logits)))
    np.testing.assert_array_equal(model.decision_function(INPUTS), logits)
    np.testing.assert_allclose(model.predict_log_proba(INPUTS)[:, 1], -np.logaddexp(0, -logits), rtol=1e-5)
    assert model.n_outputs_ == 1 and model.score(INPUTS, two) > 0.9


LABELS = np.stack([INPUTS[:, 0] > 0, INPUTS[:, 1] > 0.5, INPUTS[:, 0] + INPUTS[:, 2] > 0], axis=1).astype(int)


def test_several_labels_for_each_example() -> None:
    model = NetworkClassifier(random_state=0, early_stopping=True, **QUICK).set_params(epochs=40).fit(INPUTS, LABELS)
    logits = model.network_(cr.tensor(INPUTS)).numpy()
    np.testing.assert_allclose(model.predict_proba(INPUTS), 1 / (1 + np.exp(-logits)))
    np.testing.assert_array_equal(model.predict(INPUTS), logits > 0)
    assert model.score(INPUTS, LABELS) == (model.predict(INPUTS) == LABELS).all(axis=1).mean() > 0.85
    assert model.multilabel_ and model.classes_.tolist() == [0, 1, 2]
    held_out = round(0.1 * len(INPUTS))
    assert all(np.isclose(score * held_out, round(score * held_out)) for score in model.validation_scores_)
    alike = NetworkClassifier(random_state=0, early_stopping=True, **QUICK).set_params(epochs=40)
    np.testing.assert_array_equal(weights(alike.fit(INPUTS, csr_array(LABELS))), weights(model))
    first = NetworkClassifier(random_state=0, **QUICK).partial_fit(INPUTS, LABELS, classes=[0, 1, 2])
    assert first.partial_fit(INPUTS, LABELS).predict(INPUTS).shape == LABELS.shape
    with pytest.raises(DataError, match="made for 3 labels an example, but y has the shape"):
        first.partial_fit(INPUTS, LABELS[:, :2])
    with pytest.raises(DataError, match="made for 3 labels an example, but y has the shape"):
        first.partial_fit(INPUTS, LABELS[:, 0])
    refused = NetworkClassifier(random_state=0, **QUICK)
    for classes in ([0, 1], ["a", "b", "c"]):
        with pytest.raises(DataError, match=r"classes=range\(3\), not \["):
            refused.partial_fit(INPUTS, LABELS, classes=classes)
    assert refused.partial_fit(INPUTS, LABELS, classes=range(3)).predict(INPUTS).shape == LABELS.shape
    with pytest.raises(ConfigurationError, match="class_weight is for one class an example"):
        NetworkClassifier(class_weight="balanced").fit(INPUTS, LABELS)


def alike(kind: Any, targets: Any, make: Any, rtol: float = 0.0, **options: Any) -> Any:
    """An estimator of sparse inputs, which is as one of dense inputs."""
    inputs = INPUTS * (np.abs(INPUTS) > 0.6)
    settings = {**QUICK, "batch_size": 30, "random_state": 0, **options}
    amounts = RANDOM.uniform(0.5, 2, len(inputs))
    dense, sparse = (kind(**settings).fit(each, targets, sample_weight=amounts) for each in (inputs, make(inputs)))
    np.testing.assert_allclose(weights(sparse), weights(dense), rtol=rtol)
    np.testing.assert_allclose(sparse.loss_curve_, dense.loss_curve_, rtol=rtol)
    assert sparse.validation_scores_ == dense.validation_scores_
    if kind is NetworkClassifier:
        np.testing.assert_array_equal(sparse.predict(make(inputs)), dense.predict(inputs))
    return sparse.partial_fit(make(inputs), targets)


def test_sparse_inputs_train_as_dense_ones() -> None:
    """To the same bits, unless two programs are compiled: one of arrays, and one of the batches of a loader."""
    alike(NetworkRegressor, NUMBERS, csr_array, rtol=1e-12, compile=True, epochs=3)
    alike(NetworkClassifier, KINDS, csc_matrix, early_stopping=True, shuffle=False)
    model = alike(NetworkClassifier, LABELS, csr_array)
    assert model.n_iter_ == 9 and model.decision_function(INPUTS).shape == (90, 3)


def test_only_a_batch_of_sparse_rows_is_dense_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    whole = csr_array.toarray
    monkeypatch.setattr(csr_array, "toarray", lambda rows: sizes.append(rows.shape[0]) or whole(rows))
    inputs = csr_array(np.tile(INPUTS, (8, 1)))
    NetworkRegressor(batch_size=32, **QUICK).fit(inputs, np.tile(NUMBERS, (8, 1))).predict(inputs)
    assert sizes and max(sizes) == 256  # those of predict


def test_class_weights_are_sample_weights() -> None:
    table = {"ant": 1.0, "bee": 0.25, "cow": 3.0}
    by_class = NetworkClassifier(class_weight=table, random_state=0, **QUICK).fit(INPUTS, KINDS)
    each = [table[kind] for kind in KINDS]
    by_sample = NetworkClassifier(random_state=0, **QUICK).fit(INPUTS, KINDS, sample_weight=each)
    np.testing.assert_array_equal(weights(by_class), weights(by_sample))
    with pytest.raises(ConfigurationError, match="all examples at once"):
        NetworkClassifier(class_weight="balanced").partial_fit(INPUTS, KINDS, np.unique(KINDS))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden_layer_sizes": (0,)}, "whole numbers of at least 1"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"optimizer": 3}, "optimizer is a name such as 'adam'"),
        ({"network": 3}, "a function of"),
        ({"network": lambda n, m: None}, "gave a NoneType: expected a Module"),
        ({"batch_size": "all"}, "'auto' or a whole number"),
    ],
)
def test_what_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        NetworkRegressor(**{"epochs": 1, **options}).fit(INPUTS, NUMBERS)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("chainrule.interop.sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'chainrule\[sklearn\]'"):
        importlib.import_module("chainrule.interop.sklearn")
