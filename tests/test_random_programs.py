"""Random programs of public functions over odd shapes: traced as eager bit for bit, and exact gradients.

`python tests/fuzz.py --examples 10000` tries many more of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.differences import derivative
from chainrule.errors import ChainruleError
from chainrule.reference import run

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]
SHAPES = ((), (1,), (3,), (2, 3), (1, 4), (3, 1), (2, 1, 3), (3, 3), (0,), (2, 0))
DTYPES = ("float64", "float32", "float64", "int64", "int8", "uint8", "bool")
LARGEST = 60  # elements of a value
CI = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


# -- steps: each draws its parameters and gives a function of tensors

UNARY: tuple[Function, ...] = (
    *(cr.sin, cr.cos, cr.tanh, cr.sigmoid, cr.softplus, cr.erf, cr.erfc, cr.atan, cr.silu, cr.gelu, cr.mish, cr.asinh),
    *(cr.relu, cr.abs, cr.elu, cr.leaky_relu, cr.log_sigmoid, cr.softsign, cr.square, cr.negative, cr.floor),
    lambda x: cr.sqrt(1.0 + x * x),
    lambda x: cr.log1p(x * x),
    lambda x: cr.exp(cr.tanh(x)),
    lambda x: cr.rsqrt(cr.exp(cr.sin(x))),
    lambda x: x**3,
    lambda x: (2 + cr.sin(x)) ** -2,
    lambda x: cr.clip(x, -0.7, 0.9),
    lambda x: cr.where(x > 0.1, cr.sqrt(x), -x),
    lambda x: cr.gelu(x, approximate="tanh"),
    lambda x: (x, x)[0] * 0.5 + 1,
    lambda x: x.astype("float64"),
)
BINARY: tuple[Function, ...] = (
    *(cr.add, cr.subtract, cr.multiply, cr.maximum, cr.minimum, cr.logaddexp, cr.matmul, cr.outer, cr.vecdot),
    lambda x, y: x / (1 + y * y),
    lambda x, y: cr.hypot(x, 1 + cr.abs(y)),
    lambda x, y: cr.atan2(x, 2 + cr.cos(y)),
    lambda x, y: cr.where(x < y, x, cr.sin(y)),
    lambda x, y: cr.power(2 + cr.sin(x), cr.tanh(y)),
    lambda x, y: cr.tensordot(x, y, 1),
    lambda x, y: cr.concat([x, y, x]),
    lambda x, y: cr.stack([x, y], axis=-1),
    lambda x, y: cr.concat([x, y], axis=None),
)
REDUCING: tuple[Function, ...] = (cr.sum, cr.mean, cr.max, cr.min, cr.prod, cr.var, cr.std, cr.logsumexp)
ALONG: tuple[Function, ...] = (cr.softmax, cr.log_softmax, cr.sort, cr.cumulative_sum, cr.flip)


def unary(rng: random.Random, shape: Sequence[int]) -> Function:
    return rng.choice(UNARY)


def reducing(rng: random.Random, shape: Sequence[int]) -> Function:
    function, keepdims = rng.choice(REDUCING), rng.random() < 0.5
    axis = rng.choice([None, *range(-len(shape), len(shape)), tuple(range(len(shape)))])
    return lambda x: function(x, axis=axis, keepdims=keepdims)


def along(rng: random.Random, shape: Sequence[int]) -> Function:
    function, axis = rng.choice(ALONG), rng.randint(-len(shape), max(0, len(shape) - 1))
    return lambda x: function(x, axis=axis)


def indexing(rng: random.Random, shape: Sequence[int]) -> Function:
    sizes = [rng.randint(-1, max(1, size)) for size in shape]
    keys: list[Any] = [
        *(None, ..., slice(None, None, -1), slice(1, None), slice(None, None, 2), -1, (..., None)),
        *([0, -1, 0], np.array([[0], [0]]), (slice(None), [0, 0]), ([0, -1], slice(0, 1)), tuple(sizes), (..., 0)),
    ]
    key = rng.choice(keys)
    return lambda x: x[key]


def moving(rng: random.Random, shape: Sequence[int]) -> Function:
    order = rng.sample(range(len(shape)), len(shape))
    axis, shift = rng.randint(-1, max(0, len(shape) - 1)), rng.randint(-3, 3)
    widths = [(rng.randint(-1, 2), rng.randint(0, 2)) for _ in shape]
    return rng.choice(
        (
            lambda x: cr.permute_dims(x, order),
            lambda x: cr.reshape(x, -1),
            lambda x: cr.expand_dims(x, axis),
            lambda x: cr.squeeze(x),
            lambda x: cr.roll(x, shift, axis),
            lambda x: cr.pad(x, widths, 0.5),
            lambda x: cr.tile(x, 2),
            lambda x: cr.repeat(x, 2, axis),
            lambda x: cr.broadcast_to(x, (2, *x.shape)),
            lambda x: cr.split(x, 1, axis)[-1],
            lambda x: cr.matrix_transpose(x),
            lambda x: cr.tril(x, shift),
            lambda x: cr.take(x, [0, 0, -1], axis),
            lambda x: cr.scatter_add(x, [0, 0], 1.5 * x[:1], 0),
            lambda x: cr.take_along_axis(x, cr.argsort(x, axis), axis),
        )
    )


STEPS = (unary, unary, reducing, along, indexing, moving)


@dataclass(frozen=True)
class Program:
    """Steps that were found to work on the inputs: (function, places of its arguments among the values so far)."""

    inputs: tuple[Array, ...]
    steps: tuple[tuple[Function, tuple[int, ...]], ...]

    def __call__(self, *inputs: Any) -> tuple[cr.Tensor, ...]:
        """Every value that no later step reads."""
        values = [cr.asarray(each) for each in inputs]
        read: set[int] = set()
        for function, places in self.steps:
            values.append(function(*(values[place] for place in places)))
            read.update(places)
        return tuple(value for place, value in enumerate(values) if place not in read and place >= len(inputs))

    def loss(self, *inputs: Any) -> cr.Tensor:
        """One number that depends on all results, however large they are."""
        total = cr.asarray(np.float64(0))
        for number, value in enumerate(self(*inputs)):
            weights = np.cos(np.arange(value.size, dtype=np.float64) + number).reshape(value.shape)
            total = total + (cr.asinh(value.astype("float64")) * weights).sum()
        return total


@dataclass(frozen=True)
class Kind:
    """What programs are made of. steps: makers of functions of one tensor, given (rng, its shape)."""

    dtypes: Sequence[str] = DTYPES
    shapes: Sequence[tuple[int, ...]] = SHAPES
    steps: Sequence[Function] = STEPS
    binary: Sequence[Function] = BINARY
    largest: int = LARGEST


def random_program(
    rng: random.Random, dtypes: Sequence[str] = DTYPES, length: int = 8, kind: Kind | None = None
) -> Program:
    generator = np.random.default_rng(rng.getrandbits(32))
    kind = kind or Kind(dtypes)
    count = rng.randint(1, 3)
    inputs = tuple(
        (generator.standard_normal(rng.choice(kind.shapes)) * 1.5).astype(rng.choice(kind.dtypes)) for _ in range(count)
    )
    values, steps = [cr.tensor(each) for each in inputs], []
    for _ in range(length):
        function, places = _random_step(rng, values, kind)
        try:
            result = function(*(values[place] for place in places))
        except (ChainruleError, IndexError):
            continue  # a step that does not fit says so in words of ours, and is left out
        if result.size <= kind.largest:
            values.append(result)
            steps.append((function, places))
    return Program(inputs, tuple(steps))


def _random_step(rng: random.Random, values: Sequence[cr.Tensor], kind: Kind) -> tuple[Function, tuple[int, ...]]:
    latest = len(values) - 1
    first = latest if rng.random() < 0.7 else rng.randint(0, latest)
    if rng.random() < 0.4:
        return rng.choice(kind.binary), (first, rng.randint(0, latest))
    return rng.choice(kind.steps)(rng, values[first].shape), (first,)


# -- what must hold of every program


def check_trace(program: Program) -> None:
    """The traced program runs to the bits of the eager one, and so does its gradient."""
    functions: list[Function] = [program]
    floats = [place for place, each in enumerate(program.inputs) if each.dtype.kind == "f"]
    if floats:
        functions.append(cr.grad(program.loss, argnums=floats))
    for function in functions:
        eager = function(*program.inputs)
        graph = cr.trace(function)(*program.inputs)
        for expected, answer in zip(eager, run(graph, program.inputs), strict=True):
            assert answer.dtype == expected.dtype and answer.shape == expected.shape
            assert answer.tobytes() == expected.numpy().tobytes()


def check_derivatives(program: Program, seed: int) -> None:
    """In float64: the gradient agrees with differences; pushing forward is the transpose of pulling back."""
    generator = np.random.default_rng(seed)
    primals = program.inputs
    along = [generator.standard_normal(each.shape) for each in primals]
    gradient = cr.grad(program.loss, argnums=tuple(range(len(primals))))
    found = gradient(*primals)
    slope = sum(float(np.sum(g.numpy() * v)) for g, v in zip(found, along))
    scale = sum(float(np.sum(np.abs(g.numpy() * v))) for g, v in zip(found, along))
    if not np.isfinite(scale) or not np.isfinite(program.loss(*primals).item()):
        return
    _check_against_differences(program, along, slope, scale)
    outputs, pushed = cr.jvp(program.loss, primals, along)
    assert outputs.dtype == np.float64
    np.testing.assert_allclose(pushed.item(), slope, rtol=1e-9, atol=1e-9 * (1e-3 + scale))
    _check_transpose(program, along, generator)
    _check_second_order(program, gradient, along)


def _check_against_differences(program: Program, along: list[Array], slope: float, scale: float) -> None:
    def at(t: float) -> float:
        return float(program.loss(*(each + t * v for each, v in zip(program.inputs, along))).item())

    estimate = derivative(at, 1e-3)
    if estimate.error < 1e-7 * (1 + abs(estimate.value)):  # else there is a kink or a pole within the step
        assert abs(estimate.value - slope) <= 1e-5 * (1e-2 + abs(slope) + 1e-3 * scale)


def _check_transpose(program: Program, along: list[Array], generator: np.random.Generator) -> None:
    def floats(*inputs: Any) -> tuple[cr.Tensor, ...]:
        return tuple(value for value in program(*inputs) if value.dtype.kind == "f")

    results, pullback = cr.vjp(floats, *program.inputs)
    cotangents = tuple(generator.standard_normal(each.shape) for each in results)
    _, pushed = cr.jvp(floats, program.inputs, along)
    left = [u * v.numpy() for u, v in zip(cotangents, pushed)]
    right = [g.numpy() * v for g, v in zip(pullback(cotangents), along)]
    scale = sum(float(np.sum(np.abs(each))) for each in (*left, *right))
    if np.isfinite(scale):
        difference = sum(float(np.sum(each)) for each in left) - sum(float(np.sum(each)) for each in right)
        assert abs(difference) <= 1e-9 * (1 + scale)


def _check_second_order(program: Program, gradient: Function, along: list[Array]) -> None:
    products = cr.hvp(program.loss, program.inputs, along)
    _, pushed = cr.jvp(gradient, program.inputs, along)
    for first, second in zip(products, pushed, strict=True):
        scale = np.abs(first.numpy()[np.isfinite(first.numpy())]).max(initial=1.0)
        np.testing.assert_allclose(first.numpy(), second.numpy(), rtol=1e-7, atol=1e-8 * scale)


@CI
@given(st.randoms(use_true_random=False))
def test_traced_programs_run_to_the_bits_of_eager_ones(rng: random.Random) -> None:
    check_trace(random_program(rng))


@CI
@given(st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_derivatives_of_random_programs(rng: random.Random, seed: int) -> None:
    check_derivatives(random_program(rng, ("float64",)), seed)
