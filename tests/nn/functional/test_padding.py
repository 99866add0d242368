"""Padding against NumPy's and PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ShapeError, UnknownNameError

F = nn.functional
X = np.arange(24.0).reshape(1, 2, 3, 4)

ROWS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((1, 2), {"value": 5.0}),
    ((1, -1, 0, 2), {}),
    ((1, 3, 2, 0), {"mode": "reflect"}),
    ((5, 1, 0, 3), {"mode": "replicate"}),
    ((4, 1, 2, 3), {"mode": "circular"}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("widths", "options"), ROWS)
def test_pad_is_pytorchs(widths: tuple[int, ...], options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    x, tx = cr.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    y, ty = F.pad(x, widths, **options), torch.nn.functional.pad(tx, widths, **options)
    np.testing.assert_array_equal(y.numpy(), ty.detach().numpy())
    cr.sum(y * y).backward()
    (ty * ty).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), tx.grad.numpy())


@pytest.mark.parametrize(("mode", "theirs"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
def test_modes_are_numpys(mode: str, theirs: Any) -> None:
    expected = np.pad(X, [(0, 0), (0, 0), (1, 2), (2, 1)], mode=theirs)
    np.testing.assert_array_equal(F.pad(X, (2, 1, 1, 2), mode=mode).numpy(), expected)


@pytest.mark.parametrize(
    ("widths", "mode", "kind", "words"),
    [
        ((1,), "constant", ShapeError, "pairs"),
        ((4, 0), "reflect", ShapeError, "adds 0 to 3 at each end of an axis of 4"),
        ((-1, 0), "replicate", ShapeError, "adds 0 to"),
        ((1, 1), "mirror", UnknownNameError, "mirror"),
    ],
)
def test_what_is_refused(widths: tuple[int, ...], mode: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        F.pad(X, widths, mode=mode)
