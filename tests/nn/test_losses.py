"""Losses as modules: they keep their options, and their weights are buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

RANDOM = np.random.default_rng(0)
X, Y, Z = RANDOM.normal(size=(3, 5, 4))
LABELS = np.array([0, 3, 1, 2, 2])
BITS = RANDOM.integers(0, 2, size=(5, 4)).astype(float)
SIGNS = BITS * 2 - 1
WEIGHT = np.array([0.5, 2.0, 1.0, 0.1])
ORDERED = np.array([[1, 3, -1, 0], [2, -1, -1, -1], [0, 1, 2, 3], [-1, 0, 1, 2], [3, 0, -1, -1]])
SHARES = np.exp(Y) / np.exp(Y).sum(1, keepdims=True)

ROWS: list[tuple[str, tuple[np.ndarray, ...], dict[str, Any]]] = [
    ("MSELoss", (X, Y), {}),
    ("L1Loss", (X, Y), {"reduction": "sum"}),
    ("HuberLoss", (X, Y), {"delta": 2.0}),
    ("SmoothL1Loss", (X, Y), {"beta": 2.0}),
    ("GaussianNLLLoss", (X, Y, np.exp(Z)), {"full": True}),
    ("PoissonNLLLoss", (X, np.abs(Y)), {"full": True}),
    ("KLDivLoss", (np.log(SHARES), SHARES), {"reduction": "batchmean"}),
    ("BCELoss", (SHARES, BITS), {}),
    ("BCEWithLogitsLoss", (X, BITS), {"pos_weight": WEIGHT}),
    ("NLLLoss", (np.log(SHARES), LABELS), {"weight": WEIGHT}),
    ("CrossEntropyLoss", (X, LABELS), {"weight": WEIGHT, "label_smoothing": 0.1}),
    ("CrossEntropyLoss", (X, LABELS), {"ignore_index": 2, "reduction": "none"}),
    ("SoftMarginLoss", (X, SIGNS), {}),
    ("HingeEmbeddingLoss", (X, SIGNS), {}),
    ("MarginRankingLoss", (X, Y, SIGNS), {"margin": 0.5}),
    ("CosineEmbeddingLoss", (X, Y, SIGNS[:, 0]), {}),
    ("TripletMarginLoss", (X, Y, Z), {"swap": True}),
    ("CosineSimilarity", (X, Y), {"dim": 0}),
    ("PairwiseDistance", (X, Y), {"p": 1.0, "keepdim": True}),
    ("MultiMarginLoss", (X, LABELS), {"weight": WEIGHT, "margin": 0.5}),
    ("MultiMarginLoss", (X, LABELS), {"p": 2, "reduction": "none"}),
    ("MultiMarginLoss", (X[0], np.array(2)), {}),
    ("MultiLabelMarginLoss", (X, ORDERED), {}),
    ("MultiLabelMarginLoss", (X[0], ORDERED[0]), {"reduction": "sum"}),
    ("MultiLabelSoftMarginLoss", (X, BITS), {"weight": WEIGHT}),
    ("TripletMarginWithDistanceLoss", (X, Y, Z), {"swap": True, "margin": 0.3}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "arguments", "options"), ROWS, ids=lambda each: str(each)[:20])
def test_module_is_pytorchs(name: str, arguments: tuple[np.ndarray, ...], options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = (
        getattr(library, name)(**{key: make(each) if isinstance(each, np.ndarray) else each for key, each in given})
        for library, make, given in ((nn, cr.tensor, options.items()), (torch.nn, torch.tensor, options.items()))
    )
    assert set(ours.state_dict()) == set(theirs.state_dict())
    x, tx = cr.tensor(arguments[0], requires_grad=True), torch.tensor(arguments[0], requires_grad=True)
    y, ty = ours(x, *arguments[1:]), theirs(tx, *map(torch.tensor, arguments[1:]))
    np.testing.assert_allclose(y.numpy(), ty.detach().numpy(), rtol=1e-10)
    cr.sum(y).backward()
    np.testing.assert_allclose(x.grad.numpy(), torch.autograd.grad(ty.sum(), tx)[0].numpy(), rtol=1e-9, atol=1e-12)


def test_weights_of_classes_move_with_the_module() -> None:
    loss = nn.CrossEntropyLoss(weight=np.array([1.0, 3.0]))
    value = loss(np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([0, 1])).item()
    assert value == pytest.approx(np.log(2), rel=1e-14)
    assert loss.float().weight.dtype == cr.float32
    loss.load_state_dict({"weight": np.array([1.0, 0.0])})
    assert loss(np.array([[1.0, 0.0], [9.0, 0.0]]), np.array([0, 1])).item() == pytest.approx(np.log1p(np.exp(-1)))


def test_options_are_attributes() -> None:
    loss = nn.HuberLoss(delta=2.0)
    assert (loss.delta, loss.reduction) == (2.0, "mean")
    loss.delta = 1.0
    assert loss(np.array([3.0]), np.array([0.0])).item() == 2.5
    assert repr(loss) == "HuberLoss(delta=1.0, reduction='mean')"
