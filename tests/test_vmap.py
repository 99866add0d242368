"""vmap: every primitive on every sample, and whole programs, against one example after the other."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, OutOfRangeError, ShapeError, TraceError
from chainrule.ir.build import bind, recording
from chainrule.ir.graph import Value
from chainrule.ir.primitive import Primitive, all_primitives
from chainrule.ops.operators import lift
from chainrule.tensor import unwrap, wrap

SIZE = 3
PRIMITIVES = [each for each in all_primitives().values() if each.name not in ("custom_gradient",)]
RANDOM = np.random.default_rng(0)


def applied(primitive: Primitive, params: Any) -> Any:
    def function(*tensors: Any) -> Any:
        with recording(False):
            answer = bind(primitive, *[lift(unwrap(each)) for each in tensors], **params)
        return tuple(map(wrap, answer)) if isinstance(answer, tuple) else (wrap(answer),)

    return function


def examples_of(array: np.ndarray, primitive: Primitive, place: int) -> np.ndarray:
    """Three examples: the sample, and others of its range; indices, bits and bools stay valid in another order."""
    if primitive.name == "cholesky":
        return np.stack([array, 1.5 * array, 4 * array])  # positive definite
    if array.dtype.kind != "f" or primitive.name in ("window_pick", "window_scatter"):
        return np.stack([np.roll(array, shift) for shift in range(SIZE)])
    return np.stack([array, np.roll(array, 1), array[..., ::-1] if array.ndim else array])


def flags_of(count: int) -> list[tuple[bool, ...]]:
    every = [flags for flags in itertools.product((True, False), repeat=count) if any(flags)]
    return every if count <= 3 else [(True,) * count, (True, *(False,) * (count - 1)), (*(False,) * (count - 1), True)]


def same(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
        return
    digits = 1e-5 if expected.dtype.itemsize == 4 else 1e-12
    np.testing.assert_allclose(found, expected, rtol=digits, atol=digits, equal_nan=True)


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda each: each.name)
def test_primitive_on_a_batch_is_each_example_alone(primitive: Primitive) -> None:
    for sample in primitive.samples():
        function = applied(primitive, sample.params)
        if not sample.inputs:
            continue
        stacks = [examples_of(each, primitive, place) for place, each in enumerate(sample.inputs)]
        for flags in flags_of(len(stacks)):
            given = [stack if flag else stack[0] for stack, flag in zip(stacks, flags)]
            found = cr.vmap(function, tuple(0 if flag else None for flag in flags))(*given)
            rows = [
                function(*(stack[row] if flag else stack[0] for stack, flag in zip(stacks, flags)))
                for row in range(SIZE)
            ]
            for place, each in enumerate(found):
                same(each.numpy(), np.stack([row[place].numpy() for row in rows]))


# -- whole programs


def network() -> Any:
    layers = [nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3).eval(), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4)]
    return nn.Sequential(*layers).double()


def loss(model: Any, image: Any, label: Any) -> Any:
    return nn.functional.cross_entropy(model(image[None]), label[None])


IMAGES, LABELS = RANDOM.normal(size=(5, 1, 8, 8)), np.array([0, 3, 1, 1, 2])


@pytest.mark.parametrize("wrap_in", [lambda f: f, cr.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("chunk", [None, 2])
def test_gradients_of_each_sample(wrap_in: Any, chunk: int | None) -> None:
    model = network()
    found = wrap_in(cr.vmap(cr.grad(loss), (None, 0, 0), chunk_size=chunk))(model, cr.tensor(IMAGES), cr.tensor(LABELS))
    for row in range(5):
        alone = cr.grad(loss)(model, cr.tensor(IMAGES[row]), cr.tensor(LABELS[row]))
        for mine, other in zip(found.parameters(), alone.parameters(), strict=True):
            np.testing.assert_allclose(mine.numpy()[row], other.numpy(), rtol=1e-9, atol=1e-12)


def test_gradient_through_a_batch_reaches_what_is_outside() -> None:
    weight = cr.tensor(RANDOM.normal(size=(4, 3)), requires_grad=True)
    points = RANDOM.normal(size=(5, 3))
    cr.vmap(lambda x: cr.sin(weight @ x).sum())(points).sum().backward()
    expected = np.cos(points @ weight.numpy().T).T @ points
    np.testing.assert_allclose(weight.grad.numpy(), expected, rtol=1e-12)


def test_hessian_is_the_batched_product_with_unit_vectors() -> None:
    point = RANDOM.normal(size=4)

    def function(x: Any) -> Any:
        return (cr.exp(x) * cr.roll(x, 1)).sum()

    rows = cr.vmap(lambda v: cr.hvp(function, (point,), (v,))[0])(np.eye(4))
    np.testing.assert_allclose(rows.numpy(), cr.hessian(function)(point).numpy(), rtol=1e-12, atol=1e-14)


def test_nested_batches_and_axes() -> None:
    x, y = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(3, 5))
    product = cr.vmap(cr.vmap(lambda a, b: (a * b).sum(), (None, 1)), (0, None))(x, y)
    np.testing.assert_allclose(product.numpy(), x @ y, rtol=1e-12)
    turned = cr.vmap(lambda a: {"twice": a * 2, "sum": a.sum()}, in_axes=1, out_axes={"twice": -1, "sum": 0})(x)
    np.testing.assert_array_equal(turned["twice"].numpy(), 2 * x)
    np.testing.assert_allclose(turned["sum"].numpy(), x.sum(0))
    mixed = cr.vmap(lambda d, z: d["a"] * d["b"] + z, ({"a": 0, "b": None}, None))({"a": x, "b": 2.0}, 1.0)
    np.testing.assert_allclose(mixed.numpy(), 2 * x + 1)


def test_loops_and_branches_of_each_example() -> None:
    starts, steps = np.array([1.0, 2.0, -3.0]), RANDOM.normal(size=(4, 3))

    def looped(start: Any, xs: Any) -> Any:
        end, ys = cr.scan(lambda carry, x: (carry * 0.5 + x, carry * x), start, xs)
        return end + ys.sum()

    def branched(x: Any) -> Any:
        return cr.cond(x > 0, lambda x: cr.log(x), lambda x: x * x, x)

    def searched(x: Any) -> Any:
        return cr.while_loop(lambda pair: pair[0] < 50, lambda pair: (pair[0] * 3 + 1, pair[1] + 1), (cr.abs(x), 0))

    for function, given, axes in (
        (looped, (starts, steps), (0, 1)),
        (looped, (np.float64(1.5), steps), (None, 1)),
        (looped, (starts, steps[:, 0]), (0, None)),
        (branched, (starts,), 0),
        (searched, (starts,), 0),
    ):
        found = cr.tree.leaves(cr.vmap(function, axes)(*given))
        places = axes if isinstance(axes, tuple) else (axes,)
        for row in range(3):
            own = [each if axis is None else np.take(each, row, axis) for each, axis in zip(given, places)]
            for mine, other in zip(found, cr.tree.leaves(function(*own)), strict=True):
                np.testing.assert_allclose(mine.numpy()[row], other.numpy(), rtol=1e-12)
    slope = cr.grad(lambda starts: cr.vmap(looped, (0, 1))(starts, steps).sum())(starts)
    expected = [cr.grad(looped)(start, steps[:, row]).item() for row, start in enumerate(starts)]
    np.testing.assert_allclose(slope.numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(cr.vmap(cr.grad(branched))(starts).numpy(), [1, 0.5, -6], rtol=1e-12)


def test_a_gradient_rule_of_the_users_is_kept() -> None:
    @cr.custom_gradient(check=False)
    def clipped(x: Any, scale: Any) -> Any:
        return x * scale, lambda g: (cr.clip(g, -1.0, 1.0) * scale, (g * x).sum())

    points, scale = RANDOM.normal(size=(4, 3)), np.array(2.0)

    def function(x: Any, s: Any) -> Any:
        return (clipped(x, s) * 5.0).sum()

    first, second = cr.vmap(cr.grad(function, (0, 1)), (0, None))(points, scale)
    np.testing.assert_allclose(first.numpy(), np.full((4, 3), 2.0))
    np.testing.assert_allclose(second.numpy(), 5 * points.sum(1), rtol=1e-12)
    whole = cr.grad(lambda x, s: cr.vmap(function, (0, None))(x, s).sum(), (0, 1))(points, scale)
    np.testing.assert_allclose(whole[1].item(), 5 * points.sum(), rtol=1e-12)


def test_what_is_not_recorded_stays_without_gradient() -> None:
    def function(x: Any) -> Any:
        with cr.no_grad():
            fixed = x * 3
        return (fixed * x).sum()

    np.testing.assert_allclose(cr.vmap(cr.grad(function))(np.ones((2, 3))).numpy(), 3.0)
    total = cr.grad(lambda x: cr.vmap(function)(x).sum())(np.ones((2, 3)))
    np.testing.assert_allclose(total.numpy(), 3.0)


def test_no_examples_give_no_results() -> None:
    assert cr.vmap(lambda x: cr.exp(x).sum())(np.zeros((0, 3))).shape == (0,)


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: cr.vmap(cr.add)(np.ones(3), np.ones(4)), ShapeError, "different numbers of examples: 3.*4"),
    (lambda: cr.vmap(cr.exp)(1.0), ShapeError, "single number"),
    (lambda: cr.vmap(cr.exp, None)(np.ones(3)), ConfigurationError, "None"),
    (lambda: cr.vmap(cr.add, (0,))(np.ones(3), np.ones(3)), ConfigurationError, "one entry"),
    (lambda: cr.vmap(lambda d: d["a"], ({"b": 0},))({"a": np.ones(3)}), ConfigurationError, "structure"),
    (lambda: cr.vmap(cr.exp, out_axes=None)(np.ones(3)), ConfigurationError, "out_axes"),
    (lambda: cr.vmap(cr.exp, chunk_size=0)(np.ones(3)), ConfigurationError, "chunk_size"),
    (lambda: cr.vmap(lambda x: cr.random.uniform(x.shape))(np.ones((2, 3))), TraceError, "random numbers"),
    (lambda: cr.vmap(lambda x, i: cr.take(x, i, 0))(np.ones((2, 3)), np.array([1, 3])), OutOfRangeError, "index"),
]


@pytest.mark.parametrize(("make", "kind", "says"), BAD)
def test_what_does_not_fit_is_named(make: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        make()


def test_values_are_not_changed() -> None:
    points = RANDOM.normal(size=(2, 3))
    before = points.copy()
    result = cr.vmap(lambda x: x * 2)(points)
    assert isinstance(unwrap(result), Value)
    np.testing.assert_array_equal(points, before)
