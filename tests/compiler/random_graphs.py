"""Random graphs for the compiler: the programs of `test_random_programs`, over more shapes and all primitives."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.ir.graph import Graph
from chainrule.nn import functional
from chainrule.ops import random as bits
from chainrule.ops.triangle import triangle_product
from chainrule.tensor import unwrap, wrap

from ..test_random_programs import BINARY, SHAPES, STEPS, Kind, Program, random_program

Function = Callable[..., Any]
MORE_SHAPES = (*SHAPES, (17,), (7, 5), (2, 13), (1, 1), (5, 0, 2), (67,), (3, 4, 5), (2, 3, 2, 3), (19, 7), (1, 33))
ROWS = tuple((1 + size % 5, size) for size in range(14, 68))  # rows of one to four vectors, and what is left of them
WIDE = ((33, 31), (16, 64), (7, 131), (64, 17), (100, 10), (2, 9, 40), (48, 48), (3, 257), (1, 1030), (2, 4, 11, 9))

MORE_UNARY: tuple[Function, ...] = (
    lambda x: cr.asin(cr.tanh(x)),
    lambda x: cr.acos(0.9 * cr.sin(x)),
    lambda x: cr.acosh(1.5 + x * x),
    lambda x: cr.atanh(0.9 * cr.tanh(x)),
    lambda x: cr.sinh(cr.sin(x)),
    lambda x: cr.cosh(cr.cos(x)),
    lambda x: cr.tan(cr.tanh(x)),
    lambda x: cr.log2(1 + x * x),
    lambda x: cr.log10(1 + cr.abs(x)),
    lambda x: cr.expm1(cr.tanh(x)),
    lambda x: cr.erfinv(0.9 * cr.tanh(x)),
    lambda x: cr.lgamma(x) - cr.polygamma(1, 0.5 + x * x),
    lambda x: cr.ceil(x) + cr.round(x) - cr.trunc(x),
    lambda x: cr.where(cr.isnan(x) | cr.isinf(x), 0.5, x),
    lambda x: (x != 0.5) & (x >= -0.5) | (x <= -1) ^ (x > 2),
    lambda x: ~(x > 0),
    lambda x: cr.sign(x) * x,
    lambda x: cr.astype(x, "float32"),
    lambda x: cr.astype(x, "int64"),
    lambda x: cr.log(x),
    lambda x: x / x,
    lambda x: cr.stop_gradient(x) * x,
)
MORE_BINARY: tuple[Function, ...] = (
    lambda x, y: x // (1 + cr.abs(y)),
    lambda x, y: x % (1 + cr.abs(y)),
    lambda x, y: cr.bitwise_left_shift(cr.astype(x, "int64"), 3) ^ cr.bitwise_right_shift(cr.astype(y, "int64"), 1),
    lambda x, y: cr.power(x, y),
    lambda x, y: cr.copysign(x, y) + 0.5 * cr.nextafter(x, y),
    lambda x, y: x / y,
    lambda x, y: x @ cr.matrix_transpose(y),
    lambda x, y: cr.cond((x > y).any(), lambda: cr.sin(x) * y, lambda: x - y),
    lambda x, y: cr.take(x, cr.abs(cr.argsort(cr.reshape(y, -1))) % x.shape[0], 0),
)


def more_unary(rng: random.Random, shape: Sequence[int]) -> Function:
    return rng.choice(MORE_UNARY)


def choosing(rng: random.Random, shape: Sequence[int]) -> Function:
    """Reductions to integers and bools."""
    axis = rng.choice([None, *range(-len(shape), len(shape))])
    keepdims = rng.random() < 0.5
    function = rng.choice((cr.argmax, cr.argmin, cr.any, cr.all))
    return lambda x: function(x, axis=axis, keepdims=keepdims)


def multiplying(rng: random.Random, shape: Sequence[int]) -> Function:
    """A dense layer, whose weights depend on x too."""
    size = shape[-1] if shape else 1
    widths = (33, 64, 100, 129, 250) if math.prod(shape) > KIND.largest else (1, 2, 5, 17, 31, rng.randint(17, 63))
    wide = rng.choice(widths)
    seed = np.random.default_rng(rng.getrandbits(32)).standard_normal((size, wide))
    return lambda x: x @ (seed.astype(_float(x)) + cr.tanh(cr.sum(x)))


def _float(x: Any) -> Any:
    return x.dtype if x.dtype.kind == "f" else np.dtype("float32")


def convolving(rng: random.Random, shape: Sequence[int]) -> Function:
    """Of x as one or more images, with kernels that depend on x."""
    rank, groups = rng.choice((1, 1, 2, 2, 2, 3)), rng.choice((1, 1, 1, 2))
    is_wide = math.prod(shape) > KIND.largest
    channels, outs = (groups * rng.choice((8, 16, 17, 32) if is_wide else some) for some in ((1, 2, 3), (1, 3, 4)))
    extent = [rng.choice((4, 7, 8, 13) if is_wide else (1, 2, 3, 5)) for _ in range(rank)]
    kernel = [rng.choice((1, 2, 3)) for _ in range(rank)]
    options = {"stride": rng.choice((1, 1, 2)), "padding": rng.choice((0, 1, 2)), "groups": groups}
    options["dilation"] = rng.choice((1, 1, 2))
    weights = np.random.default_rng(rng.getrandbits(32)).standard_normal((outs, channels // groups, *kernel))
    convolution = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
    images = (rng.choice((1, 2)), channels, *extent)

    def step(x: Any) -> Any:
        filled = cr.reshape(x, -1)[np.arange(int(np.prod(images))) % max(x.size, 1)]  # as often as is needed
        return convolution(cr.reshape(filled, images), weights.astype(_float(x)) + cr.tanh(cr.sum(x)), **options)

    return step


def pooling(rng: random.Random, shape: Sequence[int]) -> Function:
    pool = rng.choice((functional.max_pool1d, functional.avg_pool1d))
    pool2 = rng.choice((functional.max_pool2d, functional.avg_pool2d))
    size, stride, padding = rng.choice((2, 3)), rng.choice((1, 2, 3)), rng.choice((0, 1))
    if len(shape) >= 3:
        return lambda x: pool2(x, size, stride, padding)
    return lambda x: pool(x, size, stride, padding)


def looping(rng: random.Random, shape: Sequence[int]) -> Function:
    """Loops over the first axis, and over nothing but a number of rounds."""
    reverse, rounds = rng.random() < 0.4, rng.choice((0, 1, 3, 7))
    return rng.choice(
        (
            lambda x: cr.scan(lambda c, row: (cr.sin(c + row), c * row), x[0] * 0.5, x, reverse=reverse)[1],
            lambda x: cr.scan(lambda c, row: (cr.tanh(c + cr.mean(row)), c), cr.mean(x), x, reverse=reverse)[0],
            lambda x: cr.scan(lambda c, _: (cr.sin(c) + x * 0.1, cr.sum(c)), x + 0.5, None, rounds)[0],
            lambda x: cr.scan(lambda c, row: ({"n": c["n"] + 1, "h": c["h"] * row}, c["n"]), start(x), x)[0]["h"],
            lambda x: cr.while_loop(lambda c: (c < 3).all() & (c.size > 0), grow, cr.stop_gradient(x * 1.0)),
            lambda x: cr.cond(cr.sum(x) > 0, lambda v: cr.exp(-v * v), lambda v: v * cr.sum(x), x * 1.0),
            lambda x: cr.checkpoint(lambda v: cr.sin(v * cr.mean(x)) + cr.tanh(v))(x * 1.0),
        )
    )


def rereading(rng: random.Random, shape: Sequence[int]) -> Function:
    """What is carried is read in another layout before and after it is updated, or by the condition of a loop."""
    inner = rng.choice((convolving, convolving, multiplying, pooling))(rng, shape)
    rounds = rng.choice((1, 3))

    def round(carry: Any, _: Any) -> Any:
        new = cr.sin(carry) * 0.5
        return new, inner(carry) + 2.0 * inner(new)

    def is_large(carry: Any) -> Any:
        return (carry[0] < 4) & (cr.mean(cr.abs(inner(carry[1]))) > 0.3)

    def scanned(x: Any) -> Any:
        return cr.scan(round, cr.astype(x, _float(x)) * 1.0, None, rounds)[1]

    def waited(x: Any) -> Any:
        first = (0, cr.stop_gradient(cr.astype(x, _float(x)) * 1.0))
        return cr.while_loop(is_large, lambda carry: (carry[0] + 1, carry[1] * 0.5), first)[1]

    return rng.choice((scanned, scanned, waited))


def start(x: Any) -> Any:
    return {"n": 0, "h": x[0] * 1.0}


def grow(carry: Any) -> Any:
    return cr.abs(carry) * 1.5 + 0.25


def drawing(rng: random.Random, shape: Sequence[int]) -> Function:
    """Random numbers whose state depends on x."""
    draw = rng.choice(
        (
            lambda state, kind: bits.uniform(state, (3, 5), -1.0, 1.0, kind),
            lambda state, kind: bits.normal(state, (7,), 0.0, 1.0, kind),
            lambda state, kind: bits.randint(state, -3, 9, (2, 3)),
            lambda state, kind: bits.keep_mask(state, 0.3, (11,)),
            lambda state, kind: bits.exponential(state, (5,), 2.0, kind),
        )
    )

    def step(x: Any) -> Any:
        first = cr.reshape(cr.argsort(cr.reshape(x, -1)), -1)[:1]
        state = cr.asarray(bits.seeded_state(3)) + cr.sum(cr.astype(first, "uint32"))
        return wrap(draw(unwrap(cr.astype(state, "uint32")), _float(x)))

    return step


def choosing_rows(rng: random.Random, shape: Sequence[int]) -> Function:
    """Rows picked and filled by numbers that are computed."""
    axis = rng.randint(-len(shape), len(shape) - 1) if shape else 0
    return rng.choice(
        (
            lambda x: cr.take_along_axis(x, cr.argsort(-x, axis), axis),
            lambda x: cr.take(x, cr.reshape(cr.argmax(x, axis), -1), axis),
            lambda x: cr.scatter_add(cr.sin(x), cr.astype(cr.reshape(x > 0, -1), "int64")[: x.shape[0]], x, 0),
            lambda x: functional.one_hot(cr.astype(x > 0.3, "int64"), 3),
            lambda x: functional.cross_entropy(x, cr.argmin(x, 1)),
            lambda x: functional.layer_norm(x, x.shape[-1:]),
        )
    )


def decomposing(rng: random.Random, shape: Sequence[int]) -> Function:
    """Linear algebra of small matrices made of x."""
    n, batch = rng.choice((1, 2, 3)), rng.choice(((), (2,)))
    function = rng.choice(
        (
            lambda a: cr.linalg.solve(a, cr.sin(a)),
            lambda a: cr.linalg.cholesky(a @ a.mT + np.eye(n, dtype=a.dtype)),
            lambda a: cr.linalg.det(a),
            lambda a: cr.linalg.slogdet(a)[1],
            lambda a: cr.linalg.qr(a)[0] @ cr.exp(cr.linalg.qr(a)[1]),
            lambda a: cr.linalg.eigh(a)[1] ** 3 + cr.linalg.eigvalsh(a)[..., None],
            lambda a: cr.linalg.svd(a)[0] * cr.linalg.svdvals(a)[..., None],
        )
    )

    def step(x: Any) -> Any:
        filled = cr.reshape(x, -1)[np.arange(int(np.prod((*batch, n, n)))) % max(x.size, 1)]
        small = cr.tanh(cr.where(cr.isfinite(filled), filled, 0.5))
        return function(cr.reshape(small, (*batch, n, n)) + np.diag(2.0 + 2 * np.arange(n)).astype(_float(x)))

    return step if rng.random() < 0.2 else more_unary(rng, shape)  # each costs a second to compile


def triangular(rng: random.Random, shape: Sequence[int]) -> Function:
    """Products of which a triangle counts, and their gradients, of small numbers made of x.

    No gradient goes through them from outside: it may be NaN, and whether what is left out meets it is not said.
    """
    m, k, n, batch = (rng.choice((1, 3, 5, 17, 40)) for _ in range(4))
    way = {"of": rng.choice(("left", "result")), "part": rng.choice(("lower", "upper"))}
    sizes = rng.choice((((m, k), (k, n)), ((batch % 4, m, k), (batch % 4, k, n))))

    def product(a: Any, b: Any) -> Any:
        return wrap(triangle_product(unwrap(a), unwrap(b), **way))

    def step(x: Any) -> Any:
        flat = cr.stop_gradient(cr.reshape(cr.astype(x, _float(x)), -1))
        small = cr.tanh(cr.where(cr.isfinite(flat), flat, 0.5))
        a, b = (cr.reshape(small[np.arange(math.prod(size)) % max(x.size, 1)], size) for size in sizes)
        slopes = cr.grad(lambda a, b: cr.sum(cr.sin(product(a, b))), argnums=[0, 1])(a, b)
        return cr.concat([product(a, b), *slopes], axis=None)

    return step if rng.random() < 0.5 else more_unary(rng, shape)


def turning(rng: random.Random, shape: Sequence[int]) -> Function:
    """Complex numbers made of x, and Fourier transforms of them."""
    function = rng.choice(
        (
            lambda z: cr.exp(z) / (z + 2.5),
            lambda z: cr.fft.fft(z * cr.conj(z[..., :1])),
            lambda z: cr.fft.ifft(cr.sum(z, axis=0) * z),
        )
    )

    def step(x: Any) -> Any:
        flat = cr.reshape(x, -1)[np.arange(6) % max(x.size, 1)]
        small = cr.reshape(cr.tanh(cr.astype(cr.where(cr.isfinite(flat), flat, 0.5), _float(x))), (2, 3))
        turned = function(cr.complex(small, cr.flip(small)))
        return cr.real(turned) + cr.imag(turned)

    return step if rng.random() < 0.2 else more_unary(rng, shape)


def differentiating(rng: random.Random, shape: Sequence[int]) -> Function:
    """The gradient of another step, so that the gradient of the program is of second order."""
    inner = rng.choice((pooling, pooling, convolving, looping, choosing_rows))(rng, shape)
    return lambda x: cr.grad(lambda v: cr.sum(cr.sin(inner(v))))(cr.astype(x, _float(x)))


MORE_STEPS = (
    *(differentiating, more_unary, choosing, multiplying, convolving, pooling, looping, rereading, drawing),
    choosing_rows,
    decomposing,
    triangular,
    turning,
)
DTYPES = ("float32", "float32", "float64", "int64", "int32", "int8", "uint8", "bool")
KIND = Kind(DTYPES, (*3 * MORE_SHAPES, *ROWS), (*STEPS, *MORE_STEPS), (*BINARY, *MORE_BINARY), largest=400)
WIDE_KIND = replace(KIND, shapes=(*ROWS, *3 * WIDE), largest=8000)


def program(seed: int, length: int = 8, kind: Kind = KIND) -> Program:
    return random_program(random.Random(seed), length=length, kind=kind)


def graph_of(chosen: Program) -> tuple[Graph, dict[int, int]]:
    """The program, its gradients, and weights moved along them: (graph, output -> input that it may take over)."""
    places = [place for place, each in enumerate(chosen.inputs) if each.dtype.kind == "f"]

    def step(*inputs: Any) -> Any:
        if not places:
            return chosen(*inputs), ()
        gradients = cr.grad(chosen.loss, argnums=places)(*inputs)
        return chosen(*inputs), [inputs[place] - 0.1 * each for place, each in zip(places, gradients)]

    graph = cr.trace(step)(*chosen.inputs)
    first = len(graph.outputs) - len(places)
    return graph, {first + number: place for number, place in enumerate(places)}
