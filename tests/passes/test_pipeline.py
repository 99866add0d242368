"""The whole pipeline: the same bits before and after, for random programs and for every primitive; and what it saves.

To accept a change of the texts: `CHAINRULE_WRITE_GOLDEN=1 python -m pytest tests/passes`, then read the difference.
"""

from __future__ import annotations

import os
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import passes
from chainrule.errors import ChainruleError, GraphError
from chainrule.ir.build import constant, evaluate
from chainrule.ir.graph import Equation, Graph, Value
from chainrule.ir.primitive import Primitive, Sample, all_primitives
from chainrule.ir.types import ArrayType, float32
from chainrule.passes import PIPELINE, check_graph, remove_unused, run_passes
from chainrule.reference import run

from ..test_random_programs import random_program
from .helpers import Array, assert_same_bits, graph_of, names, nasty
from .programs import adam_step, cross_entropy_and_gradient, training_step

GOLDEN = Path(__file__).parent.parent / "golden" / "passes"
CI = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
VECTOR = ArrayType((3,), float32)


def run_dense(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """As `run`, but each result is laid out row by row: NumPy adds up in an order that depends on the layout."""
    known = {id(value): np.asarray(array, order="C") for value, array in zip(graph.inputs, inputs)}
    for equation in graph.equations:
        read = [known.get(id(value), value.data) for value in equation.inputs]
        types = tuple(value.type for value in equation.outputs)
        results = evaluate(equation.primitive, read, dict(equation.params), types)
        known.update((id(value), np.asarray(array, order="C")) for value, array in zip(equation.outputs, results))
    return [np.asarray(known.get(id(value), value.data)) for value in graph.outputs]


# -- the same bits


def check_bits(graph: Graph, *inputs: Sequence[Array]) -> None:
    changed = run_passes(graph)
    assert changed.inputs == graph.inputs
    assert [value.type for value in changed.outputs] == [value.type for value in graph.outputs]
    for arrays in inputs:
        try:
            expected = run_dense(graph, arrays)
        except ChainruleError:  # an index out of range
            continue
        assert_same_bits(run_dense(changed, arrays), expected)


@CI
@given(st.randoms(use_true_random=False))
def test_random_programs_and_their_gradients_keep_their_bits(rng: random.Random) -> None:
    program = random_program(rng, length=12)
    floats = [place for place, each in enumerate(program.inputs) if each.dtype.kind == "f"]
    functions: list[Callable[..., Any]] = [program]
    if floats:
        functions.append(cr.grad(program.loss, argnums=floats))
    wild = [nasty(ArrayType(each.shape, each.dtype)) for each in program.inputs]
    for function in functions:
        check_bits(cr.trace(function)(*program.inputs), program.inputs, wild)


@pytest.mark.parametrize("primitive", all_primitives().values(), ids=lambda primitive: str(primitive.name))
def test_primitives_keep_their_bits_whichever_inputs_are_known(primitive: Primitive) -> None:
    for sample in primitive.samples():
        for known in product((False, True), repeat=len(sample.inputs)):
            graph = _with_known_inputs(primitive, sample, known)
            check_bits(graph, [array for array, is_known in zip(sample.inputs, known) if not is_known])


def _with_known_inputs(primitive: Primitive, sample: Sample, known: Sequence[bool]) -> Graph:
    """The equation of one sample, some of whose inputs are constants."""
    inputs = [
        constant(array) if is_known else Value(ArrayType(array.shape, array.dtype))
        for array, is_known in zip(sample.inputs, known)
    ]
    answer = primitive.type_rule(*[value.type for value in inputs], **sample.params)
    equation = Equation(primitive, tuple(inputs), sample.params)
    outputs = equation.produce((answer,) if isinstance(answer, ArrayType) else answer, tracked=False)
    given = tuple(value for value, is_known in zip(inputs, known) if not is_known)
    return Graph(given, (equation,), outputs)


def test_a_training_step_keeps_its_bits() -> None:
    graph, generator = training_step(2), np.random.default_rng(0)
    inputs = [generator.uniform(0.1, 1, value.shape).astype(value.dtype) for value in graph.inputs]
    inputs[-1] = generator.integers(0, 10, graph.inputs[-1].shape)
    check_bits(graph, inputs)
    assert_same_bits(run(run_passes(graph), inputs), run(graph, inputs))


# -- what it saves


def test_equations_of_a_training_step() -> None:
    graph = training_step(2)
    changed = run_passes(graph)
    before, after = Counter(names(graph)), Counter(names(changed))
    assert len(graph.equations) == 226 and len(changed.equations) == 169
    assert before["power"] == 12 and after["power"] == 2  # the bias corrections of all parameters are one
    assert before["matmul"] == after["matmul"] == 8
    assert before["identity"] > 0 and after["identity"] == after["stop_gradient"] == 0


def test_a_second_run_finds_nothing_more() -> None:
    changed = run_passes(training_step(2))
    assert run_passes(changed) is changed


def _calls(each: Callable[[Graph], Graph], graph: Graph) -> int:
    """How many functions a pass calls: its work, which no busy machine changes."""
    count = 0

    def counted(*event: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(counted)
    try:
        each(graph)
    finally:
        sys.setprofile(None)
    return count


def test_twice_the_equations_are_twice_the_work() -> None:
    small, large = training_step(20), training_step(40)
    ratio = len(large.equations) / len(small.equations)
    for each in PIPELINE:
        work = _calls(each, large)
        assert work < 1.2 * ratio * _calls(each, small), each.__name__
        assert work < 100 * len(large.equations), each.__name__
    assert len(run_passes(large).equations) < 0.7 * len(large.equations)


# -- stages and errors


@pytest.mark.parametrize(
    ("name", "make"),
    [("softmax_cross_entropy", cross_entropy_and_gradient), ("adam_step", lambda: adam_step((4, 3), (3,)))],
)
def test_golden_stages(name: str, make: Callable[[], Graph]) -> None:
    stages: list[str] = []
    run_passes(make(), show=stages.append)
    text = "\n\n".join(re.sub(r"  # .*", "", stage) for stage in stages) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("CHAINRULE_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_stages_name_the_pass_and_the_lines_of_the_source() -> None:
    stages: list[str] = []
    run_passes(cr.trace(lambda x: cr.exp(x) - cr.exp(x))(VECTOR), show=stages.append)
    assert [stage.splitlines()[0] for stage in stages] == [
        "# 3 equations after trace",
        "# 2 equations after merge_equal",
    ]
    assert all("test_pipeline.py" in stage for stage in stages)


def test_the_pass_that_breaks_a_graph_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_the_first(graph: Graph) -> Graph:
        return Graph(graph.inputs, graph.equations[1:], graph.outputs)

    monkeypatch.setattr(passes, "PIPELINE", (remove_unused, lose_the_first))
    with pytest.raises(GraphError, match="after lose_the_first: equation 0"):
        run_passes(cr.trace(lambda x: cr.sin(cr.exp(x)))(VECTOR))


def test_sources_stay_and_the_given_graph_is_untouched() -> None:
    graph = cr.trace(lambda x: cr.where(x > 0, (x - 0.0) * 1.0, cr.negative(-x)) / 4.0)(VECTOR)
    text = str(graph)
    changed = run_passes(graph)
    assert str(graph) == text and len(changed.equations) < len(graph.equations)
    assert all(equation.source is not None and equation.source.line for equation in changed.equations)


# -- graphs within graphs


def _apply_type(*kinds: ArrayType, bodies: tuple[Graph, ...]) -> ArrayType:
    return bodies[0].outputs[0].type


def _apply(*arrays: Array, bodies: tuple[Graph, ...]) -> Array:
    """The sum of what the bodies make of the inputs."""
    total: Array = sum(run(body, arrays)[0] for body in bodies)  # type: ignore[assignment]
    return total


def test_bodies_are_simplified_too_and_shared_ones_stay_shared() -> None:
    apply = Primitive("apply", _apply_type, _apply, (None,), "", lambda: iter(()))
    body = cr.trace(lambda x: cr.exp(x * 1.0) + cr.exp(x * 1.0))(VECTOR)
    other = cr.trace(lambda x: cr.negative(cr.negative(x)))(VECTOR)
    graph = graph_of(
        lambda x: (apply(x, bodies=(body, other)), apply(x, bodies=(body, other)), apply(x, bodies=(other,))), VECTOR
    )
    changed = check_graph(run_passes(graph))
    assert names(changed) == ["apply", "apply"] and changed.outputs[0] is changed.outputs[1]
    assert [names(each) for each in changed.equations[0].params["bodies"]] == [["exp", "add"], []]
    inputs = [np.array([0.5, -1.0, 2.0], np.float32)]
    assert_same_bits(run(changed, inputs), run(graph, inputs))
