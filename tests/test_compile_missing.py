"""Attributes that were not there when a function was compiled, and are later."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.running.function import RecompileWarning
from chainrule.errors import TraceError

pytestmark = pytest.mark.filterwarnings("ignore::chainrule.compiler.running.function.RecompileWarning")

X = np.ones(2, np.float32)


class Settings:
    """With a default that a class of its own has."""


SETTINGS = Settings()


class Scaled:
    @cr.compile
    def by_default(self, x: Any) -> Any:
        return x * getattr(self, "scale", 2.0)

    @cr.compile
    def by_trying(self, x: Any) -> Any:
        try:
            return x * self.scale  # type: ignore[attr-defined]
        except AttributeError:
            return x * 2.0

    @cr.compile
    def by_asking(self, x: Any) -> Any:
        return x * self.scale if hasattr(self, "scale") else x * 2.0  # type: ignore[attr-defined]

    @cr.compile
    def by_names(self, x: Any) -> Any:
        for name in ("scale", "other"):
            x = x * getattr(self, name, 2.0 if name == "scale" else 1.0)
        return x


@pytest.mark.parametrize("method", ["by_default", "by_trying", "by_asking", "by_names"])
def test_an_attribute_that_comes_later_counts(method: str) -> None:
    owner, other = Scaled(), Scaled()
    call = getattr(owner, method)
    np.testing.assert_array_equal(call(X), 2 * X)
    owner.scale = 3.0  # type: ignore[attr-defined]
    with pytest.warns(RecompileWarning, match="the attribute 'scale' of Scaled is not what it was"):
        np.testing.assert_array_equal(call(X), 3 * X)
    np.testing.assert_array_equal(getattr(other, method)(X), 2 * X)
    del owner.scale  # type: ignore[attr-defined]
    np.testing.assert_array_equal(call(X), 2 * X)  # by the first program


def test_it_counts_in_parts_and_globals_too() -> None:
    here = SimpleNamespace(part=SimpleNamespace())

    @cr.compile
    def step(x: Any) -> Any:
        return x * getattr(here.part, "scale", 1.0) + getattr(SETTINGS, "shift", 0.0)

    np.testing.assert_array_equal(step(X), X)
    with pytest.warns(RecompileWarning):
        here.part.scale = 2.0
        np.testing.assert_array_equal(step(X), 2 * X)
        try:
            SETTINGS.shift = 1.0  # type: ignore[attr-defined]
            np.testing.assert_array_equal(step(X), 2 * X + 1)
        finally:
            del SETTINGS.shift  # type: ignore[attr-defined]


def test_it_counts_between_epochs() -> None:
    here = SimpleNamespace()
    step = cr.compile(lambda x: (x * getattr(here, "scale", 1.0)).sum())
    np.testing.assert_array_equal(step.epoch(np.ones(4, np.float32), batch_size=2), [2, 2])
    here.scale = 3.0
    np.testing.assert_array_equal(step.epoch(np.ones(4, np.float32), batch_size=2), [6, 6])


def test_others_may_come() -> None:
    here = SimpleNamespace()
    step = cr.compile(lambda x: x * getattr(here, "scale", 1.0))
    program = step.program(X)
    here.name = "a name that the function does not read"
    assert step.program(X) is program


def test_what_the_function_itself_makes_when_it_is_missing() -> None:
    class Counter:
        def __call__(self, x: Any) -> Any:
            if not hasattr(self, "count"):
                self.count = cr.tensor(0)
            self.count += 1
            return x * self.count

    counter = Counter()
    step = cr.compile(counter)
    for number in (1, 2, 3):
        np.testing.assert_array_equal(step(X), number * X)
    assert counter.count.item() == 3


def test_an_attribute_made_by_code_is_looked_up_as_eagerly() -> None:
    class Made:
        def __getattr__(self, name: str) -> float:
            if name == "scale":
                return 2.0
            raise AttributeError(name)

    made = Made()
    step = cr.compile(lambda x: x * made.scale)
    np.testing.assert_array_equal(step(X), 2 * X)
    program = step.program(X)
    assert step.program(X) is program
    made.__dict__["scale"] = 5.0
    np.testing.assert_array_equal(step(X), 5 * X)


def test_an_error_leaves_nothing_behind() -> None:
    here = SimpleNamespace()

    @cr.compile
    def step(x: Any) -> Any:
        if not hasattr(here, "scale"):
            here.scale = 2.0
        return x if x.sum() > 0 else -x

    with pytest.raises(TraceError, match="if"):
        step(X)
    assert not hasattr(here, "scale")
