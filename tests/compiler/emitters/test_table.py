"""Every lowering against the NumPy meaning of its primitive: samples, large cases, odd strides, ranges of tasks."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import chainrule as cr  # noqa: F401  (fills the registry)
from chainrule.compiler.emitters.table import LOWERINGS
from chainrule.compiler.machine.runtime import Code, host
from chainrule.compiler.text.array import Array
from chainrule.compiler.text.emit import Function, Module, Reg
from chainrule.ir.primitive import all_primitives
from chainrule.ir.types import ArrayType, NumpyArray, Shape

PRIMITIVES = all_primitives()


def numpy_meaning(name: str) -> Callable[..., Any]:
    return np.array if name == "copy" else PRIMITIVES[name].numpy


@dataclass
class Case:
    """One kernel: a primitive on inputs of known layout. layout: how outputs lie in memory."""

    name: str
    inputs: list[NumpyArray]
    params: dict[str, Any] = field(default_factory=dict)
    layout: str | Shape = "dense"

    def __post_init__(self) -> None:
        with np.errstate(all="ignore"):
            result = numpy_meaning(self.name)(*self.inputs, **self.params)
        listed = result if isinstance(result, tuple) else (result,)
        self.expected = [np.array(each) for each in listed]
        self.types = [type_of(each) for each in self.inputs], [type_of(each) for each in self.expected]
        lowering = LOWERINGS[self.name]
        self.tasks = lowering.tasks(*self.types, self.params)
        self.scratch = lowering.scratch(*self.types, self.params)

    def outputs(self) -> list[NumpyArray]:
        """Memory full of rubbish in the layout wanted."""
        return [laid_out(np.full(each.shape, 77).astype(each.dtype), self.layout) for each in self.expected]


def type_of(array: NumpyArray) -> ArrayType:
    return ArrayType(array.shape, array.dtype)


def laid_out(array: NumpyArray, layout: str | Shape) -> NumpyArray:
    """The same elements in another layout: column-major, or backwards with gaps."""
    if layout == "columns":
        return np.array(array, order="F")
    if layout == "gaps" and array.ndim:
        block = np.full(tuple(2 * size for size in array.shape), 55).astype(array.dtype)
        view = block[(slice(None, None, -2),) * array.ndim]
        view[...] = array
        return view
    if isinstance(layout, tuple):
        return in_order(array, layout)
    return np.array(array, order="C")


def strides_of(array: NumpyArray) -> Shape:
    return tuple(step // array.itemsize for step in array.strides)


def write(module: Module, name: str, case: Case) -> None:
    lowering = LOWERINGS[case.name]
    arrays = [*case.inputs, *case.outputs()]
    pointers = [Reg("ptr", f"%a{place}") for place in range(len(arrays))]
    begin, end = Reg("i64", "%begin"), Reg("i64", "%end")
    scratch, errors = Reg("ptr", "%scratch"), Reg("ptr", "%errors")
    f = Function(module, name, [*pointers, scratch, errors, begin, end], host().attributes)
    views = [Array(at, each.dtype, each.shape, strides_of(each)) for at, each in zip(pointers, arrays)]
    count = len(case.inputs)
    lowering.emit(f, views[:count], views[count:], case.params, begin, end, scratch, errors)
    f.finish()


def build(cases: list[Case]) -> Code:
    module = Module(host().has_fma)
    for place, case in enumerate(cases):
        if case.tasks:
            write(module, f"k{place}", case)
    return Code(module.text())


def run(address: int, case: Case, parts: int, inputs: list[NumpyArray] | None = None) -> tuple[list[NumpyArray], int]:
    """The outputs and the error cell after all tasks, done in `parts` ranges, the last first."""
    outputs, errors = case.outputs(), ctypes.c_int64(0)
    scratch = np.full(case.scratch + 64, 0xA5, np.uint8)
    arrays = [*(inputs or case.inputs), *outputs]
    if not case.tasks:
        return outputs, 0
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(arrays) + 2), ctypes.c_int64, ctypes.c_int64)(address)
    pointers = [each.ctypes.data for each in arrays]
    bounds = [case.tasks * part // parts for part in range(parts + 1)]
    for low, high in reversed(list(itertools.pairwise(bounds))):
        if low < high:
            function(*pointers, scratch.ctypes.data, ctypes.addressof(errors), low, high)
    assert (scratch[case.scratch :] == 0xA5).all(), "wrote behind the scratch memory"
    return outputs, errors.value


SUMS = {"sum", "matmul", "convolution", "convolution_input_gradient", "convolution_weight_gradient"}


def check(code: Code, place: int, case: Case) -> None:
    address = code.address(f"k{place}") if case.tasks else 0
    assert bool(case.tasks) == any(each.size for each in case.expected)
    first: list[NumpyArray] = []
    for parts in (1, 2, 3):
        outputs, error = run(address, case, parts)
        assert error == 0
        for output, expected in zip(outputs, case.expected):
            compare(case, output, expected)
        first = first or outputs
        for output, before in zip(outputs, first):
            assert output.tobytes() == before.tobytes(), "the division into tasks changed bits"


def compare(case: Case, output: NumpyArray, expected: NumpyArray) -> None:
    told = f"{case.name} {case.types} {case.params} {case.layout} {[strides_of(each) for each in case.inputs]}"
    if case.name in SUMS and expected.dtype.kind == "f":
        tolerance = 1e-5 if expected.itemsize == 4 else 1e-12
        np.testing.assert_allclose(output, expected, rtol=tolerance, atol=tolerance, err_msg=told)
    else:
        np.testing.assert_array_equal(output, expected, err_msg=told)


# -- the cases


def sample_cases(name: str) -> Iterator[Case]:
    """The primitive's own samples as they lie in memory, and in other layouts."""
    samples = list(PRIMITIVES[name].samples()) if name in PRIMITIVES else []
    for place, sample in enumerate(samples):
        inputs, params = [np.asarray(each) for each in sample.inputs], dict(sample.params)
        yield Case(name, inputs, params)
        if place % 3 == 0:
            yield Case(name, [laid_out(each, "columns") for each in inputs], params, "gaps")
        if place % 3 == 1:
            yield Case(name, [laid_out(each, "gaps") for each in inputs], params, "columns")


