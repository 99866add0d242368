"""What is put into functions and objects that are there, or taken of them as a whole, counts as it does eagerly."""

from __future__ import annotations

import copy
import dataclasses
from collections import UserDict, UserList
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.running.function import RecompileWarning

X = np.float32([1.0, 2.0])
Change = tuple[Callable[[Any], Any], Callable[[], Any]]


def other(x: Any, factor: float = 1.0) -> Any:
    return x * factor + 1


def code_of_a_helper() -> Change:
    def helper(x: Any) -> Any:
        return x * 2

    def new(x: Any) -> Any:
        return x * 3

    return lambda x: helper(x), lambda: setattr(helper, "__code__", new.__code__)


def code_of_the_function() -> Change:
    def function(x: Any) -> Any:
        return x * 2

    def new(x: Any) -> Any:
        return x * 3

    return function, lambda: setattr(function, "__code__", new.__code__)


def defaults() -> Change:
    def helper(x: Any, factor: float = 2.0) -> Any:
        return x * factor

    return lambda x: helper(x), lambda: setattr(helper, "__defaults__", (5.0,))


class Scaled:
    def __init__(self) -> None:
        self.factor = 2.0

    def call(self, x: Any) -> Any:
        return x * self.factor


def a_method_of_an_object() -> Change:
    owner = Scaled()
    return lambda x: owner.call(x), lambda: setattr(owner, "call", lambda x: x * 7)


def a_global_that_was_missing() -> Change:
    def function(x: Any) -> Any:
        try:
            return x * COMES_LATER  # type: ignore[name-defined]
        except NameError:
            return x

    return function, lambda: globals().__setitem__("COMES_LATER", 3.0)


def all_attributes() -> Change:
    owner = Scaled()
    return lambda x: x * vars(owner)["factor"], lambda: setattr(owner, "factor", 3.0)


def one_more_attribute() -> Change:
    owner = SimpleNamespace(first=1.0)
    return lambda x: x * sum(vars(owner).values()), lambda: setattr(owner, "second", 3.0)


def the_dict_of_an_object() -> Change:
    owner = Scaled()
    return lambda x: x * owner.__dict__.get("factor"), lambda: setattr(owner, "factor", 3.0)


@dataclasses.dataclass
class Settings:
    factor: float = 2.0
    shift: float = 0.0


def a_dataclass_as_a_dict() -> Change:
    settings = Settings()
    return lambda x: x * dataclasses.asdict(settings)["factor"], lambda: setattr(settings, "factor", 3.0)


def a_dataclass_as_a_tuple() -> Change:
    settings = Settings()
    return lambda x: x + dataclasses.astuple(settings)[1], lambda: setattr(settings, "shift", 3.0)


def a_dict_of_the_users() -> Change:
    found: UserDict[str, float] = UserDict()
    return lambda x: x + found.get("shift", 0.0), lambda: found.__setitem__("shift", 3.0)


def a_list_of_the_users() -> Change:
    found = UserList([1.0])
    return lambda x: x * sum(found), lambda: found.append(2.0)


CHANGES = [
    code_of_a_helper,
    code_of_the_function,
    defaults,
    a_method_of_an_object,
    a_global_that_was_missing,
    all_attributes,
    one_more_attribute,
    the_dict_of_an_object,
    a_dataclass_as_a_dict,
    a_dataclass_as_a_tuple,
    a_dict_of_the_users,
    a_list_of_the_users,
]


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    yield
    globals().pop("COMES_LATER", None)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_counts(change: Callable[[], Change]) -> None:
    function, make = change()
    compiled = cr.compile(function)
    before = np.asarray(compiled(X))
    np.testing.assert_allclose(before, function(cr.tensor(X)), 1e-6)
    make()
    expected = np.asarray(function(cr.tensor(X)))
    assert not np.array_equal(before, expected)
    with pytest.warns(RecompileWarning, match="is not what it was"):
        np.testing.assert_allclose(compiled(X), expected, 1e-6)
    np.testing.assert_allclose(compiled(X), expected, 1e-6)  # no more warnings


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_counts_between_epochs(change: Callable[[], Change]) -> None:
    function, make = change()
    compiled = cr.compile(function)
    compiled.epoch(X[:, None], batch_size=1)
    make()
    expected = np.asarray(function(cr.tensor(X)))
    with pytest.warns(RecompileWarning, match="is not what it was"):
        found = compiled.epoch(X[:, None], batch_size=1)
    np.testing.assert_allclose(found.flatten(), expected, 1e-6)


def test_what_the_function_sets_itself_is_put_back_with_an_error() -> None:
    owner = Scaled()

    def function(x: Any) -> Any:
        vars(owner)["shift"] = 1.0
        return x if x.sum() > 0 else -x

    then = copy.copy(vars(owner))
    with pytest.raises(cr.errors.TraceError):
        cr.compile(function)(X)
    assert vars(owner) == then
