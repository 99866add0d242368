"""The playground's numbers against the textbook's formulas written in NumPy, and against central differences."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import random
from chainrule.errors import ConfigurationError
from chainrule.reports.playground import Choice, Playground
from chainrule.reports.playground_data import PROBLEMS, planar_data
from chainrule.reports.playground_session import Session

FUNCTIONS = {
    "tanh": (np.tanh, lambda net, y: 1 - y * y),
    "sigmoid": (lambda net: 1 / (1 + np.exp(-net)), lambda net, y: y * (1 - y)),
    "relu": (lambda net: np.maximum(net, 0), lambda net, y: (net > 0).astype(float)),
}


CHOICE = {"problem": "xor", "hidden": [2], "activation": "tanh", "rate": 1, "seed": 0}


def backpropagation(weights, inputs, target, functions, rate):
    """The generalised delta rule as the paper of 1986 has it: nets, outputs, deltas, gradients, new weights, error."""
    nets, outputs = [], [inputs]
    for (weight, bias), name in zip(weights, functions):
        nets.append(weight @ outputs[-1] + bias)
        outputs.append(FUNCTIONS[name][0](nets[-1]))
    by_output = outputs[-1] - target
    layers = []
    for place in reversed(range(len(weights))):
        slope = FUNCTIONS[functions[place]][1](nets[place], outputs[place + 1])
        delta = by_output * slope
        gradient = np.outer(delta, outputs[place])
        weight, bias = weights[place]
        layers.append((nets[place], outputs[place + 1], slope, by_output, delta, gradient, weight - rate * gradient))
        by_output = weight.T @ delta
    return layers[::-1], 0.5 * float(((outputs[-1] - target) ** 2).sum())


@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize("hidden", [(3,), (4, 2), ()])
def test_a_cycle_is_the_generalised_delta_rule(activation, hidden):
    here = Playground(Choice("ring", hidden, activation, 0.3, seed=5))
    here.look_at(7)
    cycle = here.cycle()
    functions = [activation] * len(hidden) + ["sigmoid"]
    weights = [(layer.weight, layer.bias) for layer in cycle.layers]
    expected, error = backpropagation(weights, cycle.inputs, cycle.target, functions, 0.3)
    assert cycle.error == pytest.approx(error, rel=1e-12)
    names = ("net", "output", "slope", "error_by_output", "delta", "weight_gradient", "new_weight")
    for layer, wanted in zip(cycle.layers, expected):
        for name, array in zip(names, wanted):
            np.testing.assert_allclose(getattr(layer, name), array, rtol=1e-9, atol=1e-14, err_msg=name)


def test_gradients_against_central_differences():
    here = Playground(Choice("xor", (3,), "tanh"))
    here.look_at(1)
    cycle, step = here.cycle(), 1e-6
    kept = here.model.state_dict()
    for place, layer in enumerate(cycle.layers):
        name = f"{2 * place}.weight"
        for index in np.ndindex(layer.weight.shape):
            ends = []
            for sign in (1, -1):
                moved = {**kept, name: kept[name].copy()}
                moved[name][index] += sign * step
                here.model.load_state_dict(moved)
                ends.append(here.cycle().error)
            here.model.load_state_dict(kept)
            assert layer.weight_gradient[index] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-9)


def test_looking_changes_nothing_and_the_update_is_the_one_shown():
    here = Playground()
    before, shown = here.model.state_dict(), here.cycle()
    assert all(np.array_equal(before[name], array) for name, array in here.model.state_dict().items())
    here.update()
    assert np.array_equal(here.model.state_dict()["0.weight"], shown.layers[0].new_weight)
    here.look_at(0)
    assert here.cycle().error == shown.error_after


def test_steps_can_be_taken_back():
    here = Playground()
    states = [here.model.state_dict()["0.weight"]]
    for _ in range(3):
        here.update()
        states.append(here.model.state_dict()["0.weight"])
    for expected in states[-2::-1]:
        here.undo()
        assert np.array_equal(here.model.state_dict()["0.weight"], expected)
    assert (here.example, here.updates, len(here.errors)) == (0, 0, 1)
    here.undo()  # at the beginning: nothing to take back


def test_training_in_native_code_does_what_single_updates_do():
    one, many = Playground(), Playground()
    for _ in range(8):
        one.update()
    many.train(2)
    for name, array in many.model.state_dict().items():
        np.testing.assert_allclose(array, one.model.state_dict()[name], rtol=1e-12, atol=1e-15)
    assert many.updates == one.updates == 8


def test_it_learns_exclusive_or_and_draws_what_it_answers():
    here = Playground()
    here.train(1000)
    assert here.mean_error() < 0.01
    surface = here.surface()
    assert surface.shape == (48, 48) and surface.min() < 0.2 and surface.max() > 0.8


def test_the_random_state_of_the_program_is_left_alone():
    random.manual_seed(11)
    before = random.default_generator.get_state()
    Playground().train(1)
    assert np.array_equal(before, random.default_generator.get_state())


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems_are_points_of_two_kinds(name):
    data = planar_data(name)
    assert data.inputs.shape == (len(data.targets), 2) and set(data.targets.ravel()) == {0.0, 1.0}
    assert np.abs(data.inputs).max() <= 1.5


def test_a_session_answers_what_a_page_asks():
    session = Session()
    state = session.act({"do": "look"})
    assert state["cycle"]["error"] == session.playground.cycle().error
    state = session.act({"do": "restart", "choice": {**state["choice"], "hidden": [2, 2], "problem": "ring"}})
    assert [len(layer["bias"]) for layer in state["cycle"]["layers"]] == [2, 2, 1]
    assert session.act({"do": "rate", "rate": 0.25})["choice"]["rate"] == 0.25
    assert session.act({"do": "example", "example": 5})["example"] == 5
    assert session.act({"do": "train", "sweeps": 1})["updates"] == 60
    assert session.act({"do": "undo"})["updates"] == 0


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"do": "dance"}, "action"),
        ({"do": "restart", "choice": {**CHOICE, "hidden": [99]}}, "6"),
        ({"do": "restart", "choice": {**CHOICE, "activation": "sin"}}, "sin"),
        ({"do": "restart", "choice": {**CHOICE, "problem": "cat"}}, "cat"),
        ({"do": "restart", "choice": {**CHOICE, "rate": -1}}, "rate"),
    ],
)
def test_what_can_not_be_is_refused(asked, word):
    with pytest.raises(ConfigurationError, match=word):
        Session().act(asked)
