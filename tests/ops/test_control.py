"""Loops and branches against the same programs written out in Python, NumPy, and central differences."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.capture import capture
from chainrule.errors import ConfigurationError, GradientError, GraphError, ShapeError, TraceError
from chainrule.ir.build import Trace, placeholder, tracing
from chainrule.ir.check import check_graph
from chainrule.ir.graph import Equation, Graph
from chainrule.ir.types import ArrayType, float64
from chainrule.ir.walk import bodies
from chainrule.reference import record, run

Array = np.ndarray[Any, Any]


def numbers(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return np.asarray(scale * np.random.default_rng(seed).standard_normal(shape))


def close(given: Any, expected: Any, rtol: float = 1e-12) -> None:
    given, expected = np.asarray(given), np.asarray(expected)
    np.testing.assert_allclose(given, expected, rtol=rtol, atol=rtol * max(1.0, float(np.abs(expected).max(initial=0))))


def unrolled(f: Callable[..., Any], carry: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
    """What scan means, for one array xs and one array of ys."""
    order = range(xs.shape[0])
    ys: dict[int, Any] = {}
    for step in reversed(order) if reverse else order:
        carry, ys[step] = f(carry, xs[step])
    return carry, cr.stack([ys[step] for step in order])


def differences(function: Callable[[Array], float], x: Array, step: float = 1e-5) -> Array:
    """The gradient by central differences of fourth order."""
    result = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        at = np.zeros_like(x)
        at[place] = step
        near = function(x + at) - function(x - at)
        far = function(x + 2 * at) - function(x - 2 * at)
        result[place] = (8 * near - far) / (12 * step)
    return result


def sizes(graph: Graph) -> int:
    """Equations of a graph with those of all bodies in it."""
    return len(graph.equations) + sum(sizes(body) for equation in graph.equations for body in bodies(equation))


def scans(graph: Graph) -> list[Equation]:
    return [equation for equation in graph.equations if equation.primitive.name == "scan"]


# -- scan: values


@pytest.mark.parametrize("reverse", [False, True])
def test_cumulative_products_are_those_of_numpy(reverse: bool) -> None:
    x = numbers(7, 3)
    last, running = cr.scan(lambda carry, each: (carry * each,) * 2, cr.ones(3, float64), cr.tensor(x), reverse=reverse)
    expected = np.cumprod(x[::-1], axis=0)[::-1] if reverse else np.cumprod(x, axis=0)
    close(running, expected)
    close(last, expected[0 if reverse else -1])


def test_without_xs_the_length_says_how_many_steps() -> None:
    last, counts = cr.scan(lambda count, nothing: (count + 1, count if nothing is None else -1), 0, length=5)
    assert last.item() == 5 and last.dtype == np.int64
    np.testing.assert_array_equal(counts, np.arange(5))


def test_no_steps_give_back_the_carry_and_empty_ys() -> None:
    last, ys = cr.scan(lambda carry, x: (carry * x, {"y": x[0]}), cr.tensor([1.0, 2.0]), cr.zeros((0, 2)))
    np.testing.assert_array_equal(last, [1.0, 2.0])
    assert ys["y"].shape == (0,) and ys["y"].dtype == np.float32


def test_no_steps_hand_the_gradient_through() -> None:
    w = cr.tensor([3.0], requires_grad=True)
    start = cr.tensor([1.0], requires_grad=True)
    cr.scan(lambda carry, x: (carry * w * x, None), start, cr.zeros((0, 1)))[0].sum().backward()
    assert start.grad.item() == 1 and w.grad.item() == 0


class State(NamedTuple):
    total: Any
    count: Any


def test_carry_x_and_y_are_any_containers() -> None:
    x = numbers(4, 2)

    def step(state: State, x: dict[str, Any]) -> tuple[State, list[Any]]:
        return State(state.total + x["a"] * x["b"], state.count + 1), [state.total, None, {"count": state.count}]

    start = State(cr.zeros(2, float64), 0)
    last, (totals, nothing, counts) = cr.scan(step, start, {"b": cr.tensor(x), "a": cr.tensor(x)})
    assert isinstance(last, State) and nothing is None and last.count.item() == 4
    close(last.total, (x * x).sum(axis=0))
    close(totals, np.cumsum(x * x, axis=0) - x * x)
    np.testing.assert_array_equal(counts["count"], np.arange(4))


def test_a_loop_that_computes_nothing_gives_nothing() -> None:
    assert cr.scan(lambda carry, x: (carry, None), None, cr.zeros(3)) == (None, None)


def test_a_python_number_in_the_carry_takes_the_element_type_there() -> None:
    last, ys = cr.scan(lambda carry, x: (1, carry), np.float64(0.5), cr.zeros(3))
    assert last.dtype == np.float64 and last.item() == 1
    np.testing.assert_array_equal(ys, [0.5, 1, 1])


def test_inputs_are_not_changed() -> None:
    start, x = numbers(3), numbers(5, 3)
    given = cr.tensor(start), cr.tensor(x)
    cr.scan(lambda carry, each: (carry * each, carry), *given)
    assert given[0].numpy().tobytes() == start.tobytes() and given[1].numpy().tobytes() == x.tobytes()


# -- scan: gradients


def recurrent(weights: Any, inputs: Any, bias: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    def step(state: Any, x: Any) -> tuple[Any, Any]:
        state = cr.tanh(state @ weights + x @ inputs + bias)
        return state, state

    return step


@pytest.fixture
def network() -> dict[str, Array]:
    return {
        "weights": numbers(5, 5, seed=1, scale=0.4),
        "inputs": numbers(3, 5, seed=2),
        "bias": numbers(5, seed=3),
        "start": numbers(2, 5, seed=4),
    }


def recurrent_loss(loop: Callable[..., Any], xs: Any) -> Callable[[dict[str, Any]], Any]:
    def loss(given: dict[str, Any]) -> Any:
        last, states = loop(recurrent(given["weights"], given["inputs"], given["bias"]), given["start"], xs)
        return (last**2).sum() + cr.sin(states).mean()

    return loss


def test_a_recurrent_network_over_a_thousand_steps_has_the_gradient_of_the_unrolled_program(
    network: dict[str, Array],
) -> None:
    xs = cr.tensor(numbers(1000, 2, 3, seed=5))
    value, gradient = cr.value_and_grad(recurrent_loss(cr.scan, xs))(network)
    expected_value, expected = cr.value_and_grad(recurrent_loss(unrolled, xs))(network)
    close(value, expected_value)
    for name in network:
        close(gradient[name], expected[name], 1e-10)


def test_the_graph_has_the_same_size_for_any_number_of_steps(network: dict[str, Array]) -> None:
    graphs = [cr.trace(cr.grad(recurrent_loss(cr.scan, cr.tensor(numbers(n, 2, 3)))))(network) for n in (2, 1000)]
    assert sizes(graphs[0]) == sizes(graphs[1]) < 100
    assert len(scans(graphs[0])) == 2, "one loop forward, one back"


def test_the_backward_loop_does_not_run_the_forward_one_again(network: dict[str, Array]) -> None:
    graph = cr.trace(cr.grad(recurrent_loss(cr.scan, cr.tensor(numbers(9, 2, 3)))))(network)
    forward, backward = (bodies(equation)[0] for equation in scans(graph))
    assert [equation.primitive.name for equation in forward.equations].count("tanh") == 1
    assert "tanh" not in [equation.primitive.name for equation in backward.equations]


def test_weights_are_not_kept_for_each_step(network: dict[str, Array]) -> None:
    graph = cr.trace(cr.grad(recurrent_loss(cr.scan, cr.tensor(numbers(9, 2, 3)))))(network)
    forward = scans(graph)[0]
    assert not [value for value in forward.outputs if value.shape in ((9, 5, 5), (9, 3, 5), (9, 5), (9, 1, 5))]


def test_what_is_not_asked_for_is_not_computed() -> None:
    """The gradient by the data would be a product in each step."""
    w, xs = cr.Parameter(numbers(3, 3)), cr.tensor(numbers(4, 3))

    def step() -> None:
        w.grad = None
        cr.scan(lambda carry, x: (carry + w @ x, None), cr.zeros(3, float64), xs)[0].sum().backward()

    graph = capture(step, ()).graph
    backward = scans(graph)[-1]
    assert sorted(value.shape for value in backward.outputs) == [(3,), (3, 3)]
    assert [equation.primitive.name for equation in bodies(backward)[0].equations].count("matmul") == 1
    found = run(graph, [w.numpy() if value.shape == (3, 3) else xs.numpy() for value in graph.inputs])
    close(found[-1], np.broadcast_to(xs.numpy().sum(axis=0), (3, 3)))


def long_short_term(weights: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    def cell(state: tuple[Any, Any], x: Any) -> tuple[Any, Any]:
        hidden, memory = state
        gates = cr.concat([hidden, x], axis=-1) @ weights
        forget, write, read, new = cr.split(gates, 3, axis=-1)
        memory = cr.sigmoid(forget) * memory + cr.sigmoid(write) * cr.tanh(new)
        hidden = cr.sigmoid(read) * cr.tanh(memory)
        return (hidden, memory), hidden

    return cell


@pytest.mark.parametrize("reverse", [False, True])
def test_an_lstm_cell_against_the_unrolled_program_and_differences(reverse: bool) -> None:
    weights, xs = numbers(7, 12, scale=0.5), numbers(6, 2, 4, seed=1)

    def loss(loop: Callable[..., Any], weights: Any, xs: Any) -> Any:
        start = (cr.zeros((2, 3), float64), cr.ones((2, 3), float64))
        (hidden, memory), ys = loop(long_short_term(weights), start, xs, reverse=reverse)
        return (hidden * memory).sum() + (ys**2).sum()

    found = cr.grad(lambda *given: loss(cr.scan, *given), (0, 1))(weights, xs)
    expected = cr.grad(lambda *given: loss(unrolled, *given), (0, 1))(weights, xs)
    for given, wanted in zip(found, expected):
        close(given, wanted, 1e-11)
    close(found[0], differences(lambda w: loss(unrolled, cr.tensor(w), cr.tensor(xs)).item(), weights), 1e-7)


def polynomial(loop: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def loss(w: Any, xs: Any) -> Any:
        last, ys = loop(lambda carry, x: (carry * w + cr.sin(x * carry), carry * x), w * 0.5, xs)
        return (last * ys).sum()

    return loss


@pytest.mark.parametrize("traced", [False, True])
def test_second_and_third_derivatives_are_those_of_the_unrolled_program(traced: bool) -> None:
    w, xs = numbers(2, seed=3), numbers(4, 2)

    def third(loop: Callable[..., Any]) -> Any:
        first = cr.grad(polynomial(loop), (0, 1))
        second = cr.grad(lambda w, xs: sum((each**2).sum() for each in first(w, xs)), (0, 1))
        whole = cr.grad(lambda w, xs: sum((each**3).sum() for each in second(w, xs)), (0, 1))
        return lambda w, xs: (*first(w, xs), *second(w, xs), *whole(w, xs))

    expected = third(unrolled)(w, xs)
    found = run(cr.trace(third(cr.scan))(w, xs), [w, xs]) if traced else third(cr.scan)(w, xs)
    assert len(found) == 6
    for given, wanted in zip(found, expected):
        close(given, wanted, 1e-9)


def test_the_hessian_and_products_with_it() -> None:
    w, xs, along = numbers(2, seed=3), numbers(4, 2), numbers(2, seed=8)
    by_scan, by_hand = (lambda w, loop=loop: polynomial(loop)(w, cr.tensor(xs)) for loop in (cr.scan, unrolled))
    close(cr.hessian(by_scan)(w), cr.hessian(by_hand)(w), 1e-10)
    close(cr.hvp(by_scan, (w,), (along,))[0], cr.hessian(by_hand)(w).numpy() @ along, 1e-10)
    for found, expected in zip(cr.jvp(by_scan, (w,), (along,)), cr.jvp(by_hand, (w,), (along,))):
        close(found, expected, 1e-10)


def test_a_loop_in_a_loop() -> None:
    def table(loop: Callable[..., Any]) -> Callable[[Any], Any]:
        def outer(w: Any) -> Any:
            def row(carry: Any, x: Any) -> Any:
                inner, ys = loop(lambda c, y: (cr.sin(c * w + y) * x.sum(), c), carry, x)
                return inner * w, ys.sum() * carry

            last, ys = loop(row, w + 1, cr.tensor(numbers(3, 4)))
            return last * ys.sum()

        return outer

    w = np.float64(0.7)
    close(cr.grad(table(cr.scan))(w), cr.grad(table(unrolled))(w), 1e-11)
    close(cr.grad(cr.grad(table(cr.scan)))(w), cr.grad(cr.grad(table(unrolled)))(w), 1e-10)
    graph = cr.trace(cr.grad(table(cr.scan)))(w)
    close(run(graph, [np.asarray(w)])[0], cr.grad(table(unrolled))(w), 1e-11)


def test_a_gradient_in_a_loop_in_a_gradient() -> None:
    """Ten steps of gradient descent, differentiated by the step size and by what is sought."""

    def descended(rate: Any, target: Any, loop: Callable[..., Any]) -> Any:
        def loss(x: Any) -> Any:
            return ((cr.sin(x) - target) ** 2).sum()

        last, losses = loop(lambda x, _: (x - rate * cr.grad(loss)(x), loss(x)), target * 0.5, cr.zeros(10))
        return loss(last) + losses.sum()

    given = np.float64(0.1), numbers(3, scale=0.3)
    for argnum in (0, 1):
        found = cr.grad(lambda *each: descended(*each, cr.scan), argnum)(*given)
        close(found, cr.grad(lambda *each: descended(*each, unrolled), argnum)(*given), 1e-11)


def test_a_gradient_by_a_constant_and_a_tangent_inside_a_loop() -> None:
    def step(total: Any, x: Any) -> tuple[Any, Any]:
        by_constant = cr.grad(lambda c: c**3 * x)(np.float64(2.0))
        _, tangent = cr.jvp(lambda c: c * c * x, (np.float64(3.0),), (np.float64(1.0),))
        return total + by_constant, tangent

    total, tangents = cr.scan(step, np.float64(0), cr.tensor(np.arange(3.0)))
    assert total.item() == 12 * (0 + 1 + 2)
    np.testing.assert_array_equal(tangents, 6 * np.arange(3.0))


def test_integers_in_the_carry_take_no_gradient() -> None:
    def loss(w: Any) -> Any:
        def step(state: tuple[Any, Any], _: Any) -> tuple[Any, Any]:
            count, x = state
            return (count + 1, x * w + count.astype(float64)), count

        (_, x), _ = cr.scan(step, (np.int64(0), w), length=3)
        return x

    assert cr.grad(loss)(np.float64(2.0)).item() == 4 * 2.0**3 + 1  # ((w·w + 0)·w + 1)·w + 2


def test_backward_reaches_parameters_that_the_body_reads() -> None:
    cell = nn.Linear(3, 3)
    start, xs = cr.ones(3), cr.tensor(numbers(5, 3).astype(np.float32))
    found = []
    for loop in (cr.scan, unrolled):
        cell.zero_grad()
        loop(lambda state, x: (cr.tanh(cell(state) + x), state), start, xs)[0].sum().backward()
        found.append([each.grad.numpy() for each in cell.parameters()])
    for given, expected in zip(*found):
        close(given, expected, 1e-5)


def test_gradients_add_up_for_values_used_inside_and_outside() -> None:
    w = cr.tensor(np.array([2.0]), requires_grad=True)
    last, ys = cr.scan(lambda carry, x: (carry * w, w * x), w, cr.tensor(np.arange(3.0)))
    (last + ys.sum() + w).sum().backward()
    assert w.grad.item() == 4 * 2.0**3 + 3 + 1


def test_no_grad_inside_the_body_stays_without_gradient() -> None:
    def step(carry: Any, x: Any) -> Any:
        with cr.no_grad():
            scale = carry * 2
        return carry * scale * x, cr.stop_gradient(carry) * carry

    def loss(loop: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda w: sum(each.sum() for each in loop(step, w, cr.tensor([0.5, 0.25, 0.125])))

    found, expected = (cr.grad(loss(loop))(np.float32(1.5)).item() for loop in (cr.scan, unrolled))
    assert found == pytest.approx(expected)


def test_under_no_grad_nothing_is_kept() -> None:
    w = cr.tensor([2.0], requires_grad=True)
    with cr.no_grad():
        last, _ = cr.scan(lambda carry, x: (carry * w, None), w, length=3)
    assert not last.requires_grad and last.item() == 16


def test_a_recorded_graph_has_the_cotangents_of_the_loop() -> None:
    graph = cr.trace(polynomial(cr.scan))(numbers(2), numbers(4, 2))
    w, xs = numbers(2, seed=3), numbers(4, 2)
    recorded = record(graph, [w, xs])
    close(recorded.backward().of(graph.inputs[0]), cr.grad(polynomial(unrolled))(w, xs), 1e-11)


def test_a_loop_recorded_without_gradients_is_differentiated_later() -> None:
    """The graph is traced where nothing is tracked; the loop then runs once more for what its pullback reads."""
    w, xs = numbers(2, seed=3), numbers(4, 2)
    with cr.no_grad():
        graph = cr.trace(polynomial(cr.scan))(w, xs)
    assert len(scans(graph)[0].outputs) == 2
    close(record(graph, [w, xs]).backward().of(graph.inputs[1]), cr.grad(polynomial(unrolled), 1)(w, xs), 1e-11)


def test_custom_gradients_inside_a_loop() -> None:
    @cr.custom_gradient(check=False)
    def doubled_back(x: Any) -> Any:
        inner = cr.sin(x)
        return inner, lambda g: 2 * g * cr.cos(x) * inner / inner

    def loss(loop: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda w: loop(lambda c, x: (doubled_back(c * w) + x, c), w, cr.tensor(numbers(3)))[0]

    w = np.float64(0.4)
    close(cr.grad(loss(cr.scan))(w), cr.grad(loss(unrolled))(w))


def test_custom_gradients_of_values_from_outside_and_twice() -> None:
    @cr.custom_gradient(check=False)
    def square_of_sine(x: Any) -> Any:
        inner = cr.sin(x)
        return inner * inner, lambda g: 2 * g * inner * cr.cos(x)

    def function(w: Any) -> Any:
        return cr.cond(w > 0, lambda: square_of_sine(w), lambda: w)

    def loss(loop: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda w: loop(lambda c, x: (square_of_sine(c * w) + x, c), w, cr.tensor(numbers(3)))[0]

    w = np.float64(0.5)
    close(cr.grad(function)(w), np.sin(1.0))
    close(cr.grad(cr.grad(function))(w), 2 * np.cos(1.0))
    close(cr.grad(cr.grad(loss(cr.scan)))(w), cr.grad(cr.grad(loss(unrolled)))(w))


def test_custom_gradients_within_custom_gradients() -> None:
    """What an inner rule keeps was made while the outer one ran: the pullback of the pullback has to find it."""

    @cr.custom_gradient(check=False)
    def cosine(x: Any) -> Any:
        kept = cr.sin(x)
        return cr.cos(x), lambda g: -g * kept

    @cr.custom_gradient(check=False)
    def sine(x: Any) -> Any:
        return cr.sin(x), lambda g: g * cosine(x)

    def loss(loop: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda w: loop(lambda c, _: (sine(c * w), c), w, cr.zeros(2))[0]

    w = np.float64(0.5)
    by_scan, by_hand = loss(cr.scan), loss(unrolled)
    for _ in range(3):
        by_scan, by_hand = cr.grad(by_scan), cr.grad(by_hand)
        close(by_scan(w), by_hand(w))
        close(run(cr.trace(by_scan)(w), [np.asarray(w)])[0], by_hand(w))


def test_a_loop_without_gradient_in_a_loop_runs_and_refuses_only_gradients() -> None:
    def roots(xs: Any) -> Any:
        return cr.scan(lambda c, x: (c + newton(x)[0], None), np.float64(0), xs)[0]

    xs = np.array([4.0, 9.0, 16.0])
    close(run(cr.trace(roots)(xs), [xs])[0], 9)
    with pytest.raises(GradientError, match="while_loop"):
        cr.grad(roots)(xs)


# -- scan: errors


def test_the_carry_must_keep_shape_element_type_and_structure() -> None:
    x = cr.zeros((3, 2))
    with pytest.raises(ShapeError, match=re.escape("expected float32[], as at the start; given float32[2]")) as error:
        cr.scan(lambda carry, each: (carry + each, None), 0.0, x)
    assert "test_control.py" in str(error.value)
    with pytest.raises(ShapeError, match=r"carry at state\.1 .*expected int64.*given float32"):
        cr.scan(lambda c, each: ({"state": [c["state"][0], each.sum()]}, None), {"state": [0.0, 1]}, x)
    with pytest.raises(ShapeError, match=re.escape("expected list(0: *, 1: *); given tuple(0: *, 1: *)")):
        cr.scan(lambda carry, each: (tuple(carry), None), [0.0, 1.0], x)


def test_steps_must_be_known_and_agree() -> None:
    with pytest.raises(ConfigurationError, match="xs or a length"):
        cr.scan(lambda carry, x: (carry, x), 0.0)
    with pytest.raises(ShapeError, match=r"3 \(float32\[3\]\), 4 \(float32\[4, 2\]\)"):
        cr.scan(lambda carry, x: (carry, None), 0.0, (cr.zeros(3), cr.zeros((4, 2))))
    with pytest.raises(ShapeError, match=r"5 \(length\), 3 "):
        cr.scan(lambda carry, x: (carry, None), 0.0, cr.zeros(3), length=5)
    with pytest.raises(ShapeError, match="single number"):
        cr.scan(lambda carry, x: (carry, None), 0.0, 3.0)
    with pytest.raises(ConfigurationError, match="negative"):
        cr.scan(lambda carry, x: (carry, None), 0.0, length=-1)


def test_the_body_must_return_a_pair_of_arrays() -> None:
    with pytest.raises(TraceError, match=r"pair \(carry, y\)"):
        cr.scan(lambda carry, x: carry, 0.0, cr.zeros(3))
    with pytest.raises(TraceError, match="not str"):
        cr.scan(lambda carry, x: (carry, "word"), 0.0, cr.zeros(3))


def test_a_body_can_change_nothing_outside() -> None:
    cell = cr.Parameter([1.0])

    def assigning(carry: Any, x: Any) -> Any:
        cell.assign(cell * 2)
        return carry, None

    def backward(carry: Any, x: Any) -> Any:
        (carry * cell).sum().backward()
        return carry, None

    for step, what in ((assigning, "assign"), (backward, "backward")):
        with pytest.raises(TraceError, match=what):
            cr.scan(step, cr.tensor([1.0]), cr.zeros(3))
    with pytest.raises(TraceError, match="before the loop"):
        cr.scan(lambda carry, x: (carry + cr.random.uniform(()), None), 0.0, cr.zeros(3))
    assert cell.item() == 1 and cell.grad is None


def test_the_elements_of_a_carry_are_not_known() -> None:
    with pytest.raises(TraceError):
        cr.scan(lambda carry, x: (carry if x > 0 else -carry, None), 0.0, cr.zeros(3))


# -- cond


@pytest.mark.parametrize("x", [1.5, 3.0])
@pytest.mark.parametrize("traced", [False, True])
def test_cond_takes_one_way_and_so_do_its_derivatives(x: float, traced: bool) -> None:
    w = cr.tensor(np.array(2.0), requires_grad=not traced)

    def function(x: Any) -> Any:
        return cr.cond(x > 2, lambda y: y**3 * w, lambda y: cr.sin(y * w), x)

    orders = [function, cr.grad(function), cr.grad(cr.grad(function))]
    expected = [2 * x**3, 6 * x**2, 12 * x] if x > 2 else [np.sin(2 * x), 2 * np.cos(2 * x), -4 * np.sin(2 * x)]
    for order, wanted in zip(orders, expected):
        found = run(cr.trace(order)(x), [np.float32(x)])[0] if traced else order(np.float64(x))
        close(found, wanted, 1e-6 if traced else 1e-12)


@pytest.mark.parametrize("which", [True, False])
def test_cond_closes_over_tracked_tensors_in_either_branch(which: bool) -> None:
    a, b = (cr.tensor(np.array([value]), requires_grad=True) for value in (3.0, 5.0))
    x = cr.tensor(np.array([2.0]), requires_grad=True)
    cr.cond(which, lambda x: {"y": x * a}, lambda x: {"y": x * b * b}, x)["y"].sum().backward()
    assert [each.grad.item() for each in (x, a, b)] == ([3, 2, 0] if which else [25, 0, 20])


def test_the_branch_not_taken_sends_no_nan_back() -> None:
    function = cr.grad(lambda x: cr.cond(x > 0, lambda: cr.log(x), lambda: x * 2))
    assert function(-1.0).item() == 2 and function(4.0).item() == 0.25


def test_cond_in_a_loop_and_a_loop_in_cond() -> None:
    def relu_sum(xs: Any) -> Any:
        return cr.scan(lambda c, x: (cr.cond(x > 0, lambda: c + x * x, lambda: c), None), np.float64(0), xs)[0]

    x = numbers(9)
    found, gradient = cr.value_and_grad(relu_sum)(x)
    close(found, (np.maximum(x, 0) ** 2).sum())
    close(gradient, 2 * np.maximum(x, 0))

    def chosen(x: Any) -> Any:
        return cr.cond(x.sum() > 0, lambda: cr.scan(lambda c, e: (c * e, None), np.float64(1), x)[0], lambda: x[0])

    whole = np.abs(x) + 0.5
    close(cr.grad(chosen)(whole), np.prod(whole) / whole, 1e-11)
    close(cr.grad(chosen)(-whole), np.eye(9)[0])


def test_cond_casts_numbers_and_refuses_what_differs() -> None:
    assert cr.cond(True, lambda: 1, lambda: 2.5).dtype == np.float32
    assert cr.cond(False, lambda x: (x, None), lambda x: (x * 2, None), 3.0)[1] is None
    with pytest.raises(ShapeError, match=re.escape("expected float32[2]; given float32[]")):
        cr.cond(True, lambda x: x, lambda x: x.sum(), cr.zeros(2))
    with pytest.raises(ShapeError, match="same structure"):
        cr.cond(True, lambda x: x, lambda x: [x], cr.zeros(2))
    with pytest.raises(ShapeError, match=r"one bool.*cr\.where"):
        cr.cond(cr.zeros(2) > 0, lambda: 1, lambda: 2)


# -- while_loop


def newton(x: Any) -> Any:
    def closer(state: tuple[Any, Any]) -> tuple[Any, Any]:
        guess, steps = state
        return (guess + x / guess) / 2, steps + 1

    return cr.while_loop(lambda state: abs(state[0] ** 2 - x) > 1e-12 * x, closer, (x, 0))


@pytest.mark.parametrize("x", [2.0, 1e10, 1e-6])
def test_newtons_square_root(x: float) -> None:
    root, steps = newton(cr.tensor(np.float64(x)))
    close(root, np.sqrt(x))
    assert 3 < steps.item() < 60
    graph = cr.trace(lambda x: newton(x)[0])(np.float64(1))
    close(run(graph, [np.asarray(x)])[0], np.sqrt(x))


def test_while_loop_may_run_no_step() -> None:
    assert cr.while_loop(lambda x: x < 0, lambda x: x + 1, 3).item() == 3


def test_no_gradient_goes_through_while_loop_and_the_error_says_where() -> None:
    with pytest.raises(GradientError, match=r"while_loop \(at test_control.py:\d+.*cr\.scan"):
        cr.grad(lambda x: newton(x)[0])(np.float64(2.0))
    x = cr.tensor([2.0], requires_grad=True)
    with pytest.raises(GradientError, match="while_loop"):
        cr.while_loop(lambda c: c.sum() < 100, lambda c: c * x, cr.tensor([1.0])).sum().backward()


def bounded_root(a: Any) -> Any:
    """The square root by Newton's steps, of which there are at most so many."""

    def goes_on(root: Any) -> Any:
        return abs(root * root - a) > 1e-9 * a

    return cr.while_loop(goes_on, lambda root: (root + a / root) / 2, a, most_steps=30)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_go_through_the_steps_of_a_bounded_while_loop(compiled: bool) -> None:
    def derivatives(a: Any) -> Any:
        return bounded_root(a), cr.grad(bounded_root)(a), cr.grad(cr.grad(bounded_root))(a)

    function = cr.compile(derivatives) if compiled else derivatives
    for a in (2.0, 1e4):
        expected = [a**0.5, 0.5 * a**-0.5, -0.25 * a**-1.5]
        for found, known in zip(function(cr.tensor(np.float64(a))), expected):
            np.testing.assert_allclose(found.numpy(), known, rtol=1e-6)


