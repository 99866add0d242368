"""Loop nests against NumPy in float64: reductions in every place, lanes left over, phases; same bits on all threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import chainrule as cr
from chainrule import nn
from chainrule.compiler.compile import Compiled, compile_graph, run_once
from chainrule.compiler.planning.program import Call
from chainrule.trace import trace

random = np.random.default_rng(3)


def compiled(function: Callable[..., Any], *arrays: Any) -> Compiled:
    return compile_graph(trace(function)(*arrays))


def run(function: Callable[..., Any], *arrays: Any, threads: int = 1) -> list[Any]:
    return run_once(compiled(function, *arrays), arrays, threads)


def labels(program: Compiled) -> list[str]:
    return [each.label for each in program.program.instructions if isinstance(each, Call)]


SHAPES = [(5, 7, 40), (6, 33, 300), (2, 3, 1, 200), (300, 129), (9, 1030), (70, 1), (3, 5, 17), (40, 50, 96)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_over_leading_axes(shape: tuple[int, ...], dtype: Any) -> None:
    x = random.standard_normal(shape).astype(dtype)
    for axes in ((0,), tuple(range(len(shape) - 1))):
        (found,) = run(lambda t, axes=axes: cr.sum(t * t + 1, axis=axes), x)
        expected = (x.astype(np.float64) ** 2 + 1).sum(axis=axes)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=40 * np.finfo(dtype).eps)


@pytest.mark.parametrize("shape", [(6, 33, 300), (300, 129), (9, 1030)], ids=str)
def test_several_reductions_of_one_pass_and_what_follows_from_them(shape: tuple[int, ...]) -> None:
    def statistics(t: Any, scale: Any) -> Any:
        squares = t * t * scale
        return squares, cr.sum(squares, axis=0) / shape[0], cr.max(squares, axis=0) - cr.min(squares, axis=0)

    x, scale = random.standard_normal(shape).astype(np.float32), random.standard_normal(shape[-1:]).astype(np.float32)
    program = compiled(statistics, x, scale)
    assert len(labels(program)) == 1, labels(program)
    squares, mean, spread = run_once(program, [x, scale])
    exact = x.astype(np.float64)
    np.testing.assert_allclose(squares, exact**2 * scale, rtol=1e-6)
    np.testing.assert_allclose(mean, (exact**2 * scale).mean(axis=0), rtol=2e-5, atol=1e-6)
    np.testing.assert_array_equal(spread, squares.max(axis=0) - squares.min(axis=0))


def test_all_and_any_over_leading_axes() -> None:
    x = random.random((40, 333)) < 0.95
    found_all, found_any = run(lambda t: (cr.all(t, axis=0), cr.any(cr.logical_not(t), axis=0)), x)
    np.testing.assert_array_equal(found_all, x.all(axis=0))
    np.testing.assert_array_equal(found_any, (~x).any(axis=0))


def test_not_a_number_in_one_row_stays_in_its_column() -> None:
    x = random.standard_normal((50, 200)).astype(np.float32)
    x[17, 60], x[3, 70] = np.nan, np.inf
    (found,) = run(lambda t: cr.sum(t, axis=0), x)
    assert np.isnan(found[60]) and found[70] == np.inf
    assert np.isfinite(np.delete(found, [60, 70])).all()


@pytest.mark.parametrize("shape", [(64, 100), (3, 50, 128), (2, 7)], ids=str)
def test_softmax_and_layer_norm_with_their_gradients(shape: tuple[int, ...]) -> None:
    def programs(x: Any, weight: Any, bias: Any, toward: Any) -> Any:
        def loss(x: Any, weight: Any, bias: Any) -> Any:
            return cr.sum(nn.functional.layer_norm(x, shape[-1:], weight, bias) * toward)

        return nn.functional.softmax(x, -1), *cr.grad(loss, argnums=(0, 1, 2))(x, weight, bias)

    x, toward = (random.standard_normal(shape).astype(np.float32) for _ in range(2))
    weight, bias = (random.standard_normal(shape[-1:]).astype(np.float32) for _ in range(2))
    softmax, by_x, by_weight, by_bias = run(programs, x, weight, bias, toward)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(softmax, special.softmax(exact, axis=-1), rtol=2e-6)
    spread = np.sqrt(exact.var(axis=-1, keepdims=True) + 1e-5)
    normal, leading = (exact - exact.mean(axis=-1, keepdims=True)) / spread, tuple(range(len(shape) - 1))
    np.testing.assert_allclose(by_bias, toward.astype(np.float64).sum(axis=leading), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(by_weight, (toward * normal).sum(axis=leading), rtol=1e-4, atol=1e-4)
    cotangent = toward.astype(np.float64) * weight
    middle = cotangent.mean(axis=-1, keepdims=True)
    along = (cotangent * normal).mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(by_x, (cotangent - middle - normal * along) / spread, rtol=1e-3, atol=1e-5)


def test_the_same_bits_on_any_number_of_threads() -> None:
    def everything(x: Any, bias: Any) -> Any:
        def loss(x: Any, bias: Any) -> Any:
            wide = nn.functional.gelu(x + bias)
            return cr.sum(nn.functional.softmax(wide, -1) * wide)

        return cr.value_and_grad(loss, argnums=(0, 1))(x, bias)

    x, bias = random.standard_normal((8, 128, 320)).astype(np.float32), np.linspace(-1, 1, 320, dtype=np.float32)
    program = compiled(everything, x, bias)
    first = run_once(program, [x, bias], 1)
    for threads in (2, 3, 8):
        for one, other in zip(first, run_once(program, [x, bias], threads), strict=True):
            np.testing.assert_array_equal(one, other)


ROWS = np.linspace(-1.0, 2.0, 8).reshape(4, 2)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, row: cr.sigmoid(x + row),
        lambda x, row: cr.where(x > row, x[::-1], row),
        lambda x, row: cr.permute_dims(cr.exp(cr.permute_dims(x, (1, 0)) * row[0] - x.reshape((2, 4))), (1, 0)),
        lambda x, row: (x[:, :1] * row + x[:, 1:]) @ cr.ones((2, 3)),
        lambda x, row: cr.concat([x + row, cr.sin(x - row)], axis=1) > 0,
    ],
)
def test_few_elements_take_one_vector_whatever_their_axes(function: Any) -> None:
    for dtype in (np.float32, np.float64):
        arrays = [ROWS.astype(dtype), np.array([0.5, -1.5], dtype)]
        (found,) = run_once(compile_graph(trace(function)(*arrays)), arrays)
        expected = function(*map(cr.tensor, arrays)).numpy()
        np.testing.assert_allclose(found, expected, rtol=3e-7 if dtype == np.float32 else 1e-14)


def test_nests_of_several_sizes_have_one_kernel() -> None:
    """Where whole blocks fill them: updates of parameters of any shapes."""
    weights = [random.standard_normal(shape).astype(np.float32) for shape in ((64, 256), (128, 512), (96, 256))]
    program = compiled(lambda *each: tuple(w - 0.1 * w * w for w in each), *weights)
    calls = [each for each in program.program.instructions if isinstance(each, Call)]
    assert len(calls) == 3 and len({each.kernel for each in calls}) == 1
    for threads in (1, 3):
        for weight, found in zip(weights, run_once(program, weights, threads)):
            np.testing.assert_allclose(found, weight - 0.1 * weight.astype(np.float64) ** 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("columns", [3, 7, 10, 30, 61, 94])
def test_a_column_times_a_row_shares_the_nest_of_what_follows(columns: int) -> None:
    """Rows of any length are whole vectors that overlap; what is updated in place is not counted twice."""

    def update(weight: Any, column: Any, row: Any) -> Any:
        gradient = column @ row
        return gradient, weight - 0.1 * gradient, weight > gradient

    weight, column, row = (random.standard_normal(s).astype(np.float32) for s in ((9, columns), (9, 1), (1, columns)))
    program = compiled(update, weight, column, row)
    assert len(labels(program)) == 1, labels(program)
    gradient, updated, above = run_once(program, [weight, column, row])
    np.testing.assert_array_equal(gradient, column * row)
    np.testing.assert_allclose(updated, weight - 0.1 * column * row, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(above, weight > column * row)
    step = cr.compile(lambda: parameter.assign(parameter - cr.tensor(column) @ cr.tensor(row)))
    parameter = cr.Parameter(weight)
    step()
    np.testing.assert_allclose(parameter.numpy(), weight - column * row, rtol=1e-6, atol=1e-6)
