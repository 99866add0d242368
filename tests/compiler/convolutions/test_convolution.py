"""Compiled convolutions and their gradients against direct sums in float64, for odd shapes; the bits of any threads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.convolutions.reach import FEWEST_SUMS, choose_tile, column_runs, height_of
from chainrule.compiler.convolutions.window import Window
from chainrule.compiler.planning.program import Call
from chainrule.trace import trace


class Case(NamedTuple):
    """Examples, channels, height, width; output channels, kernel; stride, padding, dilation, groups."""

    x: tuple[int, int, int, int]
    out: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


CASES = {
    "3x3, one vector of channels": Case((9, 16, 7, 8), 16, (3, 3), padding=(1, 1)),
    "3x3, asked for ahead": Case((16, 16, 12, 26), 16, (3, 3), padding=(1, 1)),
    "3x3, rows in chunks and blocks": Case((64, 16, 12, 12), 32, (3, 3), padding=(1, 1)),
    "3x3, many sums": Case((2, 512, 3, 3), 64, (3, 3), padding=(1, 1)),
    "3x3, two vectors": Case((5, 32, 6, 5), 32, (3, 3), padding=(1, 1)),
    "3x3, four vectors": Case((13, 64, 4, 4), 64, (3, 3), padding=(1, 1)),
    "three vectors": Case((6, 16, 5, 6), 48, (3, 3), padding=(1, 1)),
    "channels that fill no vector": Case((3, 7, 6, 9), 21, (3, 3), padding=(1, 1)),
    "one example": Case((1, 5, 9, 11), 12, (5, 5), stride=(2, 2), padding=(2, 2)),
    "one example, wide": Case((1, 16, 3, 40), 16, (3, 3), padding=(1, 1)),
    "seven vectors, the last one narrow": Case((3, 18, 5, 6), 100, (3, 3), padding=(1, 1)),
    "stem": Case((10, 3, 9, 9), 16, (3, 3), padding=(1, 1)),
    "stride 2": Case((6, 16, 8, 8), 32, (3, 3), stride=(2, 2), padding=(1, 1)),
    "stride 2, odd": Case((4, 16, 9, 7), 32, (3, 3), stride=(2, 2), padding=(1, 1)),
    "1x1": Case((7, 32, 4, 5), 16, (1, 1)),
    "1x1, a product": Case((3, 128, 3, 4), 64, (1, 1)),
    "1x1, stride 2": Case((7, 16, 8, 7), 32, (1, 1), stride=(2, 2)),
    "stride beyond the kernel": Case((3, 16, 9, 10), 16, (2, 2), stride=(3, 4)),
    "5x5": Case((6, 16, 8, 8), 16, (5, 5), padding=(2, 2)),
    "examples as lanes": Case((19, 3, 8, 9), 6, (5, 5), padding=(2, 2)),
    "examples as lanes, stride 2": Case((33, 6, 9, 8), 10, (3, 3), stride=(2, 2), padding=(1, 1)),
    "dilated": Case((4, 16, 11, 10), 16, (3, 3), padding=(2, 3), dilation=(2, 3)),
    "dilated, examples as lanes": Case((17, 3, 11, 10), 5, (3, 3), padding=(2, 3), dilation=(2, 3)),
    "dilated and strided": Case((3, 16, 11, 12), 16, (3, 3), (2, 2), (2, 2), (2, 2)),
    "kernel larger than the input": Case((3, 16, 2, 3), 16, (5, 5), padding=(2, 2)),
    "padding beyond the kernel": Case((3, 16, 3, 3), 16, (2, 2), padding=(3, 4)),
    "small, an example": Case((1, 8, 12, 12), 4, (5, 5), stride=(2, 2)),
    "small, rows in blocks": Case((1, 1, 20, 20), 12, (5, 5), stride=(2, 2)),
    "small, a few examples, odd": Case((3, 5, 9, 10), 8, (4, 3), stride=(1, 2), dilation=(2, 1)),
    "small, in groups": Case((2, 24, 12, 12), 12, (5, 5), stride=(2, 2), groups=3),
    "small, lanes that fill no vector": Case((2, 3, 6, 5), 7, (3, 2)),
    "small, more taps than registers": Case((2, 2, 9, 10), 16, (7, 6)),
    "small, patches in groups": Case((3, 20, 8, 9), 10, (3, 4), stride=(1, 2), dilation=(2, 1), groups=2),
    "small, patches, odd outputs": Case((1, 8, 9, 6), 5, (3, 3)),
    "small, turned, odd": Case((2, 7, 7, 9), 6, (4, 3), (2, 3), (2, 1)),
    "small, turned, dilated": Case((1, 6, 6, 5), 4, (3, 2), padding=(1, 2), dilation=(2, 2), groups=2),
    "small, turned, taps that nothing meets": Case((1, 3, 8, 8), 3, (2, 2), (3, 3)),
    "depthwise": Case((5, 32, 6, 7), 32, (3, 3), padding=(1, 1), groups=32),
    "depthwise, odd channels": Case((3, 21, 6, 7), 21, (3, 3), padding=(1, 1), groups=21),
    "depthwise, one example, stride 2": Case((1, 40, 9, 8), 40, (5, 5), (2, 2), (2, 2), groups=40),
    "depthwise, few channels": Case((18, 3, 6, 7), 3, (3, 3), padding=(1, 1), groups=3),
    "depthwise, more outputs": Case((4, 16, 6, 7), 32, (3, 3), padding=(1, 1), groups=16),
    "depthwise, dilated": Case((4, 16, 9, 9), 16, (3, 3), padding=(2, 2), dilation=(2, 2), groups=16),
    "two groups": Case((4, 32, 6, 7), 64, (3, 3), padding=(1, 1), groups=2),
    "many small groups": Case((17, 32, 5, 6), 16, (3, 3), padding=(1, 1), groups=8),
    "groups, few examples": Case((2, 12, 5, 6), 20, (3, 3), (2, 1), (1, 1), groups=4),
    "kernel of two sizes": Case((5, 16, 6, 7), 16, (1, 7), padding=(0, 3)),
}


class Arrays(NamedTuple):
    """What goes in, and the cotangent of the output."""

    x: Any
    weight: Any
    cotangent: Any


def arrays_of(case: Case, dtype: str) -> Arrays:
    random = np.random.default_rng(0)
    reach = [d * (k - 1) + 1 for k, d in zip(case.kernel, case.dilation)]
    sizes = [
        (size + 2 * pad - span) // stride + 1
        for size, pad, span, stride in zip(case.x[2:], case.padding, reach, case.stride)
    ]
    shapes = (case.x, (case.out, case.x[1] // case.groups, *case.kernel), (case.x[0], case.out, *sizes))
    return Arrays(*(random.standard_normal(shape).astype(dtype) for shape in shapes))


def expected(case: Case, given: Arrays) -> tuple[Any, Any, Any]:
    """Output and both gradients, group by group."""
    many = case.groups
    xs, cotangents = np.split(given.x, many, 1), np.split(given.cotangent, many, 1)
    parts = [one_group(case, Arrays(*each)) for each in zip(xs, np.split(given.weight, many), cotangents)]
    outputs, dx, dw = zip(*parts)
    return np.concatenate(outputs, 1), np.concatenate(dx, 1), np.concatenate(dw)


def one_group(case: Case, given: Arrays) -> tuple[Any, Any, Any]:
    """Output and both gradients, tap by tap, in float64."""
    x, weight, cotangent = (array.astype(np.float64) for array in given)
    (above, left), (down, across) = case.padding, case.stride
    padded = np.pad(x, ((0, 0), (0, 0), (above, above), (left, left)))
    height, width = cotangent.shape[2:]
    output, dx, dw = np.zeros_like(cotangent), np.zeros_like(padded), np.zeros_like(weight)
    for k in range(case.kernel[0]):
        for l in range(case.kernel[1]):
            rows = slice(k * case.dilation[0], k * case.dilation[0] + down * (height - 1) + 1, down)
            columns = slice(l * case.dilation[1], l * case.dilation[1] + across * (width - 1) + 1, across)
            window = padded[:, :, rows, columns]
            output += np.einsum("ncij,oc->noij", window, weight[:, :, k, l])
            dx[:, :, rows, columns] += np.einsum("noij,oc->ncij", cotangent, weight[:, :, k, l])
            dw[:, :, k, l] = np.einsum("noij,ncij->oc", cotangent, window)
    inside = dx[:, :, above : above + x.shape[2], left : left + x.shape[3]]
    return output, inside, dw


def results(case: Case, given: Arrays, threads: int = 1) -> list[Any]:
    """Output and both gradients by the compiled program."""

    def convolved(x: Any, weight: Any) -> Any:
        return nn.functional.conv2d(x, weight, None, case.stride, case.padding, case.dilation, case.groups)

    def everything(x: Any, weight: Any, cotangent: Any) -> Any:
        output, pullback = cr.vjp(convolved, x, weight)
        return output, *pullback(cotangent)

    return [each.numpy() for each in cr.compile(everything, threads=threads)(*map(cr.tensor, given))]


@pytest.mark.parametrize("name", CASES)
def test_a_convolution_and_its_gradients_are_the_direct_sums(name: str) -> None:
    case = CASES[name]
    given = arrays_of(case, "float32")
    for got, want in zip(results(case, given), expected(case, given)):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5 * np.abs(want).max())


IN_DOUBLE = ["3x3, one vector of channels", "channels that fill no vector", "stride 2, odd", "small, an example"]
IN_DOUBLE += ["small, patches in groups", "small, turned, odd"]


@pytest.mark.parametrize("name", IN_DOUBLE)
def test_float64(name: str) -> None:
    case = CASES[name]
    given = arrays_of(case, "float64")
    for got, want in zip(results(case, given), expected(case, given)):
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-13 * np.abs(want).max())


BITS = [
    "3x3, asked for ahead",
    "3x3, rows in chunks and blocks",
    "3x3, many sums",
    "3x3, one vector of channels",
    "3x3, four vectors",
    "depthwise",
    "examples as lanes",
    "small, patches in groups",
]


@pytest.mark.parametrize("name", BITS)
def test_the_bits_do_not_depend_on_the_number_of_threads(name: str) -> None:
    case = CASES[name]
    given = arrays_of(case, "float32")
    alone = results(case, given)
    for threads in (2, 3, 8):
        for one, other in zip(alone, results(case, given, threads)):
            np.testing.assert_array_equal(one, other)


def test_nothing_outside_the_input_is_multiplied() -> None:
    """An infinite weight at a corner of the kernel meets padding at the edge: zero times infinity is never made."""
    given = arrays_of(CASES["3x3, one vector of channels"], "float32")
    given.weight[:, :, 0, 0] = np.inf
    output = results(CASES["3x3, one vector of channels"], given)[0]
    assert np.isfinite(output[:, :, 0]).all()
    assert np.isfinite(output[:, :, :, 0]).all()
    assert not np.isfinite(output[:, :, 1:, 1:]).any()


@pytest.mark.parametrize("name", ["small, turned, odd", "small, turned, taps that nothing meets"])
def test_an_infinite_weight_reaches_the_places_that_meet_it(name: str) -> None:
    case, given = CASES[name], arrays_of(CASES[name], "float32")
    given.weight[:, :, 0, 0], given.weight[:, :, -1, -1] = np.inf, np.nan
    with np.errstate(invalid="ignore"):
        wanted = expected(case, given)[1]
    assert np.isfinite(wanted).any()
    np.testing.assert_array_equal(np.isfinite(results(case, given)[1]), np.isfinite(wanted))


@pytest.mark.parametrize(("name", "wanted"), [("3x3, asked for ahead", True), ("3x3, one vector of channels", False)])
def test_lines_are_asked_for_ahead_where_they_are_far(name: str, wanted: bool) -> None:
    case, given = CASES[name], arrays_of(CASES[name], "float32")
    graph = trace(lambda x, weight: nn.functional.conv2d(x, weight, None, case.stride, case.padding))
    text = compile_graph(graph(given.x, given.weight)).program.module.text()
    reading, writing = (text.count(f"i32 {write}, i32 3, i32 1)") for write in (0, 1))
    assert (reading > 0, writing > 0) == (wanted, wanted)


@pytest.mark.parametrize("registers", [16, 32])
def test_no_sum_waits_for_itself_at_the_end_of_a_row(registers: int) -> None:
    for width in range(3, 40):
        window = Window(width, 3, width, 1, 1, 1)
        tile = choose_tile(registers, window, 64, 1, False)
        for run in column_runs(window, tile.places):
            sums = run.reach.places * height_of(tile, run.reach, 64, False) * tile.vectors
            assert FEWEST_SUMS <= sums < registers, (width, tile, run)


def test_the_gradient_of_a_padded_image_is_computed_without_its_edges() -> None:
    def loss(x: Any, weight: Any) -> Any:
        padded = nn.functional.pad(x, (2, 1, 1, 2), value=-1.0)
        return cr.sum(nn.functional.conv2d(padded, weight, stride=2) ** 2)

    step = cr.grad(loss)
    given = arrays_of(Case((2, 3, 7, 6), 4, (3, 3), (2, 2)), "float32")
    program = compile_graph(trace(step)(given.x, given.weight))
    kernels = [each.label for each in program.program.instructions if isinstance(each, Call)]
    assert any("2x4x4x4 to 2x3x7x6" in label for label in kernels), kernels
    eager = step(cr.tensor(given.x), cr.tensor(given.weight))
    np.testing.assert_allclose(run_once(program, [given.x, given.weight], 1)[0], eager.numpy(), rtol=1e-4, atol=1e-5)