def test_a_bounded_while_loop_ends_and_what_it_did_not_do_leaves_no_trace() -> None:
    def doubled(x: Any) -> Any:
        return cr.while_loop(lambda c: c < 1e9, lambda c: c * 2, x, most_steps=3)

    assert [doubled(1.0).item(), doubled(2e9).item()] == [8.0, 2e9]
    close(cr.vmap(cr.grad(doubled))(cr.tensor([1.0, 3e8, 2e9])), [8.0, 4.0, 1.0])
    rooted = cr.grad(lambda x: cr.while_loop(lambda c: c > 1, lambda c: cr.sqrt(c - 1), x, most_steps=5))
    close(rooted(cr.tensor(np.float64(3.0))), 1 / (4 * np.sqrt(2) * np.sqrt(np.sqrt(2) - 1)))
    with pytest.raises(ConfigurationError, match="most_steps"):
        cr.while_loop(lambda x: x < 3, lambda x: x + 1, 1.0, most_steps=0)


def test_a_gradient_that_does_not_pass_the_while_loop_is_exact() -> None:
    def function(x: Any) -> Any:
        root = cr.stop_gradient(newton(x)[0])
        return (root + x / root) / 2  # the last step, taken with gradients: its derivative at the root is half of 1/√x

    close(cr.grad(function)(np.float64(9.0)), 1 / 6)


