"""Every elementwise primitive as vector code: against NumPy on the samples, against mpmath to the last place."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special

import chainrule as cr
from chainrule.compiler.arithmetic.scalar import SCALAR, emit_scalar
from chainrule.compiler.machine.runtime import Code, host
from chainrule.compiler.text.emit import WORD, Function, Module, Reg, memory_type
from chainrule.ir.primitive import Primitive
from chainrule.ir.types import DTYPES, FLOATS, INTEGERS, SIGNED, bool_, float32, float64
from chainrule.ops import bfloat16, elementwise, gamma

PRIMITIVES = {
    each.name: each
    for module in (elementwise, bfloat16)
    for each in (*vars(module).values(), gamma.lgamma_p, gamma.polygamma_p)
    if isinstance(each, Primitive)
}
LANES = (1, 3, 8)


@dataclass(frozen=True)
class Kernel:
    """One compiled loop over arrays: what it computes, of which types, how many lanes at once."""

    name: str
    inputs: tuple[Any, ...]
    output: Any
    lanes: int
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        types = "_".join(dtype.name for dtype in (*self.inputs, self.output))
        params = "_".join(f"{name}{value}".replace("-", "m") for name, value in self.params.items())
        return f"{self.name}_{types}_{self.lanes}_{params}"


def emit(module: Module, kernel: Kernel) -> None:
    pointers = [Reg("ptr", f"%a{place}") for place in range(len(kernel.inputs) + 1)]
    begin, end = Reg(WORD, "%begin"), Reg(WORD, "%end")
    f = Function(module, kernel.key, [*pointers, begin, end], host().attributes)
    with f.loop(begin, end, max(kernel.lanes, 1)) as loop:
        inputs = []
        for dtype, pointer in zip(kernel.inputs, pointers):
            place = f.at(pointer, memory_type(dtype), loop.index)
            inputs.append(f.load_elements(dtype, kernel.lanes, place))
        result = emit_scalar(f, kernel.name, inputs, kernel.params, kernel.inputs, kernel.output)
        f.store_elements(kernel.output, result, f.at(pointers[-1], memory_type(kernel.output), loop.index))
    f.finish()


class Kernels:
    """Kernels compiled together, called on arrays of any size: they are filled up with ones to whole vectors."""

    def __init__(self, kernels: Sequence[Kernel], has_fma: bool | None = None, has_scaling: bool | None = None) -> None:
        target = host()
        scaling = target.has_scaling and has_fma is None if has_scaling is None else has_scaling
        module = Module(target.has_fma if has_fma is None else has_fma, scaling)
        for kernel in {kernel.key: kernel for kernel in kernels}.values():
            emit(module, kernel)
        self.code = Code(module.text())

    def run(self, kernel: Kernel, *inputs: Any) -> Any:
        size = inputs[0].size
        padded = -(-size // max(kernel.lanes, 1)) * max(kernel.lanes, 1)
        filled = [np.concatenate([each.ravel(), np.ones(padded - size, each.dtype)]) for each in inputs]
        output = np.empty(padded, kernel.output)
        types = [ctypes.c_void_p] * (len(filled) + 1) + [ctypes.c_int64] * 2
        function = ctypes.CFUNCTYPE(None, *types)(self.code.address(kernel.key))
        function(*(each.ctypes.data for each in filled), output.ctypes.data, 0, padded)
        return output[:size].reshape(inputs[0].shape)


def compiled(kernel: Kernel, *inputs: Any) -> Any:
    return Kernels([kernel]).run(kernel, *(np.asarray(each) for each in inputs))


def numpy_of(name: str, *inputs: Any, **params: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.asarray(PRIMITIVES[name].numpy(*inputs, **params))


# -- the registry


def test_every_elementwise_primitive_has_an_entry_and_nothing_else_has() -> None:
    assert set(SCALAR) == set(PRIMITIVES)


def sampled() -> Iterator[tuple[Kernel, tuple[Any, ...], Any]]:
    """(kernel, inputs, what NumPy says) for each sample of each primitive and each number of lanes."""
    for name, primitive in PRIMITIVES.items():
        for sample in primitive.samples():
            inputs = tuple(np.asarray(each) for each in sample.inputs)
            expected = numpy_of(name, *inputs, **sample.params)
            for lanes in LANES[:1] if name == "cast" else LANES:  # casts have a test of their own
                kernel = Kernel(name, tuple(each.dtype for each in inputs), expected.dtype, lanes, sample.params)
                yield kernel, inputs, expected


@lru_cache(maxsize=1)
def samples_and_kernels() -> tuple[list[tuple[Kernel, tuple[Any, ...], Any]], Kernels]:
    jobs = list(sampled())
    return jobs, Kernels([kernel for kernel, _, _ in jobs])


EXACT = frozenset(PRIMITIVES) - {
    *(
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "cos",
        "cosh",
        "erf",
        "erfc",
        "erfinv",
        "exp",
        "expm1",
        "gelu",
        "lgamma",
        "polygamma",
    ),
    *("hypot", "log", "log10", "log1p", "log2", "logaddexp", "power", "sigmoid", "sin", "sinh", "tan", "tanh"),
}
# NumPy's own choice between 0 and -0 depends on the machine.
ANY_ZERO = frozenset({"maximum", "minimum", "relu"})
# The NumPy forms of these are wrong by more: see ops/special.py.
REFERENCE_ULP = {"erfinv": 20, "erfc": 12, "gelu": 12, "erf": 6, "sigmoid": 6, "tanh": 8, "lgamma": 60, "polygamma": 60}


def agrees(name: str, found: Any, expected: Any) -> Any:
    """Lane by lane: the same number within the allowance, the same sign of zero, NaN where NaN."""
    if expected.dtype.kind != "f":
        return found == expected
    with np.errstate(all="ignore"):
        allowed = 0 if name in EXACT else REFERENCE_ULP.get(name, 4) * np.spacing(np.abs(expected))
        close = (found == expected) | (np.abs(found - expected) <= allowed)
    sign = (np.signbit(found) == np.signbit(expected)) | (name in ANY_ZERO)
    return (close & sign) | (np.isnan(found) & np.isnan(expected))


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_the_samples_of_the_registry_give_what_numpy_gives(name: str) -> None:
    jobs, kernels = samples_and_kernels()
    mine = [job for job in jobs if job[0].name == name]
    assert mine
    for kernel, inputs, expected in mine:
        found = kernels.run(kernel, *inputs)
        wrong = ~agrees(name, found, expected)
        assert not wrong.any(), (kernel, [each[wrong] for each in inputs], found[wrong], expected[wrong])


def test_scalars_are_computed_like_vectors() -> None:
    x = np.array([0.5, -3.25, 1e9, np.nan, 40.0])
    for name in ("exp", "sin", "remainder", "power", "erf"):
        inputs = (x,) if name in ("exp", "sin", "erf") else (x, x[::-1].copy())
        dtypes = (float64,) * len(inputs)
        scalar, vector = Kernel(name, dtypes, float64, 0), Kernel(name, dtypes, float64, 8)
        np.testing.assert_array_equal(compiled(scalar, *inputs), compiled(vector, *inputs))


# -- integers and bools

COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
INTEGER_PAIRS = (
    *("add", "subtract", "multiply", "floor_divide", "remainder", "maximum", "minimum", *COMPARISONS),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"),
)


def integers(dtype: Any) -> Any:
    """Ends of the range, small numbers, and some in between."""
    info = np.iinfo(dtype)
    ends = [info.min, info.min + 1, info.max - 1, info.max, info.max // 3]
    small = [each for each in (-9, -8, -2, -1, 0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65) if each >= info.min]
    return np.array([*ends, *small], dtype)


def pairs(values: Any) -> tuple[Any, Any]:
    first, second = np.meshgrid(values, values)
    return first.ravel(), second.ravel()


def pair_of_integers(name: str, dtype: Any) -> Kernel:
    return Kernel(name, (dtype, dtype), bool_ if name in COMPARISONS else dtype, 8)


def test_integers_are_numpys_at_the_ends_of_their_ranges() -> None:
    kernels = [pair_of_integers(name, dtype) for dtype in INTEGERS for name in INTEGER_PAIRS]
    code = Kernels(kernels)
    for kernel in kernels:
        inputs = pairs(integers(kernel.inputs[0]))
        np.testing.assert_array_equal(code.run(kernel, *inputs), numpy_of(kernel.name, *inputs), err_msg=kernel.key)


def test_integers_alone_at_the_ends_of_their_ranges() -> None:
    kernels = [Kernel(name, (d,), d, 8) for d in INTEGERS for name in ("abs", "negative", "sign", "bitwise_invert")]
    code = Kernels(kernels)
    for kernel in kernels:
        x = integers(kernel.inputs[0])
        np.testing.assert_array_equal(code.run(kernel, x), numpy_of(kernel.name, x), err_msg=kernel.key)


def test_integer_division_by_zero_is_zero_and_does_not_trap() -> None:
    for dtype in SIGNED:
        least = np.iinfo(dtype).min
        x, y = np.array([5, least, least, -7], dtype), np.array([0, 0, -1, 2], dtype)
        quotient = compiled(Kernel("floor_divide", (dtype, dtype), dtype, 3), x, y)
        np.testing.assert_array_equal(quotient, [0, 0, least, -4])
        np.testing.assert_array_equal(compiled(Kernel("remainder", (dtype, dtype), dtype, 3), x, y), [0, 0, 0, 1])


def test_casts_between_all_types_are_numpys() -> None:
    kernels = [Kernel("cast", (a,), b, lanes, {"dtype": b}) for a in DTYPES for b in DTYPES for lanes in (3, 8)]
    code = Kernels(kernels)
    for kernel in kernels:
        source, target = kernel.inputs[0], kernel.output
        x = cast_values(source, target)
        np.testing.assert_array_equal(code.run(kernel, x), numpy_of("cast", x, dtype=target), err_msg=kernel.key)


def cast_values(source: Any, target: Any) -> Any:
    if source.kind == "b":
        return np.array([True, False, True])
    if source.kind != "f":
        return integers(source)
    if target.kind == "f":
        return np.array([0.1, -0.0, 1e38, -1e-42, 3e-46, np.inf, -np.inf, np.nan], source)
    low = 0 if target.kind in "ub" else -100
    return np.array([0.0, 0.9, 1.5, 2.5, 99.99, max(low, -0.9), max(low, -99.9), 126.0], source)


def test_floats_that_fit_no_integer_do_not_trap() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30])
    for target in INTEGERS:
        found = compiled(Kernel("cast", (float64,), target, 3, {"dtype": target}), x)
        assert found.dtype == target
    large = np.array([2.0**63, 1.5 * 2.0**63, 2.0**62])
    unsigned = Kernel("cast", (float64,), np.dtype("uint64"), 3, {"dtype": np.dtype("uint64")})
    np.testing.assert_array_equal(compiled(unsigned, large), [2**63, 3 * 2**62, 2**62])


# -- floats

SPECIAL = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 2.0, -2.0, 3.0, -3.0, 5.0, 1e-310, -1e-310, 1e-40, -1e-40),
    *(87.5, -87.5, 88.8, -95.0, -104.5, 709.5, 709.9, -709.5, -740.0, -746.0, 2.0**52, 2.0**53, -(2.0**53) - 2),
    *(1e16, 1e22, 1e30, -1e30, 1e300, -1e300, 5e-324, np.inf, -np.inf, np.nan),
)


def special_jobs() -> list[Kernel]:
    jobs = []
    for name, primitive in PRIMITIVES.items():
        if name in ("where", "cast", "integer_power", "polygamma", "identity", "stop_gradient") or name.startswith(
            "bitwise"
        ):
            continue
        count = len(next(iter(primitive.samples())).inputs)
        boolean = name in COMPARISONS or name.startswith("is")
        dtypes = (float32,) if name.startswith("bfloat16") else FLOATS
        jobs += [Kernel(name, (d,) * count, bool_ if boolean else d, 8) for d in dtypes]
    return jobs


def test_special_values_give_what_numpy_gives() -> None:
    jobs = special_jobs()
    code = Kernels(jobs)
    for kernel in jobs:
        with np.errstate(all="ignore"):
            values = np.array(SPECIAL).astype(kernel.inputs[0])
        inputs = (values,) if len(kernel.inputs) == 1 else pairs(values)
        found, expected = code.run(kernel, *inputs), numpy_of(kernel.name, *inputs)
        wrong = ~agrees(kernel.name, found, expected)
        assert not wrong.any(), (kernel.key, [each[wrong] for each in inputs], found[wrong], expected[wrong])


def test_power_of_one_and_zero() -> None:
    x = np.array([1.0, np.nan, 0.0, -1.0, -2.0, -2.0, -0.0, -8.0])
    y = np.array([np.nan, 0.0, 0.0, np.inf, 3.0, 4.0, -3.0, 0.5])
    found = compiled(Kernel("power", (float64, float64), float64, 8), x, y)
    np.testing.assert_array_equal(found, [1, 1, 1, 1, -8, 16, -np.inf, np.nan])


def test_log2_and_log10_are_exact_where_they_can_be() -> None:
    powers = np.arange(-1000, 1001, 8)
    np.testing.assert_array_equal(compiled(Kernel("log2", (float64,), float64, 8), np.ldexp(1.0, powers)), powers)
    ten = np.array([float(f"1e{n}") for n in range(0, 23)])
    np.testing.assert_array_equal(compiled(Kernel("log10", (float64,), float64, 8), ten), np.arange(23))


def test_remainder_of_a_huge_number_is_exact() -> None:
    x = np.array([1e308, -1e308, 1e300, 2.0**1000, 5e-324, 1e308, 0.75 * 2.0**-374])
    y = np.array([3.0, 7e-300, 5e-324, 1 + 2.0**-52, 1e308, 1e-310, 5e-324])
    found = compiled(Kernel("remainder", (float64, float64), float64, 3), x, y)
    np.testing.assert_array_equal(found, np.remainder(x, y))


# -- the last place: the largest error found, in units in the last place of the exact result, rounded up


def logspace(low: float, high: float, signed: bool = True) -> Any:
    """400 numbers from 10^low to 10^high, every other one negative."""
    size = 10.0 ** np.linspace(low, high, 400)
    return size * np.resize([1, -1], 400) if signed else size


def between(low: float, high: float) -> Any:
    return np.linspace(low, high, 601) + (high - low) / 7919


WHOLE = np.concatenate([between(-9, 9), logspace(-9, 1)])
ANGLES = np.concatenate([between(-20, 20), logspace(-9, 37)])
UNIT = np.concatenate([between(-0.99, 0.98), logspace(-9, -0.01)])
POSITIVE = np.concatenate([between(0.01, 4), logspace(-30, 30, signed=False)])
ABOVE_ONE = 1 + np.concatenate([between(0, 4), logspace(-5, 30, signed=False)])
SPREAD = np.concatenate([between(-80, 80), logspace(-9, 1)])
FIRST, SECOND = logspace(-9, 9), np.roll(logspace(-8, 8), 57)
BASES, EXPONENTS = np.concatenate([between(0.1, 9), logspace(-20, 20, False)]), np.tile(np.linspace(-1.5, 1.5, 143), 7)


@dataclass(frozen=True)
class Accuracy:
    """How far a function may be from the exact result in float32 and float64, and where that is tried."""

    exact: Callable[..., Any]
    float32: float
    float64: float
    points: tuple[Any, ...]


ACCURACY = {
    "acos": Accuracy(mpmath.acos, 0.51, 1.1, (UNIT,)),
    "acosh": Accuracy(mpmath.acosh, 0.51, 2.0, (ABOVE_ONE,)),
    "asin": Accuracy(mpmath.asin, 0.51, 1.8, (UNIT,)),
    "asinh": Accuracy(mpmath.asinh, 0.51, 1.7, (np.concatenate([WHOLE, logspace(1, 30)]),)),
    "atan": Accuracy(mpmath.atan, 0.51, 1.9, (np.concatenate([WHOLE, logspace(1, 30)]),)),
    "atan2": Accuracy(mpmath.atan2, 0.51, 1.9, (FIRST, SECOND)),
    "atanh": Accuracy(mpmath.atanh, 0.51, 1.7, (UNIT,)),
    "cos": Accuracy(mpmath.cos, 0.51, 0.83, (ANGLES,)),
    "cosh": Accuracy(mpmath.cosh, 0.51, 1.5, (SPREAD,)),
    "erf": Accuracy(mpmath.erf, 5.8, 1.6, (WHOLE,)),
    "erfc": Accuracy(mpmath.erfc, 2.8, 7.0, (WHOLE,)),
    "erfinv": Accuracy(mpmath.erfinv, 0.51, 2.6, (UNIT[::5],)),
    "exp": Accuracy(mpmath.exp, 1.1, 1.0, (SPREAD,)),
    "expm1": Accuracy(mpmath.expm1, 1.7, 1.9, (SPREAD,)),
    "hypot": Accuracy(mpmath.hypot, 0.51, 1.2, (FIRST, SECOND)),
    "log": Accuracy(mpmath.log, 0.83, 0.83, (POSITIVE,)),
    "log10": Accuracy(mpmath.log10, 0.51, 0.51, (POSITIVE,)),
    "log1p": Accuracy(mpmath.log1p, 0.84, 0.84, (np.concatenate([UNIT, POSITIVE]),)),
    "log2": Accuracy(lambda x: mpmath.log(x, 2), 0.51, 0.51, (POSITIVE,)),
    "power": Accuracy(mpmath.power, 0.51, 0.78, (BASES, EXPONENTS)),
    "sigmoid": Accuracy(lambda x: 1 / (1 + mpmath.exp(-x)), 2.9, 2.8, (SPREAD,)),
    "sin": Accuracy(mpmath.sin, 0.51, 0.83, (ANGLES,)),
    "sinh": Accuracy(mpmath.sinh, 0.51, 2.4, (SPREAD,)),
    "tan": Accuracy(mpmath.tan, 0.51, 2.3, (ANGLES,)),
    "tanh": Accuracy(mpmath.tanh, 4.9, 2.6, (WHOLE,)),
}


@lru_cache(maxsize=1)
def accurate_kernels() -> Kernels:
    return Kernels([accurate(name, dtype) for name in ACCURACY for dtype in FLOATS])


def accurate(name: str, dtype: Any) -> Kernel:
    return Kernel(name, (dtype,) * len(ACCURACY[name].points), dtype, 8)


def errors(exact: Callable[..., Any], found: Any, inputs: Sequence[Any]) -> Any:
    """In units in the last place of the exact result."""
    with mpmath.workdps(50):
        truth = [exact(*(mpmath.mpf(float(each)) for each in point)) for point in zip(*inputs)]
        distance = [abs(mpmath.mpf(float(value)) - true) for value, true in zip(found, truth)]
        unit = np.spacing(np.abs(np.array([float(true) for true in truth])).astype(found.dtype))
        return np.array([float(each) for each in distance]) / unit.astype(float)


@pytest.mark.parametrize("name", sorted(ACCURACY))
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_error_in_the_last_place(name: str, dtype: Any) -> None:
    row = ACCURACY[name]
    kernel = accurate(name, dtype)
    inputs = [each.astype(dtype) for each in row.points]
    found = errors(row.exact, accurate_kernels().run(kernel, *inputs), inputs)
    assert found.max() <= getattr(row, dtype.name), (found.max(), [each[found.argmax()] for each in inputs])


# Where the error is largest among all of float32, and among millions of float64: far more than are compared above.
WORST: dict[str, tuple[Sequence[float], Sequence[Any]]] = {
    "acos": ([], [-0.526189308733076]),
    "acosh": ([], [1.0075307703280951, 1.0298943522564281]),
    "asin": ([], [0.5054330725712983]),
    "asinh": ([], [0.24688522774833999, 0.49401215212015914]),
    "atan": ([], [0.41837124614803384, -0.4252046710121424]),
    "atan2": ([], [(0.048195025344992655, 0.11582397137838948), (1.4682122040707035, 3.5080983088815936)]),
    "atanh": ([], [-0.23221591771772612]),
    "cos": ([], [2.33428902504337]),
    "cosh": ([], [3.8574542390439035]),
    "erf": ([3.7259896, 3.4900432], [0.47149275176073946, -0.4754342037087286]),
    "erfc": ([1.5511202], [19.184469523883887, 19.98056896532128]),
    "erfinv": ([], [0.5189630643124036]),
    "exp": ([5.198865], [159.7785395325335]),
    "expm1": ([0.3979156], [0.39796107311551143, 0.38214822900281814]),
    "log": ([1.413642], [1.41270684695634, 0.7057392543796327]),
    "log1p": ([0.41237232], [0.40882954468262583]),
    "power": ([], [(1.4046670486982349, 954.2608420875335)]),
    "sigmoid": ([-4.8471365], [-2.7108823582458683, -2.7239891608014224]),
    "sin": ([], [-0.7576755044768451]),
    "sinh": ([], [0.4089938779697144, 0.36611543941945623]),
    "tan": ([], [0.7620106166543019, -0.7621752556277435]),
    "tanh": ([5.9770703, 4.026658], [0.22142611550530988, -0.05931478723643801]),
}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_largest_errors_that_were_found(dtype: Any) -> None:
    for name, found in WORST.items():
        points = found[FLOATS.index(dtype)]
        if points:
            inputs = [np.array(each, dtype) for each in zip(*(np.atleast_1d(point) for point in points))]
            error = errors(ACCURACY[name].exact, accurate_kernels().run(accurate(name, dtype), *inputs), inputs)
            assert error.max() <= getattr(ACCURACY[name], dtype.name), (name, error)


# In float32 a million numbers are quickly compared with float64.
DENSE = {
    "exp": (np.exp, -87.0, 88.7),
    "expm1": (np.expm1, -17.0, 88.7),
    "log": (np.log, 1e-37, 1e38),
    "log1p": (np.log1p, 1e-7, 1e38),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), -87.0, 40.0),
    "tanh": (np.tanh, 1e-5, 12.0),
    "erf": (special.erf, 1e-5, 6.0),
    "erfc": (special.erfc, -6.0, 10.1),
}


@pytest.mark.parametrize("name", sorted(DENSE))
def test_a_million_float32_numbers(name: str) -> None:
    exact, low, high = DENSE[name]
    x = (np.linspace if low < 0 else np.geomspace)(low, high, 1_000_000).astype(np.float32)
    found = compiled(accurate(name, float32), x)
    truth = exact(x.astype(np.float64))
    error = np.abs(found - truth) / np.spacing(np.abs(truth).astype(np.float32))
    assert error.max() <= ACCURACY[name].float32
    assert error.mean() <= 1.0


def test_machines_without_fused_multiply_add_are_as_accurate() -> None:
    names = ("exp", "log", "power", "sin", "atan2", "remainder")
    kernels = [
        Kernel(name, (float64,) * (2 if name in ("power", "atan2", "remainder") else 1), float64, 3) for name in names
    ]
    code, plain = Kernels(kernels), Kernels(kernels, has_fma=False)
    x = np.concatenate([between(0.01, 90), logspace(1, 20, signed=False)])
    for kernel in kernels:
        inputs = (x, x[::-1].copy())[: len(kernel.inputs)]
        allowed = 0 if kernel.name == "remainder" else 4e-16
        np.testing.assert_allclose(plain.run(kernel, *inputs), code.run(kernel, *inputs), rtol=allowed)


@pytest.mark.skipif(not host().has_scaling, reason="it takes AVX-512")
def test_avx_512_has_the_same_bits_in_every_number_of_lanes() -> None:
    names = ("exp", "sigmoid", "tanh", "erf", "erfc")
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 3e38, -3e38, 1e-42])
    x = np.concatenate([SPREAD, between(-110, 90), between(-760, 720), between(-3, 3), ends])
    for dtype, lanes in ((float32, (0, 3, 8, 16, 17, 24, 31, 37, 32)), (float64, (0, 3, 9, 17, 31, 8, 16))):
        given = x.astype(dtype)
        kernels = {(name, count): Kernel(name, (dtype,), dtype, count) for name in names for count in lanes}
        fast, plain = Kernels([*kernels.values()]), Kernels([*kernels.values()], has_scaling=False)
        for (name, _), kernel in kernels.items():
            found = fast.run(kernel, given)
            np.testing.assert_array_equal(found, fast.run(kernels[name, lanes[-1]], given))
            expected = plain.run(kernel, given)
            np.testing.assert_array_max_ulp(found, expected, 0 if name == "exp" or dtype == float64 else 2)
            assert np.array_equal(np.signbit(found[x == 0]), np.signbit(expected[x == 0]))


def test_sums_of_exponentials_lose_no_more_than_the_larger_term() -> None:
    a, b = between(-30, 30), between(30, -25)
    for dtype in FLOATS:
        inputs = [a.astype(dtype), b.astype(dtype)]
        found = compiled(Kernel("logaddexp", (dtype, dtype), dtype, 8), *inputs)
        exact = np.logaddexp(*(each.astype(np.longdouble) for each in inputs))
        unit = np.spacing(np.maximum(*map(np.abs, inputs)))
        assert (np.abs(found - exact) / unit).max() <= 1.6


def test_angles_next_to_multiples_of_a_quarter_turn() -> None:
    turns = np.concatenate([np.arange(1, 200), 3 ** np.arange(5, 33)])
    x = np.array([float(int(n) * mpmath.pi / 2) for n in turns])
    x = np.concatenate([x, np.nextafter(x, np.inf)])
    for name in ("sin", "cos", "tan"):
        found = compiled(Kernel(name, (float64,), float64, 8), x)
        assert errors(getattr(mpmath, name), found, [x]).max() <= ACCURACY[name].float64


def test_the_hardest_angle_for_float64() -> None:
    """6381956970095103 * 2^797 is closer to a multiple of pi/2 than any other float64 (Muller 2016, table 11.1)."""
    x = np.array([6381956970095103 * 2.0**797])
    with mpmath.workdps(400):
        exact = float(mpmath.cos(mpmath.mpf(float(x[0]))))
    assert compiled(Kernel("cos", (float64,), float64, 3), x)[0] == pytest.approx(exact, rel=1e-12, abs=0)


def test_float32_sigmoid_and_tanh_reach_their_ends_and_never_pass_them() -> None:
    x = np.linspace(-110, 110, 20001).astype(np.float32)
    for name, low, high in (("tanh", -1, 1), ("sigmoid", 0, 1), ("erf", -1, 1)):
        found = compiled(Kernel(name, (float32,), float32, 8), x)
        assert found.min() == low and found.max() == high
        assert (np.diff(found) >= -3e-7).all()


@pytest.mark.parametrize("base", [0.9, 0.999, 2.0, 1e-3, 1.0 - 2.0**-52])
def test_powers_of_a_known_number(base: float) -> None:
    """β^t of an optimiser: the logarithm is worked out while the program is written."""
    exponents = np.concatenate([np.arange(-40.0, 2000.0), np.random.default_rng(0).uniform(-300, 300, 200)])
    found = cr.compile(lambda t: base**t)(exponents).numpy()
    with mpmath.workprec(200):
        exact = [mpmath.mpf(base) ** mpmath.mpf(float(t)) for t in exponents]
        errors = [
            abs(mpmath.mpf(float(mine)) - wanted) / mpmath.mpf(float(np.spacing(float(wanted))))
            for mine, wanted in zip(found, exact)
            if abs(wanted) > 1e-300
        ]
    assert max(errors) < 0.6


def test_special_cases_of_known_powers() -> None:
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, 1.0, 4.0])
    with np.errstate(all="ignore"):
        for base in (0.9, 2.0, 1.0):
            np.testing.assert_allclose(cr.compile(lambda t, b=base: b**t)(special).numpy(), np.float64(base) ** special)
        np.testing.assert_allclose(cr.compile(lambda x: x**-0.5)(special).numpy(), special**-0.5)
