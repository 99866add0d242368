"""Functions that share their name with PyTorch's, or have an obvious counterpart: values, gradients, second order.

Each row: our function, PyTorch's, inputs. Everything in float64, to 1e-10. What differs by design is in DIFFERENT, with
the reason, so that a new difference is noticed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import chainrule as cr

torch: Any = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.oracle
TOLERANCE = 1e-10
INF, NAN = math.inf, math.nan


@dataclass(frozen=True)
class Row:
    """One function on one set of inputs; other inputs are not differentiated. order: how far it is compared."""

    name: str
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    inputs: tuple[np.ndarray[Any, Any], ...]
    order: int = 2
    label: str = field(default="", compare=False)

    def __str__(self) -> str:
        shapes = "-".join("x".join(map(str, each.shape)) or "scalar" for each in self.inputs)
        return f"{self.name}-{self.label or shapes}"


def random(shape: tuple[int, ...], low: float, high: float, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.asarray(np.random.default_rng([seed, *shape]).uniform(low, high, shape))


ROWS: list[Row] = []
SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (0,), (5,), (2, 3), (2, 0, 3), (1, 4, 1))

# -- elementwise functions of one array: name, domain, special points

UNARY: dict[str, tuple[float, float, tuple[float, ...]]] = {
    "abs": (-2, 2, (0.0, -0.0, INF)),
    "acos": (-0.9, 0.9, (0.0,)),
    "acosh": (1.1, 4, (1e10,)),
    "asin": (-0.9, 0.9, (0.0,)),
    "asinh": (-3, 3, (0.0, 1e10, -1e10)),
    "atan": (-3, 3, (0.0, 1e10, INF)),
    "atanh": (-0.9, 0.9, (0.0,)),
    "ceil": (-2, 2, (0.0, 1.0, INF)),
    "cos": (-4, 4, (0.0,)),
    "cosh": (-4, 4, (0.0, 300.0)),
    "erf": (-3, 3, (0.0, 1e-10, 9.0)),
    "erfc": (-3, 3, (0.0, 1e-10, 9.0)),
    "erfinv": (-0.95, 0.95, (0.0,)),
    "exp": (-3, 3, (0.0, -750.0, 700.0)),
    "expm1": (-3, 3, (0.0, 1e-12, 700.0)),
    "floor": (-2, 2, (0.0, 1.0, -INF)),
    "log": (0.1, 4, (1e-300, 1e300)),
    "log10": (0.1, 4, (1e-100, 1e100)),
    "log1p": (-0.9, 4, (0.0, 1e-12)),
    "log2": (0.1, 4, (1e-100, 1e100)),
    "neg": (-2, 2, (0.0, INF)),
    "reciprocal": (0.2, 3, (1e-100, 1e100, -2.0)),
    "round": (-2, 2, (0.5, 1.5, 2.5, -0.5)),
    "rsqrt": (0.1, 4, (1e-100, 1e100)),
    "sigmoid": (-4, 4, (0.0, 40.0, -40.0)),
    "sign": (-2, 2, (0.0, INF)),
    "sin": (-4, 4, (0.0,)),
    "sinh": (-4, 4, (0.0, 300.0)),
    "sqrt": (0.1, 4, (1e-300, 1e300)),
    "square": (-3, 3, (0.0,)),
    "tan": (-1.3, 1.3, (0.0,)),
    "tanh": (-4, 4, (0.0, 20.0, -20.0)),
    "trunc": (-2, 2, (0.0, 0.5, -0.5)),
}
OUR_NAMES = {"neg": "negative"}
THEIR_PLACES = {"erf": torch.erf}
for name, (low, high, special) in UNARY.items():
    pair = (getattr(cr, OUR_NAMES.get(name, name)), getattr(torch, name))
    order = 0 if name in ("ceil", "floor", "round", "sign", "trunc") else 2  # ours are cut off, theirs have zeros
    ROWS += [Row(name, *pair, (random(shape, low, high),), order) for shape in SHAPES]
    ROWS.append(Row(name, *pair, (np.array(special),), order, label="special"))

# -- activations

ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[float, ...]]] = {
    "relu": (cr.relu, F.relu, (0.0, -0.0, 1e30)),
    "leaky_relu": (cr.leaky_relu, F.leaky_relu, (0.0, -1e10)),
    "leaky_relu 0.3": (lambda x: cr.leaky_relu(x, 0.3), lambda x: F.leaky_relu(x, 0.3), (0.0,)),
    "elu": (cr.elu, F.elu, (-700.0, 700.0)),
    "elu 1.7": (lambda x: cr.elu(x, 1.7), lambda x: F.elu(x, 1.7), (-3.0,)),
    "selu": (cr.selu, F.selu, (-700.0, 700.0)),
    "celu": (lambda x: cr.celu(x, 2.0), lambda x: F.celu(x, 2.0), (-700.0, 700.0)),
    "gelu": (cr.gelu, F.gelu, (0.0, 30.0, -30.0)),
    "gelu tanh": (lambda x: cr.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh"), (0.0, 30.0)),
    "silu": (cr.silu, F.silu, (0.0, 30.0, -700.0)),
    "mish": (cr.mish, F.mish, (0.0, 15.0, -30.0)),
    "softplus": (cr.softplus, F.softplus, (0.0, 10.0, -30.0)),
    "softplus 2": (lambda x: cr.softplus(x, 2.0), lambda x: F.softplus(x, 2.0), (0.0, -30.0)),
    "log_sigmoid": (cr.log_sigmoid, F.logsigmoid, (0.0, 700.0, -700.0)),
    "softsign": (cr.softsign, F.softsign, (0.0, 1e10)),
    "hardtanh": (cr.hardtanh, F.hardtanh, (-1.0, 1.0, 0.0, 5.0)),
    "hardsigmoid": (cr.hardsigmoid, F.hardsigmoid, (-3.0, 3.0, 0.0, 9.0)),
    "hardswish": (cr.hardswish, F.hardswish, (-9.0, 0.0, 9.0)),
}
for name, (ours, theirs, special) in ACTIVATIONS.items():
    order = 0 if name == "hardsigmoid" else 2
    ROWS += [Row(name, ours, theirs, (random(shape, -2.5, 2.5),), order) for shape in ((), (0,), (5,), (2, 3))]
    ROWS.append(Row(name, ours, theirs, (np.array(special),), order, label="special"))

# -- functions of two arrays, with broadcasting

PAIRS = (((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0, 3), (1, 3)), ((2, 3), (2, 3)), ((1,), (2, 1, 2)))
BINARY: dict[str, tuple[Callable[..., Any], Callable[..., Any], float, float]] = {
    "add": (cr.add, torch.add, -2, 2),
    "subtract": (cr.subtract, torch.sub, -2, 2),
    "multiply": (cr.multiply, torch.mul, -2, 2),
    "divide": (cr.divide, torch.div, 0.2, 2),
    "power": (cr.power, torch.pow, 0.2, 2),
    "maximum": (cr.maximum, torch.maximum, -2, 2),
    "minimum": (cr.minimum, torch.minimum, -2, 2),
    "atan2": (cr.atan2, torch.atan2, -2, 2),
    "hypot": (cr.hypot, torch.hypot, 0.2, 2),
    "logaddexp": (cr.logaddexp, torch.logaddexp, -2, 2),
    "floor_divide": (cr.floor_divide, torch.floor_divide, 0.2, 2),
}
for name, (ours, theirs, low, high) in BINARY.items():
    order = 0 if name == "floor_divide" else 2
    ROWS += [Row(name, ours, theirs, (random(a, low, high), random(b, low, high, 1)), order) for a, b in PAIRS]
ROWS += [
    Row("remainder", cr.remainder, torch.remainder, (random((2, 3), -3, 3), random((3,), 0.7, 2)), 1),
    Row("maximum", cr.maximum, torch.maximum, (np.array([1.0, 2, 3]), np.array([1.0, 3, 2])), label="ties"),
    Row("minimum", cr.minimum, torch.minimum, (np.array([1.0, 2, 3]), np.array([1.0, 3, 2])), label="ties"),
    Row("power", cr.power, torch.pow, (np.array([0.0, 0.0, 2.0]), np.array([2.0, 0.0, 0.0])), 1, label="zeros"),
    Row("atan2", cr.atan2, torch.atan2, (np.zeros(2), np.array([0.0, -1.0])), 1, label="zeros"),
    Row("logaddexp", cr.logaddexp, torch.logaddexp, (np.array([700.0, -INF]), np.array([-700.0, 0.0])), 1, "far"),
    *(
        Row(
            f"power {exponent}",
            lambda x, p=exponent: cr.power(x, p),
            lambda x, p=exponent: x**p,
            (random((4,), 0.3, 2),),
        )
        for exponent in (-2, -0.5, 0, 0.5, 1, 2, 3, 7, 1.7)
    ),
    *(
        Row(
            f"power {exponent}",
            lambda x, p=exponent: cr.power(x, p),
            lambda x, p=exponent: x**p,
            (np.array([0.0, -1.5]),),
        )
        for exponent in (2, 3, 4)
    ),
]
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
THEIR_COMPARISONS = {"equal": "eq", "not_equal": "ne"}
for name in COMPARISONS:
    theirs = getattr(torch, THEIR_COMPARISONS.get(name, name))
    ROWS.append(Row(name, getattr(cr, name), theirs, (np.array([1.0, NAN, 2, INF]), np.array([1.0, NAN, 3, INF])), 0))
ROWS += [
    Row(name, getattr(cr, name), getattr(torch, name), (np.array([1.0, NAN, INF, -INF]),), 0)
    for name in ("isnan", "isinf", "isfinite")
]
BITS = (np.array([True, True, False, False]), np.array([True, False, True, False]))
ROWS += [
    Row(name, getattr(cr, name), getattr(torch, name), BITS, 0) for name in ("logical_and", "logical_or", "logical_xor")
]
INTEGERS = (np.array([6, 3, -8, 0]), np.array([1, 2, 3, 4]))
for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"):
    ROWS.append(Row(name, getattr(cr, name), getattr(torch, name), INTEGERS, 0))
ROWS += [
    Row("bitwise_invert", cr.bitwise_invert, torch.bitwise_not, INTEGERS[:1], 0),
    Row("logical_not", cr.logical_not, torch.logical_not, BITS[:1], 0),
    Row("integer remainder", cr.remainder, torch.remainder, (INTEGERS[0], np.array([4, -3, 3, 5])), 0),
    Row("integer floor_divide", cr.floor_divide, torch.floor_divide, (INTEGERS[0], np.array([4, -3, 3, 5])), 0),
]
MASK = np.array([[True, False, True]])
ROWS += [
    Row("where", cr.where, torch.where, (MASK, random((2, 3), -1, 1), random((2, 1), -1, 1, 1))),
    Row("clip", lambda x: cr.clip(x, -1, 1), lambda x: torch.clamp(x, -1, 1), (np.array([-2.0, -1, 0, 1, 2]),)),
    Row("clip low", lambda x: cr.clip(x, min=0.5), lambda x: torch.clamp(x, min=0.5), (random((5,), -2, 2),)),
    Row("clip arrays", cr.clip, torch.clamp, (random((2, 3), -2, 2), random((3,), -1, 0), random((2, 1), 0, 1))),
    Row("tril", lambda x: cr.tril(x, -1), lambda x: torch.tril(x, -1), (random((2, 3, 4), -1, 1),)),
    Row("triu", lambda x: cr.triu(x, 1), lambda x: torch.triu(x, 1), (random((2, 3, 4), -1, 1),)),
]

# -- reductions

AXES: tuple[tuple[tuple[int, ...], Any], ...] = (
    ((2, 3), 0),
    ((2, 3), -1),
    ((2, 3, 4), (0, 2)),
    ((1,), 0),
    ((5, 1), 1),
    ((2, 0, 3), 0),
    ((3,), 0),
)


def reduction(name: str, ours: Any, theirs: Any, order: int = 2, several: bool = True) -> None:
    for shape, axis in AXES:
        if isinstance(axis, tuple) and not several:
            continue
        for keep in (False, True):
            ROWS.append(
                Row(
                    name,
                    lambda x, axis=axis, keep=keep: ours(x, axis, keep),
                    lambda x, axis=axis, keep=keep: theirs(x, axis, keep),
                    (random(shape, -2, 2),),
                    order,
                )
            )


reduction("sum", lambda x, a, k: cr.sum(x, a, k), lambda x, a, k: torch.sum(x, a, k))
reduction("mean", lambda x, a, k: cr.mean(x, a, k), lambda x, a, k: torch.mean(x, a, k))
reduction("prod", lambda x, a, k: cr.prod(x, a, k), lambda x, a, k: torch.prod(x, a, k), several=False)
reduction("max", lambda x, a, k: cr.max(x, a, k), lambda x, a, k: torch.amax(x, a, k))
reduction("min", lambda x, a, k: cr.min(x, a, k), lambda x, a, k: torch.amin(x, a, k))
reduction("logsumexp", lambda x, a, k: cr.logsumexp(x, a, k), lambda x, a, k: torch.logsumexp(x, a, k))
reduction("argmax", lambda x, a, k: cr.argmax(x, a, k), lambda x, a, k: torch.argmax(x, a, k), 0, several=False)
reduction("argmin", lambda x, a, k: cr.argmin(x, a, k), lambda x, a, k: torch.argmin(x, a, k), 0, several=False)
for correction in (0, 1):
    for shape, axis in (((2, 3), 0), ((2, 3), 1), ((2, 3, 4), (0, 2))):
        for ours, theirs in ((cr.var, torch.var), (cr.std, torch.std)):
            ROWS.append(
                Row(
                    ours.__name__,
                    lambda x, f=ours, axis=axis, c=correction: f(x, axis, correction=c),
                    lambda x, f=theirs, axis=axis, c=correction: f(x, axis, correction=c),
                    (random(shape, -2, 2),),
                )
            )
ZEROS = np.array([[1.0, 0.0, 3.0], [0.0, 0.0, 2.0], [1.0, 2.0, 3.0]])
ROWS += [
    Row("sum", cr.sum, torch.sum, (random((2, 3), -1, 1),), label="all"),
    Row("prod", lambda x: cr.prod(x, 1), lambda x: torch.prod(x, 1), (ZEROS,), label="zeros"),
    Row("std", lambda x: cr.std(x), lambda x: torch.std(x, correction=0), (np.ones(3),), 1, label="constant"),
    Row("max", lambda x: cr.max(x, 0), lambda x: torch.amax(x, 0), (ZEROS,), label="ties"),
    Row("logsumexp", lambda x: cr.logsumexp(x, 1), lambda x: torch.logsumexp(x, 1), (1e4 * ZEROS,), label="huge"),
    Row(
        "logsumexp", lambda x: cr.logsumexp(x, 0), lambda x: torch.logsumexp(x, 0), (np.array([-INF, 0.0]),), 1, "-inf"
    ),
    Row("all", lambda x: cr.all(x, 0), lambda x: torch.all(x, 0), (MASK,), 0),
    Row("any", lambda x: cr.any(x, 1), lambda x: torch.any(x, 1), (MASK,), 0),
    Row("argmax", cr.argmax, torch.argmax, (np.array([1.0, NAN, 5.0]),), 0, label="NaN"),
    Row("max", cr.max, torch.amax, (np.array([1.0, NAN, 5.0]),), 0, label="NaN"),
]
for shape, axis in (((2, 3), 0), ((2, 3), 1), ((4,), 0), ((1,), 0), ((2, 3, 4), 1), ((0,), 0), ((2, 0), 1)):
    x = (random(shape, -3, 3),)
    ROWS += [
        Row("softmax", lambda x, a=axis: cr.softmax(x, a), lambda x, a=axis: torch.softmax(x, a), x),
        Row("log_softmax", lambda x, a=axis: cr.log_softmax(x, a), lambda x, a=axis: torch.log_softmax(x, a), x),
        Row("cumulative_sum", lambda x, a=axis: cr.cumulative_sum(x, a), lambda x, a=axis: torch.cumsum(x, a), x),
        Row(
            "argsort", lambda x, a=axis: cr.argsort(x, a), lambda x, a=axis: torch.argsort(x, dim=a, stable=True), x, 0
        ),
        Row("sort", lambda x, a=axis: cr.sort(x, a, True), lambda x, a=axis: torch.sort(x, a, True).values, x),
    ]
ROWS += [
    Row("softmax", cr.softmax, lambda x: F.softmax(x, -1), (np.array([1e4, 0.0, -1e4, -INF]),), 1, label="far"),
    Row("log_softmax", cr.log_softmax, lambda x: F.log_softmax(x, -1), (np.array([1e4, 0.0, -1e4]),), label="far"),
]

# -- shape

P = random((2, 3, 4), -1, 1)
ROWS += [
    Row("reshape", lambda x: cr.reshape(x, (4, -1)), lambda x: torch.reshape(x, (4, -1)), (P,)),
    Row("permute_dims", lambda x: cr.permute_dims(x, (2, 0, 1)), lambda x: torch.permute(x, (2, 0, 1)), (P,)),
    Row("moveaxis", lambda x: cr.moveaxis(x, 0, -1), lambda x: torch.moveaxis(x, 0, -1), (P,)),
    Row("swapaxes", lambda x: cr.swapaxes(x, 0, 2), lambda x: torch.swapaxes(x, 0, 2), (P,)),
    Row("matrix_transpose", cr.matrix_transpose, lambda x: x.mT, (P,)),
    Row("expand_dims", lambda x: cr.expand_dims(x, -2), lambda x: torch.unsqueeze(x, -2), (P,)),
    Row("squeeze", cr.squeeze, torch.squeeze, (P[:1, :, :1],)),
    Row("squeeze one", lambda x: cr.squeeze(x, 0), lambda x: torch.squeeze(x, 0), (P[:1, :, :1],)),
    Row("flatten", lambda x: cr.flatten(x, 1), lambda x: torch.flatten(x, 1), (P,)),
    Row("flatten", cr.flatten, torch.flatten, (np.array(1.5),)),
    Row(
        "broadcast_to",
        lambda x: cr.broadcast_to(x, (2, 3, 4)),
        lambda x: torch.broadcast_to(x, (2, 3, 4)),
        (P[:1, :, :1],),
    ),
    Row("flip", lambda x: cr.flip(x, (0, 2)), lambda x: torch.flip(x, (0, 2)), (P,)),
    Row("roll", lambda x: cr.roll(x, 5, 1), lambda x: torch.roll(x, 5, 1), (P,)),
    Row("roll all", lambda x: cr.roll(x, -7), lambda x: torch.roll(x, -7), (P,)),
    Row("tile", lambda x: cr.tile(x, (2, 1, 3)), lambda x: torch.tile(x, (2, 1, 3)), (P,)),
    Row("tile more", lambda x: cr.tile(x, (2, 2, 1, 1)), lambda x: torch.tile(x, (2, 2, 1, 1)), (P,)),
    Row("tile fewer", lambda x: cr.tile(x, (3,)), lambda x: torch.tile(x, (3,)), (P,)),
    Row("repeat", lambda x: cr.repeat(x, 3, 1), lambda x: torch.repeat_interleave(x, 3, 1), (P,)),
    Row("repeat all", lambda x: cr.repeat(x, 2), lambda x: torch.repeat_interleave(x, 2), (P,)),
    Row("concat", lambda *x: cr.concat(x, 1), lambda *x: torch.concat(x, 1), (P, P[:, :1], P[:, :0])),
    Row("stack", lambda *x: cr.stack(x, -1), lambda *x: torch.stack(x, -1), (P, 2 * P)),
    Row("split", lambda x: cr.split(x, 2, 1)[1], lambda x: torch.split(x, 2, 1)[1], (P,)),
    Row("split sizes", lambda x: cr.split(x, [1, 3], 2)[1], lambda x: torch.split(x, [1, 3], 2)[1], (P,)),
    Row("pad", lambda x: cr.pad(x, [(0, 0), (1, 2), (3, 0)], 1.5), lambda x: F.pad(x, (3, 0, 1, 2), value=1.5), (P,)),
    Row("pad cuts", lambda x: cr.pad(x, [(0, 0), (-1, 2), (0, -2)]), lambda x: F.pad(x, (0, -2, -1, 2)), (P,)),
    Row("one_hot", lambda x: cr.one_hot(x, 5, cr.int64), lambda x: F.one_hot(x, 5), (np.array([[1, 4], [0, 2]]),), 0),
]

# -- products

PRODUCTS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((2, 3), (5, 3, 4)),
    ((6, 1, 2, 3), (5, 3, 4)),
    ((0, 3), (3, 4)),
    ((2, 0), (0, 4)),
    ((0, 2, 3), (3, 4)),
    ((1, 1), (1, 1)),
)
ROWS += [Row("matmul", cr.matmul, torch.matmul, (random(a, -1, 1), random(b, -1, 1, 1))) for a, b in PRODUCTS]
Q = random((4, 3, 5), -1, 1)
ROWS += [
    Row("matmul", cr.matmul, torch.matmul, (np.arange(6).reshape(2, 3), np.arange(12).reshape(3, 4)), 0, "integers"),
    Row("outer", cr.outer, torch.outer, (random((3,), -1, 1), random((4,), -1, 1))),
    Row("vecdot", cr.vecdot, torch.linalg.vecdot, (P, random((4,), -1, 1))),
    Row("tensordot 1", lambda x, y: cr.tensordot(x, y, 1), lambda x, y: torch.tensordot(x, y, 1), (P, Q)),
    Row(
        "tensordot axes",
        lambda x, y: cr.tensordot(x, y, ((1, 2), (1, 0))),
        lambda x, y: torch.tensordot(x, y, dims=((1, 2), (1, 0))),
        (P, Q),
    ),
    Row("tensordot 0", lambda x, y: cr.tensordot(x, y, 0), lambda x, y: torch.tensordot(x, y, 0), (P[0, 0], Q[0, 0])),
]

# -- indexing

PLACES = np.array([[2, 0], [1, 2]])
ALONG = np.array([[[0, 2, 1, 1]], [[2, 2, 0, 1]]])
ROWS += [
    Row("take", lambda x: cr.take(x, [2, 0, 2], 1), lambda x: torch.index_select(x, 1, torch.tensor([2, 0, 2])), (P,)),
    Row(
        "take_along_axis",
        lambda x, i: cr.take_along_axis(x, i, 1),
        lambda x, i: torch.take_along_dim(x, i, 1),
        (P, ALONG),
    ),
    Row(
        "scatter_add",
        lambda x, u: cr.scatter_add(x, [1, 1, 0], u, 1),
        lambda x, u: torch.index_add(x, 1, torch.tensor([1, 1, 0]), u),
        (P, 3 * P),
    ),
    Row("rows", lambda x, i: x[i], lambda x, i: x[i], (P[1], PLACES)),
    Row("slices", lambda x: x[1:, ::2, -3:-1], lambda x: x[1:, ::2, -3:-1], (P,)),
    Row("mixed", lambda x: x[:, [2, 0], None, 1:], lambda x: x[:, [2, 0], None, 1:], (P,)),
    Row("arrays", lambda x: x[[0, 1, 1], :, [3, 0, 0]], lambda x: x[[0, 1, 1], :, [3, 0, 0]], (P,)),
    Row("mask", lambda x: x[P > 0], lambda x: x[torch.tensor(P > 0)], (P,)),
]

# -- programs

ROWS += [
    Row("norm", lambda x: cr.sqrt((x * x).sum(-1)), lambda x: torch.linalg.norm(x, dim=-1), (P,)),
    Row(
        "layer norm",
        lambda x: (x - x.mean(-1, keepdims=True)) * cr.rsqrt(x.var(-1, keepdims=True) + 1e-5),
        lambda x: F.layer_norm(x, (4,)),
        (P,),
    ),
    Row(
        "attention",
        lambda q, k: cr.softmax(q @ k.mT / 2.0, -1) @ k,
        lambda q, k: F.scaled_dot_product_attention(q, k, k),
        (P, 2 * P),
    ),
]

# -- order, counts, neighbours, and functions of special interest

ODD, COUNTS = random((3, 5), -2, 2), np.array([3, 1, 0, 1, 4])
FAR = np.array([1.0, NAN, INF, -INF, -0.0])
ROWS += [
    Row("lgamma", cr.lgamma, torch.lgamma, (random((2, 3), 0.2, 6),), 1),
    Row("digamma", cr.digamma, torch.digamma, (random((2, 3), 0.2, 6),), 0),
    Row("polygamma", lambda x: cr.polygamma(2, x), lambda x: torch.polygamma(2, x), (random((2, 3), 0.5, 6),)),
    Row("xlogy", cr.xlogy, torch.xlogy, (random((2, 3), 0.2, 2), random((3,), 0.2, 2, 1))),
    Row("copysign", cr.copysign, torch.copysign, (random((2, 3), 0.2, 2), random((3,), -2, 2, 1))),
    Row("pow", cr.pow, torch.pow, (random((2, 3), 0.2, 2), random((3,), -2, 2, 1))),
    Row("positive", cr.positive, torch.positive, (ODD,)),
    Row("diff", cr.diff, torch.diff, (ODD,)),
    Row("diff twice", lambda x: cr.diff(x, 0, 2), lambda x: torch.diff(x, 2, 0), (ODD,)),
    Row("kron", cr.kron, torch.kron, (random((2, 3), -1, 1), random((3, 2), -1, 1, 1))),
    Row("diag", lambda x: cr.diag(x, 1), lambda x: torch.diag(x, 1), (ODD,)),
    Row("diag", lambda x: cr.diag(x, -2), lambda x: torch.diag(x, -2), (ODD[0],)),
    Row("median", lambda x: cr.median(x, 1), lambda x: torch.median(x, 1).values, (ODD,)),
    Row("quantile", lambda x: cr.quantile(x, 0.3, 1), lambda x: torch.quantile(x, 0.3, 1), (ODD,)),
    Row("topk", lambda x: cr.topk(x, 2).values, lambda x: torch.topk(x, 2).values, (ODD,)),
    Row("topk", lambda x: cr.topk(x, 2, 0, False).indices, lambda x: torch.topk(x, 2, 0, False).indices, (ODD,), 0),
    Row("nan_to_num", lambda x: cr.nan_to_num(x, 2.0), lambda x: torch.nan_to_num(x, 2.0), (FAR,), 0),
    Row("isclose", cr.isclose, torch.isclose, (FAR, np.array([1.0 + 1e-6, NAN, INF, INF, 0.0])), 0),
    Row("nextafter", cr.nextafter, torch.nextafter, (FAR, np.array([2.0, 1.0, 0.0, 0.0, 1.0])), 0),
    Row("signbit", cr.signbit, torch.signbit, (FAR,), 0),
    Row("isin", cr.isin, torch.isin, (COUNTS, np.array([1, 4])), 0),
    Row("bincount", cr.bincount, torch.bincount, (COUNTS,), 0),
    Row("count_nonzero", lambda x: cr.count_nonzero(x, 0), lambda x: torch.count_nonzero(x, 0), (COUNTS[None],), 0),
    Row("searchsorted", cr.searchsorted, torch.searchsorted, (np.sort(ODD[0]), ODD[1]), 0),
]

ELSEWHERE = {"allclose", "asarray", "einsum", "empty", "empty_like", "from_dlpack", "meshgrid", "nonzero"}
ELSEWHERE |= {"angle", "complex", "conj", "imag", "polar", "real"}
"""What gives no array whose elements can be compared, or several, or is about complex numbers: other files try it."""


# -- what differs by design

DIFFERENT: dict[str, str] = {
    "softplus beyond 20": "PyTorch switches to x above a threshold of 20; ours is exact",
    "abs of NaN": "PyTorch's derivative at NaN is sign(NaN) = 0; ours is NaN",
    "relu of NaN": "PyTorch lets the cotangent pass at NaN; ours gives 0",
    "sign of NaN": "PyTorch gives 0; NumPy and ours give NaN",
    "hypot of zeros": "PyTorch gives NaN; ours takes the slope 0 at the tip",
    "sqrt of zero under where": "PyTorch gives 0 · inf = NaN for a branch not taken; ours gives 0",
    "exp under where": "the same for a derivative that overflows",
    "floor, ceil, round, trunc, sign": "PyTorch's results are tracked and their gradient is 0; ours are cut off",
    "trigamma": "PyTorch's, the derivative of digamma, is off by up to 5e-10",
    "hardsigmoid, celu": "PyTorch rounds the constants 1/6 and 1/alpha to float32 in the gradient; no second order",
}


def ours_of(row: Row) -> tuple[list[Any], list[Any], list[Any]]:
    """Value, gradients of a projection, gradients of a projection of those."""
    arrays = [cr.tensor(each, requires_grad=each.dtype == np.float64) for each in row.inputs]
    output = row.ours(*arrays)
    if not row.order or not output.requires_grad:
        return [output], [], []
    wrt = [each for each in arrays if each.requires_grad]

    def first(*points: Any) -> Any:
        remaining = iter(points)
        result = row.ours(*(next(remaining) if each.requires_grad else each for each in arrays))
        return (result * weights(result.shape)).sum()

    places = tuple(range(len(wrt)))
    gradients = cr.grad(first, argnums=places)(*wrt)
    if row.order < 2:
        return [output], list(gradients), []

    def second(*points: Any) -> Any:
        found = cr.grad(first, argnums=places)(*points)
        return sum(((each * weights(each.shape, 1)).sum() for each in found), cr.tensor(0.0, dtype=cr.float64))

    return [output], list(gradients), list(cr.grad(second, argnums=places)(*wrt))


def theirs_of(row: Row) -> tuple[list[Any], list[Any], list[Any]]:
    arrays = [torch.tensor(each, requires_grad=each.dtype == np.float64) for each in row.inputs]
    output = row.theirs(*arrays)
    wrt = [each for each in arrays if each.requires_grad]
    if not row.order or not output.requires_grad:
        return [output], [], []
    scalar = (output * torch.tensor(weights(output.shape))).sum()
    found = torch.autograd.grad(scalar, wrt, create_graph=True, allow_unused=True, materialize_grads=True)
    if row.order < 2:
        return [output], list(found), []
    again = sum((each * torch.tensor(weights(each.shape, 1))).sum() for each in found)
    if not again.requires_grad:
        return [output], list(found), [torch.zeros_like(each) for each in wrt]
    second = torch.autograd.grad(again, wrt, allow_unused=True, materialize_grads=True)
    return [output], list(found), list(second)


def weights(shape: Any, seed: int = 0) -> np.ndarray[Any, Any]:
    return random(tuple(shape), 0.5, 1.5, seed + 7)


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_values_and_gradients_are_pytorchs(row: Row) -> None:
    for what, ours, theirs in zip(("value", "gradient", "second order"), ours_of(row), theirs_of(row)):
        assert len(ours) == len(theirs), what
        for mine, other in zip(ours, theirs):
            expected = other.detach().numpy(force=True)
            assert mine.shape == expected.shape and mine.dtype == expected.dtype, what
            scale = (
                np.maximum(1.0, np.abs(np.where(np.isfinite(expected), expected, 1))) if mine.dtype == np.float64 else 1
            )
            np.testing.assert_allclose(mine.numpy() / scale, expected / scale, rtol=0, atol=TOLERANCE, err_msg=what)


def test_rows_cover_the_public_functions_that_share_a_name() -> None:
    shared = {name for name in cr.functions.__all__ if callable(getattr(torch, name, None)) or hasattr(F, name)}
    covered = {row.name.split()[0] for row in ROWS}
    created = {"arange", "eye", "full", "full_like", "linspace", "ones", "ones_like", "zeros", "zeros_like"}
    renamed = {"negative", "clip", "abs"}
    assert shared - covered - created - renamed - ELSEWHERE == set()
    assert len(ROWS) > 500


@pytest.mark.parametrize("name", ["arange", "eye", "full", "linspace", "ones", "zeros"])
def test_creation(name: str) -> None:
    for arguments in {
        "arange": [(5,), (2, 9, 3), (0.0, 1.0, 0.25)],
        "eye": [(3,), (2, 4)],
        "full": [((2, 3), 1.5)],
    }.get(name, [(0.0, 1.0, 5)] if name == "linspace" else [((2, 0),), (3,)]):
        ours, theirs = getattr(cr, name)(*arguments), getattr(torch, name)(*arguments)
        assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


# -- the differences by design, each shown


def torch_gradient(function: Callable[..., Any], *points: float) -> list[float]:
    inputs = [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in points]
    return [each.item() for each in torch.autograd.grad(function(*inputs), inputs)]


def our_gradient(function: Callable[..., Any], *points: float) -> list[float]:
    found = cr.grad(function, argnums=tuple(range(len(points))))(*map(np.float64, points))
    return [each.item() for each in found]


def test_softplus_is_exact_where_pytorch_switches() -> None:
    exact = 1 / (1 + math.exp(-21.0))
    assert our_gradient(cr.softplus, 21.0) == [pytest.approx(exact, rel=1e-15)]
    assert torch_gradient(F.softplus, 21.0) == [1.0] and exact < 1


def test_gradients_at_nan_and_at_the_tip() -> None:
    assert math.isnan(our_gradient(cr.abs, NAN)[0]) and torch_gradient(torch.abs, NAN) == [0.0]
    assert our_gradient(cr.relu, NAN) == [0.0] and torch_gradient(F.relu, NAN) == [1.0]
    assert our_gradient(cr.hypot, 0.0, 0.0) == [0.0, 0.0] and math.isnan(torch_gradient(torch.hypot, 0.0, 0.0)[0])
    assert math.isnan(cr.sign(NAN).item()) and torch.sign(torch.tensor(NAN)).item() == 0


def test_rounding_functions_are_cut_off() -> None:
    assert not cr.floor(cr.tensor(1.5, requires_grad=True)).requires_grad
    assert our_gradient(lambda x: cr.floor(x) * x, 2.5) == torch_gradient(lambda x: torch.floor(x) * x, 2.5) == [2.0]


def test_constants_keep_their_digits() -> None:
    assert our_gradient(cr.hardsigmoid, 0.5) == [1 / 6] and torch_gradient(F.hardsigmoid, 0.5) != [1 / 6]
    assert torch_gradient(F.hardsigmoid, 0.5) == [pytest.approx(1 / 6, rel=1e-7)]
    exact = pytest.approx(math.exp(-1 / 1.3), rel=1e-15)
    assert our_gradient(lambda x: cr.celu(x, 1.3), -1.0) == [exact]
    assert torch_gradient(lambda x: F.celu(x, 1.3), -1.0) == [pytest.approx(math.exp(-1 / 1.3), rel=1e-7)]


def test_the_slope_of_digamma_is_exact() -> None:
    exact = math.pi**2 / 2
    assert our_gradient(cr.digamma, 0.5) == [pytest.approx(exact, rel=1e-15)]
    assert torch_gradient(torch.digamma, 0.5) != [pytest.approx(exact, rel=1e-12)]


def test_a_branch_not_taken() -> None:
    ours = our_gradient(lambda x: cr.where(x > 0, cr.sqrt(x), 0.0), 0.0)
    theirs = torch_gradient(lambda x: torch.where(x > 0, torch.sqrt(x), 0.0), 0.0)
    assert ours == [0.0] and math.isnan(theirs[0])
    ours = our_gradient(lambda x: cr.where(x < 0, cr.exp(x), 0.0), 1000.0)
    theirs = torch_gradient(lambda x: torch.where(x < 0, torch.exp(x), 0.0), 1000.0)
    assert ours == [0.0] and math.isnan(theirs[0])
