"""Elementwise nests behind products: part of the product's kernel, the same bits as apart, at any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.products import epilogue


def array(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def dense(x: Any, w: Any, b: Any) -> Any:
    sums = x @ w + b
    return cr.relu(sums), sums > 0


def residual(x: Any, w: Any, b: Any) -> Any:
    return x[:, :210] + (x @ w + b) * 0.5


def of_columns(x: Any, w: Any, b: Any) -> Any:
    return cr.tanh(x @ w) * b[:, None]


CASES: dict[str, tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "blocks of columns, a mask": (dense, (64, 300), (300, 512), (512,)),
    "blocks of sums": (residual, (230, 411), (411, 210), (210,)),
    "by rows": (of_columns, (101, 37), (37, 128), (101,)),
}


def run(case: str, threads: int) -> tuple[list[str], list[np.ndarray[Any, Any]]]:
    function, *shapes = CASES[case]
    call = cr.compile(function, threads=threads)
    arrays = [array(*shape) for shape in shapes]
    found = call(*arrays)
    found = found if isinstance(found, tuple) else (found,)
    return [each.label for each in call.profile(*arrays, runs=1)], [each.numpy() for each in found]


@pytest.mark.parametrize("case", CASES)
def test_the_same_bits_as_apart(case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path / "together"))
    monkeypatch.setattr(epilogue, "LEAST_BYTES", 0)
    labels, results = run(case, 1)
    assert len(labels) == 1 and labels[0].startswith("matmul")
    for threads in (2, 8):
        for one, other in zip(results, run(case, threads)[1]):
            assert one.tobytes() == other.tobytes()
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path / "apart"))
    monkeypatch.setattr(epilogue, "MOST_ARRAYS", 0)
    labels, apart = run(case, 1)
    assert len(labels) == 2
    for one, other in zip(results, apart):
        assert one.tobytes() == other.tobytes()


def test_a_nest_comes_right_behind_its_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although its last equation stands behind other work in the graph."""
    monkeypatch.setattr(epilogue, "LEAST_BYTES", 0)

    @cr.compile
    def layer(x: Any, w: Any, labels: Any) -> Any:
        sums = cr.relu(x @ w)
        return sums, cr.cumulative_sum(labels), sums > 1

    arrays = array(64, 30), array(30, 64), array(64)
    found = layer(*arrays)
    assert np.array_equal(found[2].numpy(), found[0].numpy() > 1)
    labels = [each.label for each in layer.profile(*arrays, runs=1)]
    assert len(labels) == 2
    assert labels[0].startswith("matmul") and labels[0].endswith("relu greater")


def test_the_products_own_operands_are_not_written_before_all_is_read() -> None:
    """The weight is updated by what it computes, behind the product that reads it twice."""
    weight = cr.nn.Parameter(array(400, 400) / 20)
    before = weight.numpy().astype(np.float64)

    @cr.compile
    def step() -> None:
        weight.data = weight @ weight + weight

    step()
    np.testing.assert_allclose(weight.numpy(), before @ before + before, rtol=1e-4, atol=1e-4)


def test_a_product_that_others_read_is_kept() -> None:
    x, w = array(300, 60), array(60, 500)

    @cr.compile
    def both(x: Any, w: Any) -> Any:
        product = x @ w
        return cr.exp(-product * product), product, product.sum(axis=0)

    found = [each.numpy() for each in both(x, w)]
    product = x.astype(np.float64) @ w
    for one, other in zip(found, (np.exp(-product * product), product, product.sum(0))):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
