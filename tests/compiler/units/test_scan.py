"""Loops whose carry is stacked: one stack for what was before and after each round, and no copies in the loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.planning import buffers
from chainrule.compiler.planning.program import Repeat
from chainrule.compiler.running import entry
from chainrule.trace import trace

STEPS, ROWS, WIDTH = 5, 3, 4


def arrays() -> tuple[Any, Any]:
    random = np.random.default_rng(3)
    return random.standard_normal((STEPS, ROWS, WIDTH)), random.standard_normal((ROWS, WIDTH))


def loops(compiled: Any) -> list[list[str]]:
    """The kernels in each loop, by what they do."""
    found = [each for each in compiled.program.instructions if isinstance(each, Repeat)]
    return [[call.label for call in each.body] for each in found]


@pytest.mark.parametrize("reverse", [False, True])
def test_stacks_of_what_was_before_and_after_each_round(reverse: bool) -> None:
    def cell(carry: Any, row: Any) -> Any:
        following = cr.sin(carry) + row
        return following, (carry, following, following, row)

    def program(x: Any, start: Any) -> Any:
        carry, stacks = cr.scan(cell, start, x, reverse=reverse)
        return (-carry, *(-stack for stack in stacks))  # stacks that are outputs lie where they are asked for

    x, start = arrays()
    compiled = compile_graph(trace(program)(x, start))
    (labels,) = loops(compiled)
    assert [label.startswith("nest") for label in labels] == [True]
    carry, before, after = start, np.empty_like(x), np.empty_like(x)
    for step in reversed(range(STEPS)) if reverse else range(STEPS):
        before[step], carry = carry, np.sin(carry) + x[step]
        after[step] = carry
    for found, wanted in zip(run_once(compiled, [x, start]), (carry, before, after, after, x), strict=True):
        np.testing.assert_allclose(found, -wanted, rtol=1e-14, atol=1e-15)


def test_carries_that_change_places_or_stay() -> None:
    def cell(carry: Any, row: Any) -> Any:
        one, other, same = carry
        return (other, one + row, same), (one, other, same)

    x, start = arrays()
    compiled = compile_graph(trace(lambda x, s: cr.scan(cell, (s, s * 2, s * 3), x))(x, start))
    one, other, rows = start, start * 2, []
    for row in x:
        rows.append((one, other, start * 3))
        one, other = other, one + row
    wanted = (one, other, start * 3, *(np.stack(each) for each in zip(*rows)))
    for found, expected in zip(run_once(compiled, [x, start]), wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_the_loops_of_a_recurrent_net_copy_nothing() -> None:
    weight = np.random.default_rng(4).standard_normal((WIDTH, WIDTH)) / 4

    def loss(weight: Any, x: Any, start: Any) -> Any:
        def cell(carry: Any, row: Any) -> Any:
            following = cr.tanh(carry @ weight + row)
            return following, following

        return cr.sum(cr.scan(cell, start, x)[1] ** 2)

    compiled = compile_graph(trace(cr.grad(loss))(weight, *arrays()))
    assert [label.split()[0] for labels in loops(compiled) for label in labels].count("copy") == 0
    found = run_once(compiled, [weight, *arrays()])[0]
    expected = cr.grad(loss)(cr.tensor(weight), *map(cr.tensor, arrays())).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
def test_gates_are_computed_part_by_part_and_stacked_whole(reverse: bool) -> None:
    random = np.random.default_rng(5)
    into, within = random.standard_normal((WIDTH, 3 * WIDTH)), random.standard_normal((WIDTH, 3 * WIDTH))

    def cell(carry: Any, row: Any) -> Any:
        gates = row @ into + carry @ within
        one, two, three = (gates[:, start : start + WIDTH] for start in (0, WIDTH, 2 * WIDTH))
        return cr.tanh(one) * two + three * carry, gates

    def program(x: Any, start: Any) -> Any:
        carry, gates = cr.scan(cell, start, x, reverse=reverse)
        return -carry, -gates

    x, start = arrays()
    compiled = compile_graph(trace(program)(x, start))
    (labels,) = loops(compiled)
    assert [label.split()[0] for label in labels] == ["matmul", "matmul", "nest"]
    carry, stack = start, np.empty((STEPS, ROWS, 3 * WIDTH))
    for step in reversed(range(STEPS)) if reverse else range(STEPS):
        stack[step] = x[step] @ into + carry @ within
        one, two, three = np.split(stack[step], 3, axis=1)
        carry = np.tanh(one) * two + three * carry
    for found, wanted in zip(run_once(compiled, [x, start]), (carry, stack), strict=True):
        np.testing.assert_allclose(found, -wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("row_first", [False, True])
def test_a_bias_is_added_in_the_loop(row_first: bool) -> None:
    into = np.random.default_rng(6).standard_normal((WIDTH, 2 * WIDTH))
    bias = np.arange(2.0 * WIDTH)

    def program(x: Any, start: Any, bias: Any) -> Any:
        def cell(carry: Any, gates: Any) -> Any:
            both = gates + cr.concat([carry, carry], axis=1)
            return cr.tanh(both[:, :WIDTH]) - both[:, WIDTH:], cr.sum(gates)

        gates = bias + x @ into if row_first else x @ into + bias
        carry, sums = cr.scan(cell, start, gates)
        return -carry, -sums

    x, start = arrays()
    compiled = compile_graph(trace(program)(x, start, bias))
    before = [call.label for call in compiled.program.instructions if not isinstance(call, Repeat)]
    assert not any("add" in label for label in before)
    carry, sums = start, []
    for gates in x @ into + bias:
        both = gates + np.concatenate([carry, carry], axis=1)
        carry = np.tanh(both[:, :WIDTH]) - both[:, WIDTH:]
        sums.append(gates.sum())
    for found, wanted in zip(run_once(compiled, [x, start, bias]), (carry, np.array(sums)), strict=True):
        np.testing.assert_allclose(found, -wanted, rtol=1e-12)


@pytest.mark.parametrize("much", [0, buffers.MUCH])
def test_what_a_round_computes_shares_memory(much: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large results one after the other in each round: the same as NumPy's, for any threads, in the memory of a few."""
    monkeypatch.setattr(buffers, "MUCH", much)
    monkeypatch.setattr(entry, "PARALLEL_COST", 0)
    random = np.random.default_rng(5)
    weight, xs = random.standard_normal((200, 200)) / 15, random.standard_normal((3, 400, 200))

    def function(weight: Any, xs: Any) -> Any:
        def body(carry: Any, x: Any) -> Any:
            for _ in range(8):
                x = cr.tanh(x @ weight) + x
            return carry + x.sum(axis=0), x[:2]

        return cr.scan(body, cr.zeros(200, dtype="float64"), xs)

    total, firsts = np.zeros(200), []
    for x in xs:
        for _ in range(8):
            x = np.tanh(x @ weight) + x
        total, firsts = total + x.sum(axis=0), [*firsts, x[:2]]
    found = []
    for threads in (1, 3):
        compiled = cr.compile(function, threads=threads)
        found.append([each.numpy() for each in compiled(weight, xs)])
        forecast = compiled.memory(weight, xs)
        assert forecast.activations + forecast.workspace < 5 * xs[0].nbytes
    np.testing.assert_allclose(found[0][0], total, rtol=1e-12)
    np.testing.assert_allclose(found[0][1], firsts, rtol=1e-12)
    for mine, theirs in zip(*found):
        np.testing.assert_array_equal(mine, theirs)
