"""A function is called by the name that it was defined with, whatever was put around it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError
from chainrule.names import name_of


def scaled(x: Any, factor: Any) -> Any:
    return x * factor


class Halved:
    def __call__(self, x: Any) -> Any:
        return x / 2


PARTIAL = functools.partial(functools.partial(scaled, factor=2.0))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (scaled, "scaled"),
        (PARTIAL, "scaled"),
        (functools.cache(scaled), "scaled"),
        (Halved(), "Halved"),
        (Halved().__call__, "__call__"),
        (functools.partial(Halved()), "Halved"),
        (nn.ReLU(), "ReLU"),
        (lambda x: x, "<lambda>"),
        (Halved, "Halved"),
    ],
)
def test_names(function: Any, name: str) -> None:
    assert name_of(function) == name


@pytest.mark.parametrize(("function", "name"), [(PARTIAL, "scaled"), (Halved(), "Halved")])
def test_graphs_and_messages_have_them(function: Callable[..., Any], name: str) -> None:
    assert cr.trace(function)(cr.zeros(3)).name == name
    with pytest.raises(ConfigurationError, match=f"with has_aux=True {name} must return a pair"):
        cr.value_and_grad(function, has_aux=True)(1.0)
