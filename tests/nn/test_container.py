"""Containers: order, names, slices, changes, and what they refuse."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ChainruleError, OutOfRangeError, UnknownNameError


def line() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))


def names(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_children()]


def test_sequential_applies_in_order() -> None:
    model = line()
    x = np.ones((4, 2), np.float32)
    np.testing.assert_array_equal(model(x).numpy(), model[2](cr.tanh(model[0](x))).numpy())
    assert nn.Sequential()(x) is x


def test_sequential_with_names() -> None:
    model = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), second=nn.Tanh()))
    assert list(model.state_dict()) == ["first.weight", "first.bias"]
    assert isinstance(model[-1], nn.Tanh)
    assert names(model[1:]) == ["second"]


def test_a_slice_shares_its_modules_and_their_names() -> None:
    model = line()
    assert names(model[1:]) == ["1", "2"]
    assert model[1:][1] is model[2]
    assert model[:0](3) == 3


def test_a_slice_of_a_subclass_is_a_sequential() -> None:
    class Network(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Linear(2, 2), nn.ReLU())

    assert type(Network()[:1]) is nn.Sequential


def test_sequential_changes() -> None:
    model = line()
    model[1] = nn.ReLU()
    assert isinstance(model[1], nn.ReLU)
    del model[0]
    assert names(model) == ["0", "1"]
    model.insert(0, nn.Identity())
    model.append(nn.Tanh()).extend([nn.ReLU(), nn.Linear(1, 1)])
    kinds = [type(each).__name__ for each in model]
    assert kinds == ["Identity", "ReLU", "Linear", "Tanh", "ReLU", "Linear"]
    assert isinstance(model.pop(1), nn.ReLU)
    del model[2:]
    assert names(model) == ["0", "1"]


def test_an_appended_slice_finds_a_free_name() -> None:
    assert names(line()[1:].append(nn.ReLU())) == ["0", "1", "2"]
    named = nn.Sequential(OrderedDict(first=nn.ReLU()))
    assert names(named.append(nn.Tanh())) == ["first", "1"]


@pytest.mark.parametrize(
    ("parts", "words"),
    [((nn.ReLU,), r"make one of it with ReLU\("), (([nn.ReLU()],), "unpack it"), ((3,), r"given 3 \(int\)")],
)
def test_what_is_no_module(parts: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ChainruleError, match=words):
        nn.Sequential(*parts)


def test_places_that_are_not_there() -> None:
    for change in (lambda: line()[3], lambda: line().pop(-4), lambda: line().__setitem__(7, nn.ReLU())):
        with pytest.raises(OutOfRangeError, match="holds 3"):
            change()


def test_module_list() -> None:
    modules = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    assert names(modules[1:]) == ["0", "1"]
    assert modules[1:][0] is modules[1]
    assert len(modules.append(nn.ReLU())) == 4
    assert len(list(modules.parameters())) == 6
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        modules(1)


def test_module_dict() -> None:
    modules = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.ReLU()})
    modules["a"] = nn.Tanh()
    modules.update({"c": nn.ReLU()})
    assert list(modules.keys()) == ["a", "b", "c"]
    assert isinstance(modules["a"], nn.Tanh)
    del modules["a"]
    assert isinstance(modules.pop("b"), nn.ReLU)
    assert [name for name, _ in modules.items()] == ["c"]
    with pytest.raises(UnknownNameError, match="no module named 'a'"):
        modules["a"]
    with pytest.raises(ChainruleError, match="already has an attribute 'keys'"):
        modules["keys"] = nn.ReLU()


def test_modules_in_containers_are_trained_and_saved() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])

        def forward(self, x: Any) -> Any:
            return sum(branch(x) for branch in self.branches)

    model = Branches()
    cr.sum(model(np.ones((1, 2), np.float32))).backward()
    assert list(model.state_dict()) == [f"branches.{place}.{name}" for place in (0, 1) for name in ("weight", "bias")]
    assert all(each.grad is not None for each in model.parameters())
