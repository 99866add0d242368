"""Products of few rows or columns whose sums run along neighbours in both operands: one dot product an element."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...records import dataclass
from ..text.emit import Function, Reg, bytes_of, const, vector_of, word
from ..text.pair_instruction import multiply_add
from ..text.target import Target
from ..text.tile import horizontal
from .pack import split
from .product import Product


@dataclass(frozen=True)
class DotPlan:
    """Tiles of so many rows by so many columns."""

    rows: int
    columns: int


def dot_plan(product: Product, target: Target) -> DotPlan:
    """A tile of accumulators, each a vector along k."""
    if target.registers == 16:
        choices: Sequence[tuple[int, int]] = ((4, 2), (3, 3), (2, 4), (8, 1), (1, 8))
    else:
        choices = ((4, 5), (5, 4), (3, 6), (2, 8), (16, 1), (1, 16))
    cost = {(m, n): (-(-product.m // m)) * (-(-product.n // n)) * (m * n + 0.7 * (m + n)) for m, n in choices}
    rows, columns = min(choices, key=lambda each: cost[each])
    return DotPlan(min(rows, product.m), min(columns, product.n))


def dot_tasks(product: Product, plan: DotPlan) -> int:
    """One task a panel of rows of each product, or of columns where there are more of those."""
    return math.prod(product.batch) * -(-product.m // plan.rows)


def write_dots(
    f: Function, product: Product, plan: DotPlan, target: Target, pointers: Sequence[Reg], begin: Reg, end: Reg
) -> None:
    """The body of the kernel."""
    a, b, c = pointers
    panels = -(-product.m // plan.rows)
    rest_rows = product.m - (panels - 1) * plan.rows
    with f.loop(begin, end) as loop:
        task, panel = split(f, loop.index, panels)
        for size, a_step, b_step, c_step in reversed(
            list(zip(product.batch, product.a_batch, product.b_batch, product.c_batch))
        ):
            task, index = split(f, task, size)
            a = f.at(a, product.element, f.times(index, a_step))
            b = f.at(b, product.element, f.times(index, b_step))
            c = f.at(c, product.element, f.times(index, c_step))
        row = f.times(panel, plan.rows)
        a = f.at(a, product.element, f.times(row, product.a_m))
        c = f.at(c, product.element, f.times(row, product.c_m))
        if rest_rows == plan.rows:
            _dot_columns(f, product, plan, target, (a, b, c), plan.rows)
            continue_ = None
        else:
            continue_ = f.compare("icmp slt", panel, word(panels - 1))
        if continue_ is not None:
            if panels > 1:
                with f.when(continue_):
                    _dot_columns(f, product, plan, target, (a, b, c), plan.rows)
            with f.when(f.compare("icmp eq", panel, word(panels - 1))):
                _dot_columns(f, product, plan, target, (a, b, c), rest_rows)


def _dot_columns(
    f: Function, product: Product, plan: DotPlan, target: Target, pointers: tuple[Reg, Reg, Reg], rows: int
) -> None:
    a, b, c = pointers
    whole = product.n // plan.columns
    with f.loop(0, whole) as loop:
        column = f.times(loop.index, plan.columns)
        here = f.at(b, product.element, f.times(column, product.b_n))
        _dot_tile(f, product, target, (a, here, f.at(c, product.element, column)), rows, plan.columns)
    rest = product.n - whole * plan.columns
    if rest:
        column = word(whole * plan.columns)
        here = f.at(b, product.element, f.times(column, product.b_n))
        _dot_tile(f, product, target, (a, here, f.at(c, product.element, column)), rows, rest)


def _dot_tile(
    f: Function, product: Product, target: Target, pointers: tuple[Reg, Reg, Reg], rows: int, columns: int
) -> None:
    a, b, c = pointers
    width = target.lanes(bytes_of(product.element))
    whole = product.k // width * width
    totals: list[Reg] = []
    if whole:
        start = [const(vector_of(product.element, width), 0.0)] * (rows * columns)
        with f.loop(0, whole, width, start) as loop:
            loop.carry(*_dot_step(f, product, (a, b), rows, columns, loop.index, width, loop.carried))
        totals = [horizontal(f, total, lambda x, y: f.binary("fadd", x, y)) for total in loop.results]
    rest = product.k - whole
    if rest:
        zero = [const(vector_of(product.element, rest), 0.0)] * (rows * columns)
        tails = _dot_step(f, product, (a, b), rows, columns, word(whole), rest, zero)
        ends = [horizontal(f, tail, lambda x, y: f.binary("fadd", x, y)) for tail in tails]
        totals = [f.binary("fadd", total, tail) for total, tail in zip(totals, ends)] if totals else ends
    for row in range(rows):
        for column in range(columns):
            f.store(totals[row * columns + column], f.at(c, product.element, row * product.c_m + column))


def _dot_step(
    f: Function,
    product: Product,
    pointers: tuple[Reg, Reg],
    rows: int,
    columns: int,
    k: Reg,
    lanes: int,
    totals: Sequence[Reg],
) -> list[Reg]:
    a, b = (f.at(pointer, product.element, k) for pointer in pointers)
    vector = vector_of(product.element, lanes)
    right = [f.load(vector, f.at(b, product.element, column * product.b_n)) for column in range(columns)]
    result = []
    for row in range(rows):
        left = f.load(vector, f.at(a, product.element, row * product.a_m))
        result += [
            multiply_add(f, product.paired, left, right[column], totals[row * columns + column])
            for column in range(columns)
        ]
    return result
