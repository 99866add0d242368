"""Every primitive in the registry, on its own samples: types, values, gradients to second order, formula, coverage."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr  # noqa: F401  (fills the registry)
from chainrule.autodiff import gradients
from chainrule.errors import ChainruleError
from chainrule.ir.build import Trace, bind, constant, evaluate, leaf, placeholder, tracing
from chainrule.ir.check import check_graph
from chainrule.ir.graph import Graph, Value
from chainrule.ir.primitive import NoGradient, Primitive, Sample, all_primitives
from chainrule.ir.show import formula
from chainrule.ir.types import DTYPES, FLOATS, ArrayType, complex64, complex128, float32, float64
from chainrule.reference import run

PRIMITIVES = sorted(all_primitives().values(), key=lambda primitive: primitive.name)
DIFFERENTIABLE = [primitive for primitive in PRIMITIVES if primitive.differentiable]
WIDE = (float64, complex128)
RELATIVE_ERROR = 1e-6
STEP = 2e-3
STENCIL = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))  # central differences of sixth order

every_primitive = pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda each: each.name)
every_differentiable = pytest.mark.parametrize("primitive", DIFFERENTIABLE, ids=lambda each: each.name)


# -- types and values


def types_of(answer: Any) -> tuple[ArrayType, ...]:
    return (answer,) if isinstance(answer, ArrayType) else tuple(answer)


def values_of(answer: Any) -> tuple[Value, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def type_of(array: Any) -> ArrayType:
    return ArrayType(np.shape(array), np.asarray(array).dtype)


@every_primitive
def test_type_rule_agrees_with_numpy(primitive: Primitive) -> None:
    for sample in primitive.samples():
        expected = types_of(primitive.type_rule(*map(type_of, sample.inputs), **sample.params))
        with np.errstate(all="ignore"):
            result = primitive.numpy(*sample.inputs, **sample.params)
        results = result if isinstance(result, tuple) else (result,)
        assert tuple(map(type_of, results)) == expected, sample


@every_primitive
def test_inputs_stay_as_they_are(primitive: Primitive) -> None:
    for sample in primitive.samples():
        inputs = [np.array(each) for each in sample.inputs]
        before = [each.copy() for each in inputs]
        values = [leaf(each) for each in inputs]
        outputs = [each for each in values_of(bind(primitive, *values, **sample.params)) if each.tracked]
        floats = [each for each in values if each.tracked]
        gradients(outputs, floats, [constant(np.ones(each.shape, each.dtype)) for each in outputs])
        for array, copy in zip(inputs, before):
            assert array.tobytes() == copy.tobytes()


@every_primitive
def test_layout_in_memory_does_not_matter(primitive: Primitive) -> None:
    for sample in primitive.samples():
        types = types_of(primitive.type_rule(*map(type_of, sample.inputs), **sample.params))
        inputs = [np.asarray(each) for each in sample.inputs]
        plain = evaluate(primitive, [np.array(each, order="C") for each in inputs], dict(sample.params), types)
        spaced = evaluate(primitive, [_spaced(each) for each in inputs], dict(sample.params), types)
        for first, second in zip(plain, spaced):
            np.testing.assert_allclose(first, second, rtol=1e-12 if first.dtype == float64 else 1e-5)


@every_primitive
def test_a_traced_graph_runs_to_the_bits_of_eager_execution(primitive: Primitive) -> None:
    for sample in primitive.samples():
        arrays = [np.asarray(each) for each in sample.inputs]
        eager = values_of(bind(primitive, *map(constant, arrays), **sample.params))
        graph = _traced(primitive, sample)
        for first, second in zip(run(graph, arrays), eager, strict=True):
            assert type_of(first) == second.type
            assert np.asarray(first).tobytes() == second.data.tobytes()


def _traced(primitive: Primitive, sample: Sample) -> Graph:
    inputs = tuple(placeholder(type_of(each)) for each in sample.inputs)
    with tracing(Trace()) as writing:
        outputs = values_of(bind(primitive, *inputs, **sample.params))
    assert writing is not None and len(writing.equations) == 1
    return check_graph(Graph(inputs, tuple(writing.equations), outputs))


def _spaced(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same elements with gaps between them, and the first axis backwards in memory."""
    if not array.ndim:
        return array
    view = np.zeros(tuple(2 * size for size in array.shape), array.dtype)[::-1][(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


# -- gradients at smooth points


def smooth_samples(primitive: Primitive) -> Iterator[Sample]:
    for sample in primitive.samples():
        if sample.smooth and any(np.asarray(each).dtype in WIDE for each in sample.inputs):
            yield sample


class Projection:
    """A primitive as a function of one number: inputs move along directions, outputs are weighed by cotangents."""

    def __init__(self, primitive: Primitive, sample: Sample, seed: int) -> None:
        self.primitive, self.params = primitive, sample.params
        self.inputs = [np.asarray(each) for each in sample.inputs]
        self.generator = np.random.default_rng(seed)
        with np.errstate(all="ignore"):
            result = primitive.numpy(*self.inputs, **self.params)
        results = result if isinstance(result, tuple) else (result,)
        self.cotangents = [self.direction(np.asarray(each)) for each in results if np.asarray(each).dtype in WIDE]
        self.places = [
            place
            for place, each in enumerate(self.inputs)
            if each.dtype in WIDE and primitive.rule_for(place, len(self.inputs)) is not None
        ]

    def direction(self, like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if like.dtype == complex128:
            return np.asarray(self.direction(like.real) + 1j * self.direction(like.imag))
        return np.asarray(self.generator.uniform(0.5, 1.5, like.shape) * self.generator.choice((-1, 1), like.shape))

    def moved(self, place: int, along: np.ndarray[Any, Any], length: float) -> list[np.ndarray[Any, Any]]:
        return [each + length * along if index == place else each for index, each in enumerate(self.inputs)]

    def turned(self, place: int, along: np.ndarray[Any, Any], length: float) -> list[np.ndarray[Any, Any]]:
        return [each + length * along if index == place else each for index, each in enumerate(self.cotangents)]

    def value(self, inputs: list[np.ndarray[Any, Any]]) -> float:
        with np.errstate(all="ignore"):
            result = self.primitive.numpy(*inputs, **self.params)
        results = result if isinstance(result, tuple) else (result,)
        floats = [np.asarray(each) for each in results if np.asarray(each).dtype in WIDE]
        return float(sum(np.sum(u.conj() * each).real for u, each in zip(self.cotangents, floats)))

    def first(
        self, inputs: list[np.ndarray[Any, Any]], cotangents: list[np.ndarray[Any, Any]]
    ) -> tuple[list[Value], list[Value], list[Value | None]]:
        """Leaves of the inputs, leaves of the cotangents, and the recorded gradient by the inputs."""
        values, seeds = [leaf(each) for each in inputs], [leaf(each) for each in cotangents]
        outputs = [each for each in values_of(bind(self.primitive, *values, **self.params)) if each.tracked]
        wrt = [values[place] for place in self.places]
        return wrt, seeds, gradients(outputs, wrt, seeds)


def difference(function: Callable[[float], float]) -> float:
    return sum(weight * (function(n * STEP) - function(-n * STEP)) for n, weight in STENCIL) / STEP


def relative_error(given: float, expected: float, scale: float) -> float:
    """The error against the larger of the two numbers; sums that nearly cancel are measured by their terms."""
    return abs(given - expected) / max(abs(given), abs(expected), 1e-2 * scale, 1e-3)


def dot(value: Value | None, along: np.ndarray[Any, Any]) -> float:
    return 0.0 if value is None else float(np.sum(value.data.conj() * along).real)


def size(value: Value | None, along: np.ndarray[Any, Any]) -> float:
    return 0.0 if value is None else float(np.sum(np.abs(value.data * along)))


WORST: dict[str, float] = {}


def check(function: Projection, given: float, expected: float, scale: float, what: str) -> None:
    name, error = function.primitive.name, relative_error(given, expected, scale)
    WORST[name] = max(WORST.get(name, 0.0), error)
    assert error < RELATIVE_ERROR, f"{name}, {what}, {function.params}: gradient {given}, differences {expected}"


@every_differentiable
def test_gradient_against_central_differences(primitive: Primitive) -> None:
    for number, sample in enumerate(smooth_samples(primitive)):
        check_first_order(Projection(primitive, sample, number))


def check_first_order(function: Projection) -> None:
    wrt, _, found = function.first(function.inputs, function.cotangents)
    for place, value, gradient in zip(function.places, wrt, found):
        along = function.direction(value.data)
        expected = difference(lambda t, place=place, along=along: function.value(function.moved(place, along, t)))
        check(function, dot(gradient, along), expected, size(gradient, along), f"input {place}")


@every_differentiable
def test_second_derivatives_against_differences_of_the_gradient(primitive: Primitive) -> None:
    for number, sample in enumerate(smooth_samples(primitive)):
        check_second_order(Projection(primitive, sample, number))


def check_second_order(function: Projection) -> None:
    wrt, seeds, found = function.first(function.inputs, function.cotangents)
    directions = [function.direction(each.data) for each in wrt]
    present = [(each, v) for each, v in zip(found, directions) if each is not None and each.tracked]
    second = gradients([each for each, _ in present], [*wrt, *seeds], [constant(v) for _, v in present])

    def slope(inputs: list[Any], cotangents: list[Any]) -> float:
        return sum(map(dot, function.first(inputs, cotangents)[2], directions))

    for place, value, gradient in zip(function.places, wrt, second):
        w = function.direction(value.data)
        expected = difference(lambda t, at=place, w=w: slope(function.moved(at, w, t), function.cotangents))
        check(function, dot(gradient, w), expected, size(gradient, w), f"input {place} twice")
    for place, gradient in enumerate(second[len(wrt) :]):
        w = function.direction(function.cotangents[place])
        expected = difference(lambda t, at=place, w=w: slope(function.inputs, function.turned(at, w, t)))
        check(function, dot(gradient, w), expected, size(gradient, w), f"cotangent {place}")


WIDER = {float32: float64, complex64: complex128}


def narrowed(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.astype(next(each for each, wide in WIDER.items() if wide == array.dtype))


@every_differentiable
def test_float32_gradients_are_those_of_float64(primitive: Primitive) -> None:
    for sample in primitive.samples():
        inputs = [np.asarray(each) for each in sample.inputs]
        if not sample.smooth or not {each.dtype for each in inputs} & set(WIDER) or "dtype" in sample.params:
            continue
        wide = Sample(tuple(each.astype(WIDER.get(each.dtype, each.dtype)) for each in inputs), sample.params)
        function = Projection(primitive, wide, 0)
        _, _, expected = function.first(function.inputs, function.cotangents)
        narrow = [narrowed(function.inputs[place]) for place in range(len(inputs)) if place in function.places]
        moved = dict(zip(function.places, narrow))
        _, _, given = function.first(
            [moved.get(place, each) for place, each in enumerate(inputs)],
            [narrowed(each) for each in function.cotangents],
        )
        for first, second in zip(given, expected):
            assert (first is None) == (second is None)
            if first is not None and second is not None:
                assert first.dtype == narrowed(second.data).dtype
                scale = max(1.0, float(np.abs(second.data).max(initial=0.0)))
                np.testing.assert_allclose(first.data, second.data, atol=2e-5 * scale)


# -- anywhere


@every_primitive
def test_gradients_have_the_type_of_the_input_anywhere(primitive: Primitive) -> None:
    for sample in primitive.samples():
        values = [leaf(np.array(each)) for each in sample.inputs]
        outputs = values_of(bind(primitive, *values, **sample.params))
        floats = [each for each in values if each.tracked]
        tracked = [each for each in outputs if each.tracked]
        if not primitive.differentiable:
            assert not tracked
            continue
        seeds = [leaf(np.ones(each.shape, each.dtype)) for each in tracked]
        first = gradients(tracked, floats, seeds)
        for value, gradient in zip(floats, first):
            assert gradient is None or (gradient.type == value.type and type_of(gradient.data) == value.type)
        present = [each for each in first if each is not None and each.tracked]
        second = gradients(present, [*floats, *seeds], [constant(np.ones(each.shape, each.dtype)) for each in present])
        for value, gradient in zip([*floats, *seeds], second):
            assert gradient is None or type_of(gradient.data) == value.type


@every_differentiable
def test_a_cotangent_of_zero_gives_zero_wherever_the_result_is_defined(primitive: Primitive) -> None:
    """What where(mask, f(x), 0) relies on: a branch not taken sends nothing back, singular or not."""
    if primitive.name in ("custom_gradient", "matmul") or primitive.name.startswith("convolution"):
        pytest.skip("sums products with other inputs, which may be infinite")
    for sample in primitive.samples():
        inputs = [np.array(each) for each in sample.inputs]
        if sample.smooth or not all(np.isfinite(each).all() for each in inputs):
            inputs = [np.where(np.isfinite(each), each, 1) if each.dtype in FLOATS else each for each in inputs]
        values = [leaf(each) for each in inputs]
        outputs = [each for each in values_of(bind(primitive, *values, **sample.params)) if each.tracked]
        floats = [each for each in values if each.tracked]
        seeds = [constant(np.zeros(each.shape, each.dtype)) for each in outputs]
        for gradient in gradients(outputs, floats, seeds):
            assert gradient is None or not np.any(gradient.data), sample


# -- completeness


@every_primitive
def test_has_a_derivative_or_says_why_not(primitive: Primitive) -> None:
    if isinstance(primitive.derivative, NoGradient):
        assert len(primitive.derivative.reason) > 10
        return
    for sample in primitive.samples():
        count = len(sample.inputs)
        rules = [primitive.rule_for(place, count) for place in range(count)]
        assert any(rule is not None for rule in rules)
        if isinstance(primitive.derivative, tuple):
            assert len(primitive.derivative) == count


@every_primitive
def test_formula_formats(primitive: Primitive) -> None:
    for sample in itertools.islice(primitive.samples(), 3):
        values = [Value(type_of(each)) for each in sample.inputs]
        names = {id(value): f"input{number}" for number, value in enumerate(values)}
        with tracing(Trace()):
            outputs = values_of(bind(primitive, *values, **sample.params))
        text = formula(outputs[0], names)
        assert "input0" in text and "{" not in text and "object at" not in text


@every_primitive
def test_samples_cover_the_element_types_it_takes(primitive: Primitive) -> None:
    samples = list(primitive.samples())
    seen = {tuple(np.asarray(each).dtype for each in sample.inputs) for sample in samples}
    for sample in samples[:1]:
        types = list(map(type_of, sample.inputs))
        for place, dtype in itertools.product(range(len(types)), DTYPES):
            same = [each.with_dtype(dtype) if each.dtype == types[place].dtype else each for each in types]
            try:
                primitive.type_rule(*same, **sample.params)
            except ChainruleError:
                continue
            if same[place].dtype != types[place].dtype and types[place].dtype.kind in "iu":
                continue  # indices: any integer type does, and one unsigned and one signed is tried
            assert any(place < len(dtypes) and dtypes[place] == dtype for dtypes in seen), (
                f"no sample has {dtype} as input {place}"
            )


NO_EMPTY = {"random_bits": "its input is always four words; an empty shape is among its samples"}
NO_NASTY = {
    "custom_gradient": "passes on what it is given",
    "random_bits": "takes integers",
    **dict.fromkeys(("all", "any"), "takes bools"),
}


@every_primitive
def test_samples_cover_odd_inputs(primitive: Primitive) -> None:
    samples = list(primitive.samples())
    inputs = [np.asarray(each) for sample in samples for each in sample.inputs]
    floats = [each for each in inputs if each.dtype in FLOATS]
    assert any(not each.flags.c_contiguous and each.size for each in inputs), "no input with gaps in memory"
    assert any(each.size == 0 for each in inputs) or primitive.name in NO_EMPTY, "no empty input"
    assert any(each.size == 1 for each in inputs) or primitive.name in NO_EMPTY, "no input of one element"
    assert not floats or not all(np.isfinite(each).all() for each in floats) or primitive.name in NO_NASTY, "no NaN"
    assert not floats or any(each.dtype == float32 for each in floats), "no float32"


def test_names_are_words_and_the_registry_is_complete() -> None:
    assert len(PRIMITIVES) > 80
    for name, primitive in all_primitives().items():
        assert name == primitive.name and name.isidentifier() and name == name.lower()


def test_worst_relative_error_is_reported(record_property: Callable[[str, object], None]) -> None:
    """Runs last: the largest error at smooth points, to first and second order."""
    worst = max(WORST.values(), default=0.0)
    record_property("worst relative error at smooth points", worst)
    assert worst < RELATIVE_ERROR
