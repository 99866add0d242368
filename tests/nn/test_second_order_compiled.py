"""Second order under compile, for a few layers of each kind: all of them by `python tests/second_order_compiled.py`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.second_order_compiled import ALL, difference

FEW = ("Conv2d", "LSTM", "LayerNorm", "MultiheadAttention", "MaxPool2d")


@pytest.mark.parametrize("row", [next(row for row in ALL if row[0] == name) for name in FEW], ids=FEW)
def test_native_code_agrees_with_eager(row: Any) -> None:
    assert difference(*row) < 1e-10


def test_running_means_of_all_batches() -> None:
    assert difference("BatchNorm1d", (3,), {"momentum": None}, (6, 3, 4)) < 1e-10
