"""Mixed precision: rounding to bfloat16 against exact fractions, products and gradients against their definition."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigurationError
from chainrule.nn import functional as F
from chainrule.ops.bfloat16 import bfloat16_rounded, rounded_to_bfloat16
from chainrule.tensor import lifted

RANDOM = np.random.default_rng(0)
rounded = lifted(lambda x: bfloat16_rounded(x))


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def bit_patterns() -> np.ndarray[Any, Any]:
    """Float32 of every sign and exponent: next to, at and between neighbours in bfloat16; infinities and NaN."""
    upper = np.arange(0, 1 << 16, 37, dtype=np.uint32) << np.uint32(16)
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    return (upper[:, None] | lower).ravel().view(np.float32)


def nearest(x: float) -> float:
    """The nearest number of 8 bits of precision by exact fractions, ties to the even one: the definition."""
    sign, size = (-1 if np.signbit(x) else 1), Fraction(abs(x))
    exponent = max(int(np.frexp(abs(x))[1]) - 8, -133)
    whole = round(size / Fraction(2) ** exponent)  # Python rounds halves to even
    largest = (Fraction(2) - Fraction(2) ** -7) * 2**127
    value = whole * Fraction(2) ** exponent
    return sign * (float("inf") if value > largest else float(value))


def test_rounding_is_to_the_nearest_and_ties_to_even() -> None:
    numbers = bit_patterns()
    given = rounded_to_bfloat16(numbers)
    assert np.array_equal(np.isnan(given), np.isnan(numbers)) and not np.any(given.view(np.uint32) & 0xFFFF)
    finite = np.isfinite(numbers)
    expected = np.array([nearest(float(x)) for x in numbers[finite]], np.float32)
    assert given[finite].tobytes() == expected.tobytes()
    assert np.array_equal(given[np.isinf(numbers)], numbers[np.isinf(numbers)])


def test_compiled_rounding_has_the_bits_of_numpy() -> None:
    numbers = bit_patterns()
    given = cr.compile(rounded)(cr.tensor(numbers)).numpy()
    assert given.tobytes() == rounded_to_bfloat16(numbers).tobytes()


PRODUCTS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "matrix": (lambda x, w: x @ w, ((5, 7), (7, 3))),
    "vector": (lambda x, w: x @ w, ((7,), (7, 3))),
    "batch": (lambda x, w: x @ w, ((4, 5, 7), (7, 3))),
    "einsum": (lambda x, w: cr.einsum("bij,kj->bik", x, w), ((4, 5, 7), (3, 7))),
    "tensordot": (lambda x, w: cr.tensordot(x, w, ((1,), (0,))), ((5, 7), (7, 3))),
    "linear": (F.linear, ((5, 7), (3, 7))),
    "conv1d": (lambda x, w: F.conv1d(x, w, padding=1), ((2, 3, 8), (4, 3, 3))),
    "conv2d": (lambda x, w: F.conv2d(x, w, stride=2), ((2, 3, 6, 6), (4, 3, 3, 3))),
    "conv_transpose2d": (lambda x, w: F.conv_transpose2d(x, w, stride=2), ((2, 4, 3, 3), (4, 3, 2, 2))),
}


CASES = [*((name, False) for name in PRODUCTS), ("batch", True), ("conv2d", True)]


@pytest.mark.parametrize(("name", "compiled"), CASES)
def test_products_and_their_gradients_are_those_of_rounded_operands(name: str, compiled: bool) -> None:
    """In float64, with operands rounded by hand: y = f(r(x), r(w)), and the pull-back of r(g)."""
    product, shapes = PRODUCTS[name]
    x, w = (cr.tensor(normal(*shape)) for shape in shapes)
    g = cr.tensor(normal(*product(x, w).shape))

    def pulled(x: Any, w: Any, g: Any) -> Any:
        y, pull_back = cr.vjp(product, x, w)
        return (y, *pull_back(g))

    run = cr.compile(pulled) if compiled else pulled
    with cr.autocast("bfloat16"):
        given = run(x, w, g)
    wide = [cr.tensor(rounded_to_bfloat16(each.numpy()).astype(np.float64)) for each in (x, w, g)]
    for first, second, plain in zip(given, pulled(*wide), pulled(x, w, g)):
        assert first.dtype == np.float32
        np.testing.assert_allclose(first.numpy(), second.numpy(), rtol=3e-6, atol=3e-6)
        assert not np.allclose(first.numpy(), plain.numpy(), rtol=1e-5, atol=1e-5)


def layers() -> dict[str, tuple[nn.Module, np.ndarray[Any, Any]]]:
    return {
        "Linear": (nn.Linear(6, 4), normal(3, 6)),
        "Sequential": (nn.Sequential(nn.Linear(6, 6), nn.GELU(), nn.LayerNorm(6)), normal(3, 6)),
        "LSTM": (nn.LSTM(6, 5), normal(7, 2, 6)),
        "TransformerEncoderLayer": (nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), normal(2, 5, 8)),
    }


@pytest.mark.parametrize("name", layers())
def test_layers_are_near_float32_and_compiled_as_eager(name: str) -> None:
    cr.random.manual_seed(0)
    layer, x = layers()[name]

    def run(x: Any) -> Any:
        result = layer(x)
        y = result[0] if isinstance(result, tuple) else result
        loss = (y * y).mean()
        for parameter in layer.parameters():
            parameter.grad = None
        loss.backward()
        return y, *(parameter.grad for parameter in layer.parameters())

    plain = run(cr.tensor(x))
    with cr.autocast():
        eager = run(cr.tensor(x))
        compiled = cr.compile(run)(cr.tensor(x))
    assert any(not np.array_equal(a.numpy(), b.numpy()) for a, b in zip(plain, eager))
    for exact, first, second in zip(plain, eager, compiled):
        scale = float(np.abs(exact.numpy()).max()) + 1e-3
        assert float(np.abs(first.numpy() - exact.numpy()).max()) < 0.03 * scale
        # a last bit of a float32 may round the other way, which is one of the 8 bits of an operand
        assert float(np.abs(first.numpy() - second.numpy()).max()) < 0.01 * scale


def test_blocks_nest_and_hold_for_their_thread() -> None:
    x = cr.tensor(normal(4, 4))
    exact = (x @ x).numpy()
    seen: list[bool] = []

    def same() -> bool:
        return bool(np.array_equal((x @ x).numpy(), exact))

    @cr.autocast("bfloat16")
    def decorated() -> bool:
        return same()

    with cr.autocast("bfloat16"):
        thread = threading.Thread(target=lambda: seen.append(same()))
        thread.start()
        thread.join()
        with cr.autocast("float32"):
            seen.append(same())
        seen.append(same())
        assert (x.astype("float64") @ x.astype("float64")).dtype == np.float64
    assert [*seen, same(), decorated(), same()] == [True, True, False, True, False, True]


def test_a_program_is_made_for_the_precision_it_was_traced_in() -> None:
    x = cr.tensor(normal(4, 4))
    product, total = cr.compile(lambda x: x @ x), cr.compile(lambda x: x.sum())
    exact, _ = product(x).numpy(), total(x)
    with cr.autocast():
        with pytest.warns(UserWarning, match="cr.autocast"):
            inside = product(x).numpy()
        assert np.array_equal(inside, (x @ x).numpy()) and not np.array_equal(inside, exact)
        total(x)  # has no product: nothing to compile again, which would warn
    assert np.array_equal(product(x).numpy(), exact)


def test_what_it_does_not_take_is_told() -> None:
    for wrong in ("float16", np.float16, "bf16", 16, None):
        with pytest.raises(ConfigurationError, match="float32 or bfloat16"):
            cr.autocast(wrong)
    with pytest.raises(ConfigurationError, match="its body runs later"):

        @cr.autocast()
        def stream() -> Any:
            yield 1


def test_loops_checkpoints_and_batches_round_too() -> None:
    w, x = cr.tensor(normal(4, 4) / 2), cr.tensor(normal(3, 4))

    def by_scan(x: Any) -> Any:
        return cr.scan(lambda carry, _: (cr.tanh(carry @ w), None), x, length=3)[0]

    def by_hand(x: Any) -> Any:
        for _ in range(3):
            x = cr.tanh(x @ w)
        return x

    with cr.autocast():
        expected = cr.grad(lambda x: by_hand(x).sum())(x).numpy()
        ways = [by_scan, cr.checkpoint(by_hand), lambda x: cr.vmap(lambda row: by_hand(row[None])[0])(x)]
        for way in ways:
            given = cr.grad(lambda x, way=way: way(x).sum())(x).numpy()
            np.testing.assert_allclose(given, expected, atol=0.01)
            assert np.abs(given - expected).max() < 1e-6


# -- training


def problem() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    x = np.random.default_rng(1).standard_normal((256, 12)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype(np.int64)


def trained(**options: Any) -> tuple[nn.Module, cr.train.History]:
    cr.random.manual_seed(2)
    model = nn.Sequential(nn.Linear(12, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 2))
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    given = {"epochs": 4, "batch_size": 32, "progress": False, **options}
    return model, cr.train.fit(model, optimizer, data=problem(), **given)


def weights(model: nn.Module) -> bytes:
    return b"".join(each.numpy().tobytes() for each in model.parameters())


def test_training_reaches_the_loss_of_float32() -> None:
    exact, rough = trained()[1]["loss"], trained(precision="bfloat16")[1]["loss"]
    assert exact != rough and rough[-1] < 0.7 * rough[0]
    np.testing.assert_allclose(rough, exact, rtol=0.01)


def test_native_and_eager_training_agree_and_threads_move_no_bit() -> None:
    native = [trained(precision="bfloat16", threads=threads) for threads in (1, 2, 3)]
    assert len({weights(model) for model, _ in native}) == 1
    eager = trained(precision="bfloat16", compile=False)[1]["loss"]
    np.testing.assert_allclose(native[0][1]["loss"], eager, rtol=2e-3)
    assert all(each.dtype == np.float32 for each in native[0][0].parameters())


def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Any) -> None:
    whole = weights(trained(precision="bfloat16")[0])
    trained(precision="bfloat16", epochs=2, run_directory=tmp_path)
    resumed, _ = trained(precision="bfloat16", run_directory=tmp_path, resume=True)
    assert weights(resumed) == whole
    with pytest.raises(cr.errors.CheckpointError, match="precision"):
        trained(epochs=6, run_directory=tmp_path, resume=True)


def test_gathered_batches_are_taken_in_it_too() -> None:
    rough, exact = (trained(accumulate=2, epochs=1, precision=name, compile=False)[0] for name in ("bfloat16", None))
    assert weights(rough) != weights(exact)


def test_gradients_are_the_same_where_the_backward_pass_runs_outside() -> None:
    cr.random.manual_seed(0)
    layer = nn.Linear(6, 4)
    other = copy.deepcopy(layer)
    x = cr.tensor(normal(3, 6))
    with cr.autocast():
        (layer(x) ** 2).sum().backward()
        loss = (other(x) ** 2).sum()
    loss.backward()
    for first, second in zip(layer.parameters(), other.parameters()):
        assert np.array_equal(first.grad.numpy(), second.grad.numpy())
