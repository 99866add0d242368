"""Loops are left with what is read; the numbers stay those of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule.ir.check import check_graph
from chainrule.ir.graph import Equation, Graph
from chainrule.ir.types import ArrayType, float64
from chainrule.passes import narrow_loops, remove_unused, run_passes
from chainrule.reference import run

X = np.random.default_rng(0).standard_normal((5, 2))
ROW, ROWS = ArrayType((2,), float64), ArrayType((5, 2), float64)


def narrowed(function: Any, *kinds: ArrayType) -> tuple[Graph, Equation]:
    graph = check_graph(narrow_loops(remove_unused(cr.trace(function)(*kinds))))
    return graph, next(equation for equation in graph.equations if equation.primitive.name == "scan")


def test_residuals_that_no_gradient_reads_are_not_stacked() -> None:
    graph, loop = narrowed(lambda x: cr.scan(lambda c, e: (cr.sin(c * e), None), cr.ones(2, float64), x)[0], ROWS)
    assert [value.shape for value in loop.outputs] == [(2,)]
    expected = np.ones(2)
    for each in X:
        expected = np.sin(expected * each)
    np.testing.assert_allclose(run(graph, [X])[0], expected, rtol=1e-14)


def test_a_carry_that_only_feeds_itself_goes_with_what_it_reads() -> None:
    def step(state: Any, x: Any) -> Any:
        return (state[0] + x[0], state[1] * x[1]), None

    graph, loop = narrowed(lambda c, x, y: cr.scan(step, (c, c), (x, y))[0][0], ROW, ROWS, ROWS)
    assert loop.params["carry"] == 1 and len(loop.inputs) == 2 and len(loop.outputs) == 1
    np.testing.assert_allclose(run(graph, [X[0], X, X])[0], X[0] + X.sum(axis=0), rtol=1e-14)


def test_a_carry_that_another_one_reads_stays() -> None:
    def step(state: Any, x: Any) -> Any:
        first, second, third = state
        return (first + second, second + x, third * 2), second

    graph, loop = narrowed(lambda c, x: cr.scan(step, (c, c, c), x)[0][0], ROW, ROWS)
    assert loop.params["carry"] == 2
    first = second = X[0]
    for each in X:
        first, second = first + second, second + each
    np.testing.assert_allclose(run(graph, [X[0], X])[0], first, rtol=1e-14)


def test_what_is_all_read_is_the_same_graph() -> None:
    graph = remove_unused(cr.trace(lambda c, x: cr.scan(lambda c, e: (c + e, c), c, x))(ROW, ROWS))
    assert narrow_loops(graph) is graph


def test_ys_without_carry_and_constants_that_nobody_reads() -> None:
    graph, loop = narrowed(
        lambda w, c, x: cr.scan(lambda c, e: (c * w, (e * 2, c)), c, x)[1][0], ArrayType((), float64), ROW, ROWS
    )
    assert loop.params["carry"] == loop.params["constants"] == 0 and len(loop.inputs) == 1
    np.testing.assert_array_equal(run(graph, [np.asarray(1.0), X[0], X])[0], 2 * X)


def test_the_gradient_of_a_compiled_loop_keeps_nothing_of_its_backward_loop() -> None:
    graph = cr.trace(cr.grad(lambda w: cr.scan(lambda c, e: (cr.sin(c * w) * e, None), w, cr.tensor(X))[0].sum()))(ROW)
    loops = [equation for equation in run_passes(graph).equations if equation.primitive.name == "scan"]
    assert len(loops) == 2
    assert not [value for value in loops[1].outputs if value.ndim > 1], "nothing is stacked on the way back"
    np.testing.assert_array_equal(run(run_passes(graph), [X[0]])[0], run(graph, [X[0]])[0])
