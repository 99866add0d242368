"""Clipping against NumPy's norms and, where it is installed, PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import ConfigurationError, GradientError

GRADIENTS = [np.random.default_rng(2).standard_normal((3, 4)), np.random.default_rng(3).standard_normal(5)]
NORMS = [1.0, 2.0, 3.0, 0.5, math.inf]


def parameters_with(gradients: list[Any]) -> list[cr.Parameter]:
    parameters = [cr.Parameter(np.zeros(each.shape, each.dtype)) for each in gradients]
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = cr.tensor(gradient)
    return [*parameters, cr.Parameter([1.0])]  # the last one has no gradient


@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_norm(norm_type: float, max_norm: float) -> None:
    parameters = parameters_with(GRADIENTS)
    everything = np.concatenate([each.reshape(-1) for each in GRADIENTS])
    norm = np.linalg.norm(everything, norm_type)
    assert optim.clip_grad_norm_(parameters, max_norm, norm_type).item() == pytest.approx(norm, rel=1e-12)
    factor = min(1.0, max_norm / (norm + 1e-6))
    for parameter, gradient in zip(parameters, GRADIENTS):
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad.numpy(), factor * gradient, rtol=1e-12)
    assert parameters[-1].grad is None


@pytest.mark.oracle
@pytest.mark.parametrize("norm_type", NORMS)
def test_norm_is_that_of_pytorch(norm_type: float) -> None:
    torch = pytest.importorskip("torch")
    parameters = parameters_with(GRADIENTS)
    theirs = [torch.nn.Parameter(torch.zeros(each.shape, dtype=torch.float64)) for each in GRADIENTS]
    for parameter, gradient in zip(theirs, GRADIENTS):
        parameter.grad = torch.tensor(gradient)
    expected = torch.nn.utils.clip_grad_norm_(theirs, 0.7, norm_type)
    assert optim.clip_grad_norm_(parameters, 0.7, norm_type).item() == pytest.approx(expected.item(), rel=1e-12)
    for mine, other in zip(parameters, theirs):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-12)  # type: ignore[union-attr]


def test_value() -> None:
    parameters = parameters_with(GRADIENTS)
    optim.clip_grad_value_(parameters, 0.3)
    for parameter, gradient in zip(parameters, GRADIENTS):
        assert (parameter.grad.numpy() == np.clip(gradient, -0.3, 0.3)).all()  # type: ignore[union-attr]


def test_mixed_element_types_keep_theirs() -> None:
    parameters = parameters_with([np.full(3, 2.0, np.float32), np.full(2, 2.0)])
    total = optim.clip_grad_norm_(parameters, 1.0)
    assert total.dtype == cr.float64
    assert [parameter.grad.dtype for parameter in parameters[:2]] == [cr.float32, cr.float64]  # type: ignore[union-attr]


def test_nothing_to_clip() -> None:
    assert optim.clip_grad_norm_([cr.Parameter([1.0])], 1.0).item() == 0.0


def test_a_norm_that_is_no_number() -> None:
    parameters = parameters_with([np.array([1.0, math.nan])])
    with pytest.raises(GradientError, match="nan"):
        optim.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert parameters[0].grad is not None and parameters[0].grad.numpy()[0] == 1.0
    optim.clip_grad_norm_(parameters, 1.0)
    assert np.isnan(parameters[0].grad.numpy()).all()


def test_bad_options_are_named() -> None:
    with pytest.raises(ConfigurationError, match="max_norm"):
        optim.clip_grad_norm_(parameters_with(GRADIENTS), -1.0)
    with pytest.raises(ConfigurationError, match="norm_type"):
        optim.clip_grad_norm_(parameters_with(GRADIENTS), 1.0, 0.0)
    with pytest.raises(ConfigurationError, match="str"):
        optim.clip_grad_value_(["weight"], 1.0)  # type: ignore[list-item]