def numbers(shape: Shape, dtype: Any = np.float32, seed: int = 0) -> NumpyArray:
    """Integers that float32 holds exactly, with repetitions."""
    generator = np.random.default_rng([seed, *shape])
    return np.asarray(generator.integers(0 if np.dtype(dtype).kind in "ub" else -40, 60, shape)).astype(dtype)


def copy_cases() -> Iterator[Case]:
    for dtype in (np.float32, np.float64, np.int8, np.bool_, np.uint16):
        yield Case("copy", [numbers((70, 90), dtype).T])
        yield Case("copy", [numbers((19, 33), dtype)[::-1, ::-1].T], {}, "columns")
    yield Case("copy", [numbers((5, 11, 13, 17)).transpose(0, 2, 3, 1)])
    yield Case("copy", [numbers((5, 11, 13, 17)).transpose(0, 3, 1, 2)])
    yield Case("copy", [numbers((40000,))[::2]])
    yield Case("copy", [numbers((12, 9001)).T])
    yield Case("copy", [numbers((9001, 12)).T])
    yield Case("copy", [np.broadcast_to(numbers((300, 1)), (300, 301))])
    yield Case("permute_dims", [numbers((40, 50, 18))], {"axes": (1, 0, 2)})
    yield Case("permute_dims", [numbers((40, 50, 18))], {"axes": (2, 1, 0)})
    yield Case("broadcast_to", [numbers((1, 77))], {"shape": (130, 3, 77)})
    yield Case("reshape", [numbers((90, 200)).T], {"shape": (50, 360)})
    yield Case("reshape", [numbers((90, 200)).T], {"shape": (50, 360)}, "columns")
    yield Case("flip", [numbers((90, 201))], {"axes": (0, 1)})
    yield Case("slice", [numbers((400, 301))], {"starts": (3, 1), "stops": (399, 300), "steps": (2, 3)})
    parts = [numbers((40, 30, 31)), numbers((40, 7, 31), seed=1), numbers((40, 0, 31)), numbers((40, 20, 31), seed=2)]
    yield Case("concat", parts, {"axis": 1})
    yield Case("concat", [part.transpose(0, 2, 1) for part in parts], {"axis": 2})
    yield Case("concat", [numbers((9000,)), numbers((5000,), seed=1)], {"axis": 0})
    yield Case("pad", [numbers((6, 30, 31))], {"low": (1, 2, 0), "high": (0, 3, 5), "interior": (0, 1, 2)})
    yield Case("pad", [numbers((6, 30, 31)).T], {"low": (1, 2, 0), "high": (0, 3, 5), "interior": (0, 0, 0)})
    yield Case("pad", [numbers((10001,))], {"low": (700,), "high": (7000,), "interior": (0,)})
    yield Case(
        "custom_gradient", [numbers((9000,)), numbers((99, 98)).T, numbers((3,))], {"count": 2, "backward": None}
    )


