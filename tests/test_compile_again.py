"""When a function is compiled again: never silently, once for each kind of reason, and only where it must be."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.running.function import RecompileWarning

X = np.float32([1.0, 2.0, 3.0])


def count(call: Any) -> int:
    return sum(map(len, call._entries.values()))


def test_another_shape_is_told_once_with_the_line() -> None:
    call = cr.compile(lambda x: x * 2)
    call(X)
    with pytest.warns(RecompileWarning) as caught:
        call(X[:2])  # another shape
        call(X[:1])
        call(X[:2])
    (warning,) = caught
    message = str(warning.message)
    assert "argument x is float32[2], and was float32[3]" in message
    assert "call(X[:2])  # another shape" in message
    assert warning.filename == __file__
    assert count(call) == 3


def test_values_of_python_numbers_are_part_of_the_program() -> None:
    call = cr.compile(lambda x, scale, name="a": x * scale + len(name))
    assert call(X, 2.0).tolist() == [3, 5, 7]
    with pytest.warns(
        RecompileWarning, match=r"argument scale is 3\.0, and was 2\.0; numbers that change .* as arrays"
    ):
        assert call(X, 3.0).tolist() == [4, 7, 10]
    with pytest.warns(RecompileWarning, match="nested in another way"):
        assert call(X, 3.0, name="bb").tolist() == [5, 8, 11]
    with pytest.warns(RecompileWarning, match="argument name is 'ccc', and was 'bb'"):
        assert call(X, 3.0, name="ccc").tolist() == [6, 9, 12]
    assert call(X, 2.0).tolist() == [3, 5, 7]
    assert count(call) == 4


def test_one_and_true_are_told_apart() -> None:
    call = cr.compile(lambda x, flag: x + 1 if flag is True else x)
    assert call(X, 1).tolist() == [1, 2, 3]
    with pytest.warns(RecompileWarning):
        assert call(X, True).tolist() == [2, 3, 4]


def test_other_element_types() -> None:
    call = cr.compile(lambda x: x + 1)
    assert call(X).dtype == np.float32
    with pytest.warns(RecompileWarning, match=r"argument x is int64\[3\], and was float32\[3\]"):
        assert call(X.astype(np.int64)).dtype == np.int64


def test_a_numpy_array_and_a_tensor_are_the_same() -> None:
    call = cr.compile(lambda x: x + 1)
    call(X)
    call(cr.tensor(X))
    call(np.asfortranarray(X))
    assert count(call) == 1


def test_what_was_looked_at_is_guarded() -> None:
    """A tensor that is no parameter may be looked at while tracing; when it changes, the function is traced again."""
    scale = cr.tensor([2.0])

    @cr.compile
    def call(x: Any) -> Any:
        return x * 10 if scale.item() > 1 else x

    assert call(X).tolist() == [10, 20, 30]
    scale.assign([0.5])
    with pytest.warns(RecompileWarning, match="the elements of a tensor is not what it was"):
        assert call(X).tolist() == [1, 2, 3]


def test_the_mode_is_guarded() -> None:
    model = nn.Sequential(nn.Dropout(0.5))
    call = cr.compile(model)
    ones = np.ones(1000, np.float32)
    assert 300 < (call(ones).numpy() == 0).sum() < 700
    model.eval()
    with pytest.warns(RecompileWarning, match="training or evaluation mode"):
        np.testing.assert_array_equal(call(ones).numpy(), ones)
    model.train()
    assert (call(ones).numpy() == 0).any()
    assert count(call) == 2  # it knew the way back


def test_options_of_optimisers() -> None:
    """The learning rate moves freely; options that updates are made of are guarded."""
    layer = nn.Linear(3, 1)
    optimizer = optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

    @cr.compile
    def step(x: Any) -> Any:
        loss = (layer(x) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for rate in (0.1, 0.05, 0.0):
        optimizer.param_groups[0]["lr"] = rate
        step(X)
    assert count(step) == 1
    optimizer.param_groups[0]["nesterov"] = True
    with pytest.warns(RecompileWarning, match="the option 'nesterov'"):
        step(X)


def test_frozen_parameters() -> None:
    layer = nn.Linear(3, 1)

    @cr.compile
    def step(x: Any) -> Any:
        layer.zero_grad()
        loss = (layer(x) ** 2).sum()
        loss.backward()
        return loss

    step(X)
    assert layer.bias.grad is not None
    layer.bias.requires_grad = False
    layer.zero_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecompileWarning)
        step(X)
    assert layer.bias.grad is None
    assert layer.weight.grad is not None


def test_a_cell_of_another_shape() -> None:
    weights = cr.tensor([1.0, 2.0, 3.0])
    call = cr.compile(lambda x: x * weights)
    assert call(X).tolist() == [1, 4, 9]
    weights.recast("float64")
    with pytest.raises(cr.errors.ShapeError, match=r"float32\[3\] when the function was compiled, but is float64\[3\]"):
        call(X)


def test_programs_ahead_of_time_are_no_surprise() -> None:
    call = cr.compile(lambda x: (x * 2).sum())
    assert call.memory(X).arguments == 12
    call.memory(X[:2])
    call.program(X[:1])
    call(X), call(X[:2]), call(X[:1])
    assert count(call) == 3


def test_minus_zero_is_another_number() -> None:
    divided = cr.compile(lambda x, number: x / number)
    one = cr.tensor([1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [divided(one, number).item() for number in (0.0, -0.0, 0.0)] == [math.inf, -math.inf, math.inf]


def test_not_a_number_is_itself() -> None:
    chosen = cr.compile(lambda x, number: cr.where(cr.isnan(x), number, x))
    for _ in range(3):  # no warning
        assert math.isnan(chosen(cr.tensor(math.nan), float("nan")).item())


@pytest.mark.filterwarnings("ignore::chainrule.compiler.running.reasons.RecompileWarning")
def test_modules_among_the_arguments_are_told_apart_by_what_they_hold() -> None:
    applied, x = cr.compile(lambda module, x: module(x)), cr.tensor([[-1.0, 2.0]])
    layers = [nn.LeakyReLU(0.5), nn.Sequential(nn.LeakyReLU(0.25)), nn.Sequential(nn.ReLU()), nn.LeakyReLU(0.125)]
    for layer, slope in zip(layers, (0.5, 0.25, 0.0, 0.125)):
        assert applied(layer, x).tolist() == [[-slope, 2.0]]
    shared = [nn.Conv2d(1, 1, 1, bias=False, stride=stride) for stride in (1, 2)]
    shared[1].weight = shared[0].weight
    assert [applied(layer, cr.ones((1, 1, 4, 4))).shape[2] for layer in shared] == [4, 2]
    normed = [nn.BatchNorm1d(2, affine=False).eval() for _ in range(2)]
    normed[1].running_mean.assign([1.0, 1.0])
    assert [round(applied(norm, x).tolist()[0][1], 3) for norm in normed] == [2.0, 1.0]


def test_an_equal_module_among_the_arguments_needs_no_other_program() -> None:
    applied = cr.compile(lambda module, x: module(x))
    for _ in range(2):
        assert applied(nn.LeakyReLU(0.5), cr.tensor([-1.0])).tolist() == [-0.5]  # a warning would be an error


def test_an_object_that_is_gone_is_not_taken_for_a_new_one() -> None:
    class Options:
        __hash__ = None  # type: ignore[assignment]

        def __init__(self, factor: float) -> None:
            self.factor = factor

    scaled = cr.compile(lambda options, x: x * options.factor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [scaled(Options(float(factor)), cr.tensor(1.0)).item() for factor in range(20)]
    assert found == list(range(20))
