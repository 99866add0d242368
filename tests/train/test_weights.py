"""Examples that count differently, batches gathered for one update, draws by weight: against what they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.data import class_weights, example_weights
from chainrule.errors import ConfigurationError, DataError
from chainrule.ir.types import NumpyArray
from chainrule.train.weighted import losses_of_examples, weighted_loss

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.standard_normal((12, 4))
LABELS = np.array([0] * 8 + [1] * 3 + [2])
WEIGHTS = RANDOM.integers(0, 4, 12)


def trained(data: Any = (INPUTS, LABELS), loss: Any = "cross_entropy", **options: Any) -> NumpyArray:
    cr.random.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    chosen = {"mode": "batch", "epochs": 4, "progress": False, "compile": False, **options}
    cr.train.fit(model, optimizer, loss, data, **chosen)
    return np.concatenate([each.numpy().ravel() for each in model.parameters()])


@pytest.mark.parametrize("loss", ["cross_entropy", nn.CrossEntropyLoss(label_smoothing=0.1), "mean of its own"])
def test_a_weight_is_a_repetition(loss: Any) -> None:
    if loss == "mean of its own":
        loss = lambda outputs, targets: -cr.mean(cr.take_along_axis(outputs, targets[:, None], 1) ** 3)  # noqa: E731
    repeated = np.repeat(INPUTS, WEIGHTS, 0), np.repeat(LABELS, WEIGHTS)
    np.testing.assert_allclose(trained(sample_weight=WEIGHTS, loss=loss), trained(repeated, loss), rtol=1e-10)


def test_ignored_labels_and_weights_of_the_loss_itself_count_as_without_weights() -> None:
    outputs, labels = cr.tensor(RANDOM.standard_normal((6, 3, 2))), RANDOM.integers(0, 3, (6, 2))
    labels[1, 0] = labels[4, 1] = -100
    loss = nn.CrossEntropyLoss(weight=[1.0, 0.5, 2.0]).double()
    np.testing.assert_allclose(weighted_loss(loss, outputs, labels, np.ones(6)), loss(outputs, labels), rtol=1e-12)
    assert weighted_loss(loss, outputs, labels, np.zeros(6)).item() == 0
    summed = nn.MSELoss(reduction="sum")
    twice = weighted_loss(summed, outputs, np.zeros((6, 3, 2)), np.full(6, 2.0)).item()
    assert losses_of_examples(summed, outputs, np.zeros((6, 3, 2))).shape == (6,) and twice > 0


def test_class_weights_are_those_of_their_examples() -> None:
    balanced = class_weights(LABELS)
    assert balanced == {0: 12 / 24, 1: 12 / 9, 2: 12 / 3}
    by_hand = np.array([balanced[label] for label in LABELS])
    for given in ("balanced", balanced, list(balanced.values())):
        np.testing.assert_array_equal(example_weights(LABELS, given), by_hand)
        np.testing.assert_array_equal(trained(class_weight=given), trained(sample_weight=by_hand))


@pytest.mark.parametrize("options", [{}, {"sample_weight": WEIGHTS}, {"clip_norm": 0.05}])
def test_gathered_batches_are_one_large_batch(options: dict[str, Any]) -> None:
    large = trained(mode="mini-batch", batch_size=8, **options)
    parts = trained(mode="mini-batch", batch_size=4, accumulate=2, **options)
    uneven = trained(accumulate=5, **options)  # parts of 3, 3, 3, 3
    np.testing.assert_allclose(parts, large, rtol=1e-9)
    np.testing.assert_allclose(uneven, trained(**options), rtol=1e-9)


def test_the_loss_of_an_epoch_is_the_weighted_mean() -> None:
    model = nn.Linear(4, 3).double()
    frozen = optim.SGD(model.parameters(), lr=1e-300)
    data = {"data": (INPUTS, LABELS), "batch_size": 5, "epochs": 1, "progress": False, "sample_weight": WEIGHTS}
    history = cr.train.fit(model, frozen, "cross_entropy", **data)
    each = nn.functional.cross_entropy(model(cr.tensor(INPUTS)), LABELS, reduction="none").numpy()
    np.testing.assert_allclose(history.last["loss"], np.average(each, weights=WEIGHTS), rtol=1e-12)


def test_balanced_draws_bring_every_class_as_often() -> None:
    labels = np.repeat([0, 1, 2], [9000, 900, 100])
    loader = cr.data.batches(labels, 10_000, shuffle=True, seed=3, weights=example_weights(labels, "balanced"))
    first, second = next(iter(loader)), loader.batch(0)
    counts = np.bincount(first)
    assert (np.abs(counts / 10_000 - 1 / 3) < 0.02).all()  # four deviations are 0.019
    np.testing.assert_array_equal(first, second)
    never = cr.data.batches(np.arange(4), 4, shuffle=True, weights=[0, 1, 0, 0])
    assert next(iter(never)).tolist() == [1, 1, 1, 1]


def test_streams_bring_their_weights() -> None:
    examples = [(row, label, weight) for row, label, weight in zip(INPUTS, LABELS, WEIGHTS.astype(float))]
    stream = trained(iter(examples), mode="online", epochs=None, batch_size=6)
    arrays = trained(mode="online", epochs=None, batch_size=6, sample_weight=WEIGHTS)
    np.testing.assert_allclose(stream, arrays, rtol=1e-12)
    pairs = [each[:2] for each in examples]
    by_class = trained(iter(pairs), mode="online", epochs=None, batch_size=6, class_weight={1: 2.0})
    expected = trained(mode="online", epochs=None, batch_size=6, class_weight={1: 2.0})
    np.testing.assert_allclose(by_class, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sample_weight": np.ones(3)}, DataError, r"shape \(12,\), but has shape \(3,\)"),
        ({"sample_weight": -np.ones(12)}, DataError, "row 0: expected finite numbers from 0 up"),
        ({"sample_weight": np.zeros(12)}, DataError, "zero for every example"),
        ({"class_weight": "even"}, ConfigurationError, "'balanced', a dict"),
        ({"class_weight": [1.0, 2.0]}, ConfigurationError, "there is a label 2"),
        ({"class_weight": {0: -1.0}}, ConfigurationError, "weight of class 0 is -1.0"),
        ({"class_weight": [1.0] * 4}, ConfigurationError, "has 4 weights, but the network has 3 outputs"),
        ({"class_weight": {3: 1.0}}, ConfigurationError, "the class 3: the network has 3 outputs.* from 0 to 2"),
        ({"class_weight": 2.0}, ConfigurationError, "class weights are numbers, not 2.0"),
        ({"sampling": {"cat": 1.0}}, ConfigurationError, "sampling has a weight for the class 'cat'"),
        ({"sampling": [1.0, 2.0]}, DataError, r"sampling is one number an example, shape \(12,\)"),
        ({"sampling": "even"}, DataError, "sampling is one number an example, not str"),
        ({"sampling": "balanced", "shuffle": False}, ConfigurationError, "need shuffle=True"),
        ({"accumulate": 0}, ConfigurationError, "accumulate is an integer of at least 1"),
        ({"mode": "stochastic", "accumulate": 2}, ConfigurationError, "after each example"),
    ],
)
def test_what_is_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        trained(**{"shuffle": True, **options})


@pytest.mark.parametrize("of", ["arrays", "a stream", "a loader"])
@pytest.mark.parametrize(
    "labels, weights, error, message",
    [
        (LABELS, [1.0, 2.0], ConfigurationError, "2 weights, for the classes 0 to 1, but there is a label 2"),
        (LABELS[:, None], {0: 2.0}, DataError, "one class label an example"),
    ],
)
def test_class_weights_that_do_not_fit_are_refused_however_the_data_comes(
    of: str, labels: NumpyArray, weights: Any, error: Any, message: str
) -> None:
    model = nn.Linear(4, 3).double()
    data = {
        "arrays": (INPUTS, labels),
        "a stream": zip(INPUTS, labels),
        "a loader": cr.data.loader((INPUTS, labels), 12),
    }[of]
    given = {"batch_size": None if of == "a loader" else 12, "mode": "online", "class_weight": weights}
    with pytest.raises(error, match=message):
        loss = lambda outputs, targets: cr.mean(outputs) * 0  # noqa: E731
        cr.train.fit(model, optim.SGD(model.parameters(), lr=0.1), loss, data, progress=False, **given)