def test_while_loop_refuses_conditions_that_are_no_bool_and_changing_carries() -> None:
    with pytest.raises(ShapeError, match=r"one bool.*\.all\(\)"):
        cr.while_loop(lambda x: x < 3, lambda x: x + 1, cr.zeros(2))
    with pytest.raises(ShapeError, match=re.escape("expected int64[], as at the start; given float32[]")):
        cr.while_loop(lambda x: x < 3, lambda x: x / 2, 1)
    with pytest.raises(ShapeError, match="structure"):
        cr.while_loop(lambda x: x[0] < 3, lambda x: x[0], [1])


# -- bodies as graphs


def test_bodies_print_under_their_equation_and_are_checked() -> None:
    def step(carry: Any, x: Any) -> Any:
        return carry * x, carry

    graph = cr.trace(lambda c, x: cr.scan(step, c, x)[1])(ArrayType((), float64), ArrayType((3,), float64))
    lines = str(graph).splitlines()
    assert "body=step, constants=0, carry=1, length=3, reverse=False" in lines[1]
    assert lines[2] == "    step(%0: float64[], %1: float64[]):"
    assert lines[3].startswith("      %2: float64[] = multiply(%0, %1)")
    assert "0x" not in str(graph)
    equation = scans(graph)[0]
    body = bodies(equation)[0]
    broken = Graph(body.inputs, (), body.outputs, "step")
    equation.params = {**equation.params, "body": broken}
    with pytest.raises(GraphError, match=r"in step of equation 0 \(scan\)"):
        check_graph(graph)