def indices(shape: Shape, rows: int, dtype: Any = np.int64) -> NumpyArray:
    return np.random.default_rng(rows).integers(0, rows, shape).astype(dtype)


def gather_cases() -> Iterator[Case]:
    yield Case("gather", [numbers((96, 40)), indices((20, 33), 96)])
    yield Case("gather", [numbers((40, 96)).T, indices((33, 20), 96, np.uint8).T], {}, "columns")
    yield Case("gather", [numbers((30000,), np.float64), indices((30000,), 30000, np.int32)])
    yield Case("gather", [numbers((5, 70, 80), np.bool_), indices((9,), 5, np.uint64)])
    for dtype in (np.float32, np.float64, np.int16):
        updates = numbers((20, 33, 75), dtype, 1)
        yield Case("scatter_add", [numbers((96, 75), dtype), indices((20, 33), 96), updates])
    yield Case("scatter_add", [numbers((3, 4, 50)).T, indices((33,), 50), numbers((33, 3, 4)).transpose(0, 2, 1)])
    flat = np.broadcast_to(np.float32(0), (70001,))
    fractions = np.random.default_rng(0).random(5003, np.float32)
    yield Case("scatter_add", [flat, indices((5003,), 70001), fractions])
    yield Case("scatter_add", [flat, indices((2, 5003), 70001, np.int32)[:, ::-1], np.stack([fractions, fractions])])
    yield Case("scatter_add", [flat, np.sort(indices((5003,), 70001)), fractions])
    yield Case("scatter_add", [numbers((10,)), indices((5003,), 10, np.uint16), fractions])
    yield Case("scatter_add", [numbers((10, 1)), indices((5003,), 10, np.uint16), fractions[:, None]])


def along_cases() -> Iterator[Case]:
    table = numbers((101, 203))
    with_nan = np.where(numbers((101, 203), seed=3) > 57, np.nan, table).astype(np.float32)
    ties = numbers((101, 203)) // 40
    for array in (table, with_nan, ties, ties.astype(np.float64), ties.astype(np.uint8), ties.astype(np.int64)):
        for axis in (0, 1):
            yield Case("argmax", [array], {"axis": axis})
            yield Case("argmin", [array], {"axis": axis})
            yield Case("cumulative_sum", [array], {"axis": axis})
    cube = numbers((7, 20, 131))
    for axis in (0, 1, 2):
        yield Case("argmax", [cube], {"axis": axis})
        yield Case("argmin", [cube.transpose(1, 2, 0)], {"axis": axis})
        yield Case("cumulative_sum", [cube.transpose(2, 0, 1)], {"axis": axis}, "columns")
    yield Case("argmax", [np.full((3, 1000), np.nan, np.float32)], {"axis": 1})
    yield Case("argmax", [np.full((3, 1000), -np.inf, np.float32)], {"axis": 1})


def window_params(*settings: tuple[int, int, tuple[int, int], int]) -> dict[str, Any]:
    """(window, stride, padding, dilation) for each axis."""
    names = ("window", "stride", "padding", "dilation")
    return {name: tuple(each[place] for each in settings) for place, name in enumerate(names)}


WINDOWS = (
    window_params((2, 2, (0, 0), 1), (2, 2, (0, 0), 1)),
    window_params((3, 2, (1, 1), 1), (3, 1, (1, 1), 1)),
    window_params((3, 1, (1, 0), 2), (3, 1, (2, 1), 2)),
    window_params((2, 3, (2, 3), 1), (3, 2, (3, 3), 1)),
    window_params((2, 1, (0, 1), 1), (3, 3, (1, 0), 2)),
    window_params((5, 1, (2, 2), 1), (5, 1, (2, 2), 1)),
    window_params((3, 2, (1, 0), 2), (4, 2, (2, 2), 3)),
)
ORDERS = ((0, 1, 2, 3), (0, 2, 3, 1), (1, 2, 3, 0), (3, 2, 1, 0))
"""How the axes (batch, channels, height, width) lie in memory, the last with stride 1."""


