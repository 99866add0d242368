"""The NumPy executor gives the bits of eager execution, frees what it does not need, and refuses what does not fit."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import GraphError
from chainrule.ir.primitive import NoGradient, Primitive, Sample
from chainrule.ops import elementwise as ew
from chainrule.reference import run

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((4, 3)).astype(np.float32)
Y = RANDOM.standard_normal((3, 5))
PLACES = np.array([2, 0, 2])

FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "arithmetic": (lambda x: (x + 1) * x / (x * x + 2) - 3, (X,)),
    "transcendental": (lambda x: cr.exp(-cr.tanh(x)) + cr.erf(x) * cr.log1p(x * x), (X,)),
    "layer": (lambda x, y: cr.relu(x.astype(cr.float64) @ y), (X, Y)),
    "softmax": (lambda x: cr.log_softmax(x, axis=-1), (X,)),
    "reductions": (lambda x: (x.mean(axis=0), x.max(axis=1), x.var(), x.argmax(axis=0)), (X,)),
    "shapes": (lambda x: cr.concat([x.T, cr.flip(x.T, axis=1)], axis=0).reshape(3, 8), (X,)),
    "indices": (lambda x, i: x[i] + cr.take(x, i, axis=0)[::-1], (X, PLACES)),
    "masks": (lambda x: cr.where(x > 0, x, x.abs() ** 0.5), (X,)),
    "integers": (lambda i: (i // 2) % 2 + i * i, (PLACES,)),
    "gradient": (lambda x: cr.grad(lambda z: cr.sin(z * z).sum())(x), (X,)),
    "second gradient": (lambda x: cr.grad(lambda z: (cr.grad(lambda w: (w**4).sum())(z) * z).sum())(x), (X,)),
    "containers": (lambda batch: {"sum": batch["a"] + batch["b"][0]}, ({"a": X, "b": [X * 2]},)),
    "an input and a constant as outputs": (lambda x: (x, cr.ones(2), x + 0), (X,)),
    "the same output twice": (lambda x: [x * 2] * 2, (X,)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_bits_are_those_of_eager_execution(name: str) -> None:
    function, args = FUNCTIONS[name]
    expected = [cr.asarray(each).numpy() for each in tree.leaves(function(*tree.map(cr.tensor, args)))]
    inputs = tree.leaves(args)
    before = [each.copy() for each in inputs]
    found = run(cr.trace(function)(*args), inputs)
    assert len(found) == len(expected)
    for ours, eager in zip(found, expected):
        assert (ours.dtype, ours.shape) == (eager.dtype, eager.shape)
        assert ours.tobytes() == eager.tobytes()
    for array, copy in zip(inputs, before):
        assert (array == copy).all()


def test_values_are_freed_after_their_last_use() -> None:
    seen: list[Any] = []
    alive: list[int] = []

    def watched(x: Any) -> Any:
        alive.append(sum(reference() is not None for reference in seen))
        result = x + 1
        seen.append(weakref.ref(result))
        return result

    step = Primitive("watched", lambda kind: kind, watched, NoGradient("test"), "{0}", lambda: iter(()))

    def chain(x: Any) -> Any:
        value = x._value
        for _ in range(10):
            value = step(value)
        return cr.tensor(0.0) + cr.asarray(_wrapped(value))

    (result,) = run(cr.trace(chain)(X), [X])
    np.testing.assert_array_equal(result, run(cr.trace(lambda x: _plus_ten(x))(X), [X])[0])
    assert max(alive) <= 1


def _wrapped(value: Any) -> Any:
    from chainrule.tensor import wrap

    return wrap(value)


def _plus_ten(x: Any) -> Any:
    for _ in range(10):
        x = x + 1
    return x + 0.0


def test_what_does_not_fit_is_refused() -> None:
    graph = cr.trace(lambda x: x * 2)(X)
    with pytest.raises(GraphError, match="1 inputs, but 2"):
        run(graph, [X, X])
    with pytest.raises(GraphError, match=r"float32\[4, 3\], but was given float64"):
        run(graph, [X.astype(np.float64)])
    with pytest.raises(GraphError, match=r"input 0 .*\[3, 4\]"):
        run(graph, [X.T])


def test_tensors_are_arrays_too() -> None:
    graph = cr.trace(lambda x: x * 2)(X)
    assert (run(graph, [cr.tensor(X)])[0] == X * 2).all()


def _samples() -> list[tuple[Primitive, Sample]]:
    return [(each, sample) for each in (ew.tanh, ew.where, ew.integer_power) for sample in each.samples()]


@pytest.mark.parametrize(("primitive", "sample"), _samples())
def test_primitives_on_their_samples(primitive: Primitive, sample: Sample) -> None:
    from chainrule.ir.build import constant
    from chainrule.tensor import unwrap, wrap

    def function(*inputs: Any) -> Any:
        return wrap(primitive(*map(unwrap, inputs), **sample.params))

    eager = primitive(*map(constant, sample.inputs), **sample.params).data
    (found,) = run(cr.trace(function)(*sample.inputs), sample.inputs)
    assert found.tobytes() == eager.tobytes()