def test_a_body_inside_a_capture_reads_cells_as_inputs() -> None:
    w = cr.Parameter(np.array([2.0]))

    def step() -> Any:
        w.grad = None
        loss = cr.scan(lambda c, x: (c * w + x, None), cr.ones(1, float64), cr.ones((3, 1), float64))[0].sum()
        loss.backward()
        return loss

    captured = capture(step, ())
    assert len(captured.cells) == 1
    loss, gradient = run(captured.graph, [np.array([3.0])])
    assert loss == 27 + 9 + 3 + 1 and gradient == 3 * 9 + 2 * 3 + 1


def test_bodies_and_pullbacks_are_freed_with_the_loop() -> None:
    w = cr.tensor(np.array([0.5]), requires_grad=True)
    last, _ = cr.scan(lambda c, x: (cr.sin(c * w) + x, None), w, cr.tensor(numbers(3, 1)))
    equation = last._value.equation
    assert equation is not None
    body = weakref.ref(bodies(equation)[0])
    last.sum().backward(create_graph=True)
    w.grad = None
    del last, equation
    gc.collect()
    assert body() is None


def test_a_value_of_a_trace_that_has_ended_is_refused() -> None:
    with tracing(Trace()):
        stale = placeholder(ArrayType((), float64)) * 2
    with pytest.raises(TraceError, match="outside the trace"):
        cr.scan(lambda carry, x: (carry * stale, None), np.float64(1.0), cr.zeros(3))