def in_order(array: NumpyArray, order: Shape) -> NumpyArray:
    """The same elements with the axes in memory in another order."""
    return np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order))


def window_cases() -> Iterator[Case]:
    generator = np.random.default_rng(5)
    for place, params in enumerate(WINDOWS):
        for order in ORDERS:
            shape = (5, 10, 13, 21)
            floats = generator.normal(size=shape).astype(np.float32 if place % 2 else np.float64)
            x = in_order(floats, order)
            with_nan = in_order(np.where(generator.random(shape) < 0.1, np.nan, np.round(floats)), order)
            yield Case("window_max", [x], params, order)
            yield Case("window_max", [with_nan], params, order)
            lowest = in_order(np.where(generator.random(shape) < 0.5, np.nan, -np.inf), order)
            yield Case("window_max", [np.where(np.isnan(lowest), -np.inf, lowest) if place % 2 else lowest], params)
            yield Case("window_sum", [x], params, order)
            y = PRIMITIVES["window_sum"].numpy(floats, **params)
            yield Case("window_spread", [in_order(y, order)], {**params, "sizes": shape[2:]}, order)
    params = window_params((2, 1, (4, 0), 1), (2, 1, (0, 3), 1))
    yield Case("window_max", [numbers((1, 2, 5, 30))], params)


def sort_cases() -> Iterator[Case]:
    table = numbers((130, 203))
    with_nan = np.where(table > 50, np.nan, table * 0.0).astype(np.float32)
    for array in (table, with_nan, table.astype(np.float64), table.astype(np.int64), table > 0):
        for axis in (0, 1):
            yield Case("argsort", [array], {"axis": axis}, "gaps" if axis else "dense")
    yield Case("argsort", [np.random.default_rng(0).integers(0, 2**32, 5000).astype(np.uint32)], {"axis": 0})


def reduce_cases() -> Iterator[Case]:
    for name in ("sum", "max", "min", "all", "any"):
        truth = name in ("all", "any")
        for dtype in (np.bool_,) if truth else (np.float32, np.float64, np.int8, np.uint64, np.int32):
            cube = numbers((11, 60, 70), dtype) if not truth else numbers((11, 60, 70)) > (-40 if name == "all" else 58)
            for axes in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
                yield Case(name, [cube], {"axes": axes})
                yield Case(name, [cube.transpose(2, 0, 1)[::-1]], {"axes": axes}, "columns")
    holes = np.where(numbers((50, 400)) > 57, np.nan, numbers((50, 400))).astype(np.float32)
    for axes in ((0,), (1,)):
        yield Case("max", [holes], {"axes": axes})
        yield Case("min", [holes], {"axes": axes})
    yield Case("max", [numbers((60000, 2), np.int16)], {"axes": (1,)})


def random_cases() -> Iterator[Case]:
    state = np.array([2**32 - 1, 2**31, 7, 2**32 - 2], np.uint32)
    for shape in ((6007,), (64, 100), (3, 5, 7)):
        yield Case("random_bits", [state], {"shape": shape})
        yield Case("random_bits", [state], {"shape": shape}, "columns")


