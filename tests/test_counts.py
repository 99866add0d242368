"""Whole numbers that users give are refused in the same words wherever they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.counts import checked_count, checked_count_or_none
from chainrule.errors import ConfigurationError


@pytest.mark.parametrize("given", [3, np.int64(3), np.uint8(3)])
def test_what_is_one(given: Any) -> None:
    assert type(checked_count("size", given)) is int and checked_count_or_none("size", given, 3) == 3
    assert checked_count_or_none("size", None) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (1, "1"),
        (True, "True"),
        (None, "None"),
        (2.5, "2.5"),
        (64.0, "64.0; give 64"),
        ("64", "'64'; give 64"),
        (1.0, "1.0"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (np.array([2, 3]), "array([2, 3])"),
    ],
)
def test_what_is_none(given: Any, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        checked_count("size", given, least=2)
    assert str(refused.value) == f"size is an integer of at least 2, not {told}"


X = np.ones((4, 2), np.float32)
MODEL = nn.Linear(2, 1)
PLACES = {
    "batch_size": lambda: next(iter(cr.data.batches((X,), batch_size=0))),
    "epochs": lambda: cr.train.fit(MODEL, optim.SGD(MODEL.parameters(), lr=0.1), data=(X, X), epochs=0),
    "chunk_size": lambda: cr.vmap(lambda x: x, chunk_size=0),
    "threads": lambda: cr.compile(lambda x: x, threads=0),
    "patience": lambda: cr.train.EarlyStopping(patience=0),
    "step_size": lambda: optim.schedules.StepLR(optim.SGD(MODEL.parameters(), lr=0.1), step_size=0),
    "order": lambda: cr.check_gradients(lambda x: (x * x).sum(), (X,), order=0),
    "stop": lambda: cr.explain.CreditRecorder(stop=0),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_same_words_everywhere(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} is an integer of at least 1( or None)?, not 0$"):
        PLACES[name]()
