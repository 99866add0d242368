"""The text form of graphs, against texts that were read and found right: a test fails on any change.

To accept a change: `CHAINRULE_WRITE_GOLDEN=1 python -m pytest tests/ir/test_show.py`, then read the difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.ir.build import constant, splat
from chainrule.ir.graph import Graph
from chainrule.ir.show import formula, is_splat, show_graph, splat_text
from chainrule.ir.types import ArrayType, float32, float64, int64

GOLDEN = Path(__file__).parent.parent / "golden"
ROOT = Path(cr.__file__).parents[2]
MATRIX, VECTOR = ArrayType((4, 3), float32), ArrayType((3,), float32)


def _mean_squared_error(weights: Any, bias: Any, x: Any, y: Any) -> Any:
    return nn.functional.mse_loss(cr.tanh(x @ weights + bias), y)


def layer_and_its_gradient() -> Graph:
    step = cr.value_and_grad(_mean_squared_error, argnums=(0, 1))
    return cr.trace(step)(ArrayType((3, 2), float32), ArrayType((2,), float32), MATRIX, ArrayType((4, 2), float32))


def softmax_cross_entropy() -> Graph:
    loss = cr.grad(lambda logits, classes: nn.functional.cross_entropy(logits, classes))
    return cr.trace(loss)(MATRIX, ArrayType((4,), int64))


def hessian_vector_product() -> Graph:
    return cr.trace(lambda x, v: cr.hvp(lambda x: (x**3 * cr.exp(-x)).sum(), (x,), (v,)))(VECTOR, VECTOR)


def indexing_and_scattering() -> Graph:
    picked = np.array([2, 0, 2])
    return cr.trace(cr.grad(lambda x: (x[:, picked] * x[::2, None, 0].sum()).sum() + x[-1, 1]))(MATRIX)


def convolution_and_pooling() -> Graph:
    def network(image: Any, kernel: Any) -> Any:
        return nn.functional.max_pool2d(cr.relu(nn.functional.conv2d(image, kernel, padding=1)), 2)

    return cr.trace(network)(ArrayType((1, 2, 4, 4), float32), ArrayType((3, 2, 3, 3), float32))


GRAPHS: tuple[Callable[[], Graph], ...] = (
    layer_and_its_gradient,
    softmax_cross_entropy,
    hessian_vector_product,
    indexing_and_scattering,
    convolution_and_pooling,
)


@pytest.mark.parametrize("make", GRAPHS, ids=lambda make: make.__name__)
def test_golden_text(make: Callable[[], Graph]) -> None:
    path = GOLDEN / f"{make.__name__}.txt"
    text = show_graph(make(), sources=False) + "\n"
    if os.environ.get("CHAINRULE_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
    assert show_graph(make(), sources=False) + "\n" == text  # names do not depend on what ran before


def test_splats_show_as_their_number() -> None:
    graph = cr.trace(lambda x: x * 0.1 + np.arange(3, dtype=np.float32))(VECTOR)
    assert show_graph(graph, sources=False).splitlines() == [
        "<lambda>(%0: float32[3]):",
        "  c0: float32[3] = constant",
        "  %1: float32[3] = multiply(%0, 0.1[3])",
        "  %2: float32[3] = add(%1, c0)",
        "  return %2",
    ]


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (2, ArrayType((), float32), "2.0"),
        (0.1, ArrayType((), float32), "0.1"),
        (0.1, ArrayType((2, 3), float64), "0.1[2, 3]"),
        (-0.0, ArrayType((1,), float64), "-0.0[1]"),
        (7, ArrayType((), int64), "7"),
        (True, ArrayType((2,), np.dtype(bool)), "True[2]"),
        (float("-inf"), ArrayType((), float64), "-inf"),
    ],
)
def test_text_of_a_splat(number: Any, kind: ArrayType, text: str) -> None:
    assert splat_text(splat(number, kind)) == text


def test_what_is_no_splat() -> None:
    assert not is_splat(constant(np.zeros(2)))
    assert not is_splat(constant(np.zeros((0, 2))))
    assert not is_splat(constant(np.broadcast_to(np.arange(2.0), (3, 2))))
    assert is_splat(constant(np.zeros((1, 1))))


def test_lines_name_their_source() -> None:
    graph = cr.trace(lambda x: cr.exp(x))(VECTOR)
    assert "# " in str(graph) and "test_show.py:" in str(graph)


def test_formula() -> None:
    graph = cr.trace(lambda x, y: cr.exp(x * 2) - y)(VECTOR, VECTOR)
    names = {id(value): name for value, name in zip(graph.inputs, "xy")}
    assert formula(graph.outputs[0], names) == "(exp((x · 2)) - y)"


def test_page_of_operations_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "operations_table.py"), "--check"]
    answer = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
