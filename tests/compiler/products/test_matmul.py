"""Matrix products: right for every shape and layout, on this processor and on lesser ones, the same bits throughout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.machine.runtime import host
from chainrule.compiler.products.pack import lines_asked, packs_ahead
from chainrule.compiler.products.product import HEIGHTS, Product, equal_parts, make_plan
from chainrule.compiler.text.target import Target

sys.path.insert(0, str(Path(__file__).parent))

import against_numpy

TARGETS = {
    "avx2": ("haswell", "+avx2,+fma,+bmi,+bmi2", 32, True),
    "plain": ("x86-64", "", 16, False),
}


@pytest.mark.parametrize(("dtype", "step"), [("float32", 3), ("float64", 7)])
def test_against_numpy_at_any_number_of_threads(dtype: str, step: int) -> None:
    assert not against_numpy.faults(dtype, (1, 2, 3, 8), step)


@pytest.mark.parametrize("target", TARGETS)
def test_on_lesser_processors(target: str) -> None:
    if not host().triple.startswith("x86_64") or (target == "avx2" and host().vector_bytes < 32):
        pytest.skip(f"this processor does not run code for {target}")
    cpu, features, width, fma = TARGETS[target]
    command = [sys.executable, against_numpy.__file__, cpu, features, str(width), str(fma)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    assert process.stdout.strip() == ""


@pytest.mark.parametrize(("m", "n", "k"), [(30, 10, 20), (5, 33, 400), (40, 130, 70)])
def test_infinities_and_nan_stay_where_they_are(m: int, n: int, k: int) -> None:
    random = np.random.default_rng(1)
    first, second = random.standard_normal((m, k)), random.standard_normal((k, n))
    first[1, 2], first[-1, :] = np.inf, 0.0
    second[3, -1], second[4, 0] = np.nan, -np.inf
    with np.errstate(invalid="ignore"):
        expected = first @ second
    found = cr.compile(lambda a, b: a @ b)(first, second).numpy()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))


@pytest.mark.parametrize("turned", [False, True])
def test_weights_that_a_loop_does_not_change_are_packed_before_it(turned: bool) -> None:
    random = np.random.default_rng(2)
    weight, start = random.standard_normal((96, 96)) / 10, random.standard_normal((20, 96))

    def rounds(weight: Any, start: Any) -> Any:
        used = weight.T if turned else weight
        return cr.scan(lambda carry, _: (cr.tanh(carry @ used), carry), start, length=5)[0]

    expected = start
    for _ in range(5):
        expected = np.tanh(expected @ (weight.T if turned else weight))
    np.testing.assert_allclose(cr.compile(rounds)(weight, start).numpy(), expected, rtol=1e-12, atol=1e-13)


def test_a_weight_that_was_updated_in_place_is_packed_anew() -> None:
    random = np.random.default_rng(3)
    weight, x = cr.nn.Parameter(random.standard_normal((300, 300))), random.standard_normal((64, 300))
    before = weight.numpy().copy()

    @cr.compile
    def step(x: Any) -> Any:
        first = x @ weight
        weight.data = weight.data * 0.5
        return first, x @ weight

    first, second = step(x)
    np.testing.assert_allclose(first.numpy(), x @ before, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(second.numpy(), x @ (0.5 * before), rtol=1e-12, atol=1e-11)


def test_a_scaled_product_lies_as_the_parameter_that_it_updates() -> None:
    weight = cr.nn.Parameter(np.zeros((48, 64), np.float32))

    @cr.compile
    def step(x: Any, y: Any) -> None:
        weight.data = weight - (0.5 * (x.mT @ y)).mT

    x, y = np.random.default_rng(0).standard_normal((2, 32, 64)).astype(np.float32)
    y = y[:, :48].copy()
    step(x, y)
    assert np.allclose(weight.numpy(), -0.5 * (y.T @ x), atol=1e-5)
    assert step.profile(x, y, runs=1)[0].label == "matmul 48x64x32 swapped"


@pytest.mark.parametrize("registers", HEIGHTS)
def test_tiles_fit_the_registers(registers: int) -> None:
    for wide, tall in HEIGHTS[registers].items():
        assert tall * wide + wide + 1 <= registers


@pytest.mark.parametrize(
    ("m", "n", "k", "packed"),
    [(64, 784, 512, ""), (128, 784, 512, ""), (256, 784, 512, "keep"), (64, 700, 700, "keep"), (64, 1024, 512, "keep")],
)
def test_few_rows_read_b_as_it_lies_unless_its_rows_meet(m: int, n: int, k: int, packed: str) -> None:
    target = Target("x86_64", "", "", 64, True)
    assert make_plan(Product("float", m, n, k, k, 1, n, 1, n), target).pack_b == packed


def test_packed_rows_are_packed_for_few_blocks_of_columns() -> None:
    target = Target("x86_64", "", "", 64, True)
    for size, blocks in ((512, 1), (1024, 1), (2048, 2)):
        plan = make_plan(Product("float", size, size, size, 1, size, size, 1, size), target)
        assert plan.pack_a
        assert plan.column_blocks == blocks


def test_plans_cover_every_row_once() -> None:
    target = Target("x86_64", "", "", 64, True)
    for m in (1, 13, 14, 15, 29, 64, 2048):
        plan = make_plan(Product("float", m, 512, 784, 784, 1, 512, 1, 512), target)
        parts = equal_parts(m, plan.panels)
        assert sum(size * many for size, many in parts) == m
        assert max(size for size, _ in parts) <= plan.rows
        assert plan.row_tasks <= plan.panels


@pytest.mark.parametrize(("m", "n", "k"), [(640, 160, 1000), (1031, 200, 701)])
def test_large_turned_operands_are_packed_while_others_are_multiplied(m: int, n: int, k: int) -> None:
    target = Target("x86_64-unknown-linux-gnu", "cascadelake", "", 64, True)
    product = Product("float", m, n, k, 1, m, n, 1, n)
    few = Product("float", 64, n, k, 1, 64, n, 1, n)
    assert [packs_ahead(each, make_plan(each, target)) for each in (product, few)] == [True, False]
    random = np.random.default_rng(0)
    a, b = (random.integers(-8, 9, (k, columns)).astype(np.float32) for columns in (m, n))
    for threads in (1, 2):
        found = cr.compile(lambda a, b: a.mT @ b, threads=threads)(a, b)
        np.testing.assert_array_equal(found.numpy(), a.T @ b)


def test_more_panels_at_once_of_an_operand_that_comes_from_memory() -> None:
    target = Target("x86_64-unknown-linux-gnu", "cascadelake", "", 64, True)
    plans = [
        make_plan(Product("float", m, n, k, 1, m, n, 1, n), target)
        for m, n, k in ((512, 512, 512), (1024, 96, 2048), (256, 256, 256), (1024, 1024, 1024))
    ]
    assert [plan.at_once for plan in plans] == [16, 16, 8, 8]
    assert plans[0].sum_length == plans[1].sum_length == 128
    random = np.random.default_rng(0)
    a, b = (random.integers(-8, 9, (1111, columns)).astype(np.float32) for columns in (302, 100))
    for threads in (1, 2):
        found = cr.compile(lambda a, b: a.mT @ b, threads=threads)(a, b)
        np.testing.assert_array_equal(found.numpy(), a.T @ b)


def test_rows_that_lie_far_away_are_asked_for_before_their_panel() -> None:
    target = Target("x86_64", "", "", 64, True)
    lines = {}
    for m, k in ((2048, 768), (2048, 256), (2048, 1024), (256, 768)):
        product = Product("float", m, 256, k, k, 1, 256, 1, 256)
        lines[m, k] = lines_asked(product, make_plan(product, target))
    assert lines == {(2048, 768): 32, (2048, 256): 16, (2048, 1024): 0, (256, 768): 0}
    random = np.random.default_rng(0)
    a, b = random.integers(-8, 9, (1100, 300)).astype(np.float32), random.integers(-8, 9, (300, 200)).astype(np.float32)
    for threads in (1, 2):
        np.testing.assert_array_equal(cr.compile(lambda a, b: a @ b, threads=threads)(a, b).numpy(), a @ b)
