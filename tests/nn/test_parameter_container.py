"""Lists and dicts of parameters."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import nn
from chainrule.errors import OutOfRangeError, UnknownNameError


def test_parameter_list() -> None:
    shared = nn.Parameter(np.ones(2))
    held = nn.ParameterList([shared, shared, np.zeros(3)])
    held.append(np.ones(1)).extend([np.ones(4)])
    assert [each.size for each in held] == [2, 2, 3, 1, 4]
    assert held[-5] is shared
    assert len(list(held.parameters())) == 4
    held[0] = np.full(2, 7.0)
    assert held.state_dict()["0"].tolist() == [7, 7]
    with pytest.raises(OutOfRangeError, match="holds 5"):
        held[5]


def test_parameter_dict() -> None:
    held = nn.ParameterDict({"a": np.ones(2)})
    held["b"] = nn.Parameter(np.zeros(1))
    held["a"] = np.zeros(3)
    assert {name: each.size for name, each in held.items()} == {"a": 3, "b": 1}
    assert "a" in held
    assert list(held) == list(held.state_dict()) == list(held.keys())
    assert all(each.requires_grad for each in held.values())
    with pytest.raises(UnknownNameError, match="no parameter named 'c'"):
        held["c"]


def test_how_they_look() -> None:
    assert repr(nn.ParameterList([np.ones((2, 3))])) == "ParameterList((0): Parameter float64[2, 3])"