def linear_cases() -> Iterator[Case]:
    for dtype in (np.int32, np.uint8, np.int64, np.float32):
        yield Case("matmul", [numbers((3, 37, 50), dtype), numbers((3, 50, 41), dtype, 1)])
        yield Case("matmul", [numbers((50, 37), dtype).T, numbers((41, 50), dtype, 1).T])
    for stride, padding, dilation, groups in (
        ((1, 1), ((1, 1), (1, 1)), (1, 1), 1),
        ((2, 1), ((0, 2), (1, 0)), (1, 2), 2),
        ((2, 3), ((3, 2), (4, 4)), (3, 2), 1),
    ):
        params = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        x, weight = numbers((3, 4, 12, 13)) / 8, numbers((6, 4 // groups, 3, 2), seed=1) / 8
        y = PRIMITIVES["convolution"].numpy(x, weight, **params)
        yield Case("convolution", [x, weight], params)
        yield Case("convolution_input_gradient", [y, weight], {**params, "sizes": (12, 13)})
        yield Case("convolution_weight_gradient", [x, y], {**params, "kernel": (3, 2)})


LARGE: dict[str, list[Case]] = {}


def large_cases() -> Iterator[Case]:
    yield from copy_cases()
    yield from gather_cases()
    yield from along_cases()
    yield from window_cases()
    yield from sort_cases()
    yield from reduce_cases()
    yield from random_cases()
    yield from linear_cases()


for large in large_cases():
    LARGE.setdefault(large.name, []).append(large)


ALIKE = {"window_pick", "window_scatter"}  # their arrays lie alike, which the compiler sees to: tested through it


@pytest.mark.parametrize("name", sorted(set(LOWERINGS) - ALIKE))
def test_equals_numpy(name: str) -> None:
    cases = [*sample_cases(name), *LARGE.get(name, [])]
    assert cases
    code = build(cases)
    for place, case in enumerate(cases):
        check(code, place, case)
    assert max(case.tasks for case in cases) >= 3, "no case has several tasks"


@pytest.mark.parametrize("name", ["gather", "scatter_add"])
@pytest.mark.parametrize("wrong", [-1, 5, 2**40])
@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 3, 40)])
def test_an_index_out_of_range_is_reported_and_reads_nothing(name: str, wrong: int, shape: Shape) -> None:
    places = indices((4, 6), 5)
    updates = [numbers((4, 6, *shape[1:]))] if name == "scatter_add" else []
    case = Case(name, [numbers(shape), places, *updates])
    code = build([case])
    bad = places.copy()
    bad[2, 3] = wrong
    _, error = run(code.address("k0"), case, 1, [case.inputs[0], bad, *updates])
    assert error == 1 + 2 * 6 + 3


def test_indices_into_nothing_are_reported() -> None:
    case = Case("gather", [numbers((1, 3)), np.zeros((2,), np.int64)])
    empty = Case.__new__(Case)
    empty.__dict__.update(case.__dict__, inputs=[numbers((0, 3)), case.inputs[1]])
    code = build([empty])
    outputs, error = run(code.address("k0"), empty, 1)
    assert error in (1, 2)
    assert (outputs[0] == 77).all()


def fuzz_cases(seed: int) -> Iterator[Case]:
    """Copies, pads, concatenations and windows of random shapes in random layouts."""
    generator = np.random.default_rng(seed)
    draw = lambda low, high, count=1: [int(each) for each in generator.integers(low, high, count)]  # noqa: E731
    for _ in range(25):
        ndim = draw(1, 5)[0]
        shape = tuple(draw(1, (20000, 160, 40, 14)[ndim - 1], ndim))
        axes = tuple(map(int, generator.permutation(ndim)))
        layout: str | Shape = ("dense", "columns", "gaps")[draw(0, 3)[0]]
        x = laid_out(numbers(shape), layout).transpose(axes)
        yield Case("copy", [x], {}, layout)
        widths = {name: tuple(draw(0, 4, ndim)) for name in ("low", "high", "interior")}
        yield Case("pad", [x], widths, layout)
        yield Case("concat", [x, x[::-1], x[: draw(1, 9)[0]]], {"axis": 0}, layout)
        yield Case("flip", [x], {"axes": axes[: draw(0, ndim + 1)[0]]}, layout)
        yield Case("argmax", [x], {"axis": axes[0]}, layout)
        yield Case("cumulative_sum", [x], {"axis": axes[0]}, layout)
        yield Case("sum", [x], {"axes": axes[: draw(0, ndim + 1)[0]]}, layout)
    for _ in range(25):
        settings = [(*draw(1, 5), *draw(1, 4), tuple(draw(0, 4, 2)), *draw(1, 4)) for _ in range(2)]
        params = window_params(*settings)  # type: ignore[arg-type]
        order = ORDERS[draw(0, 4)[0]]
        shape = (*draw(1, 20, 2), *draw(10, 30, 2))
        x = generator.normal(size=shape).astype(np.float32)
        yield Case("window_max", [in_order(x, order)], params, order)
        yield Case("window_sum", [in_order(x, order)], params, order)
        y = PRIMITIVES["window_sum"].numpy(x, **params)
        yield Case("window_spread", [in_order(y, order)], {**params, "sizes": shape[2:]}, order)


@pytest.mark.parametrize("seed", range(2))
def test_random_shapes_and_layouts(seed: int) -> None:
    cases = list(fuzz_cases(seed))
    code = build(cases)
    for place, case in enumerate(cases):
        check(code, place, case)
