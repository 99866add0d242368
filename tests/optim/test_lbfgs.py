"""L-BFGS on problems with a known minimum and, where it is installed, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import ConfigurationError, TraceError
from chainrule.optim.line_search import Point, cubic_minimum

START = np.array([-1.2, 1.0, 0.7])


def rosenbrock(x: Any, y: Any) -> Any:
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum() + (y * y).sum()


def closure_of(optimizer: Any, parameters: list[Any]) -> Any:
    def closure() -> Any:
        optimizer.zero_grad()
        loss = rosenbrock(*parameters)
        loss.backward()
        return loss

    return closure


def fresh(dtype: str = "d") -> list[cr.Parameter]:
    return [cr.Parameter(START.astype(dtype)), cr.Parameter(np.full((2, 2), 0.5, dtype))]


def test_the_line_search_finds_the_minimum_of_rosenbrock() -> None:
    parameters = fresh()
    optimizer = optim.LBFGS(parameters, max_iter=100, line_search_fn="strong_wolfe")
    first = optimizer.step(closure_of(optimizer, list(parameters))).item()
    assert first == pytest.approx(rosenbrock(START, np.full((2, 2), 0.5)))
    np.testing.assert_allclose(parameters[0].numpy(), 1.0, rtol=1e-5)
    np.testing.assert_allclose(parameters[1].numpy(), 0.0, atol=1e-5)


def test_a_quadratic_is_solved_in_few_evaluations() -> None:
    scales = np.array([1.0, 10.0, 100.0])
    w = cr.Parameter(np.ones(3))
    optimizer = optim.LBFGS([w], line_search_fn="strong_wolfe")
    counted = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (w * w * cr.tensor(scales)).sum()
        loss.backward()
        counted.append(loss.item())
        return loss

    optimizer.step(closure)
    assert np.abs(w.numpy()).max() < 1e-6
    assert len(counted) <= 25
    assert optimizer.state[w]["func_evals"] == len(counted)


OPTIONS: list[dict[str, Any]] = [
    {"lr": 0.01, "max_iter": 4},
    {"lr": 0.02, "max_iter": 6, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "max_iter": 3},
    {"line_search_fn": "strong_wolfe", "max_iter": 8, "max_eval": 10, "history_size": 3},
    {"line_search_fn": "strong_wolfe", "lr": 0.5, "tolerance_change": 1e-3},
]


@pytest.mark.oracle
@pytest.mark.parametrize("options", OPTIONS)
def test_steps_are_those_of_pytorch(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = fresh(), [torch.nn.Parameter(torch.tensor(each.numpy().copy())) for each in fresh()]
    optimizer, expected = optim.LBFGS(ours, **options), torch.optim.LBFGS(theirs, **options)
    for _ in range(2):  # more would only show how this problem amplifies rounding
        mine = optimizer.step(closure_of(optimizer, list(ours))).item()
        other = expected.step(closure_of(expected, theirs)).item()
        assert mine == pytest.approx(other, rel=1e-9, abs=1e-12)
        for first, second in zip(ours, theirs):
            np.testing.assert_allclose(first.numpy(), second.detach().numpy(), rtol=1e-9, atol=1e-9)
        kept, reference = optimizer.state[ours[0]], expected.state[theirs[0]]
        assert (kept["func_evals"], kept["n_iter"]) == (reference["func_evals"], reference["n_iter"])


@pytest.mark.oracle
def test_a_state_dict_of_pytorch_loads() -> None:
    torch = pytest.importorskip("torch")
    theirs = [torch.nn.Parameter(torch.tensor(each.numpy().copy())) for each in fresh()]
    expected = torch.optim.LBFGS(theirs, **OPTIONS[2])
    expected.step(closure_of(expected, theirs))
    ours = [cr.Parameter(each.detach().numpy()) for each in theirs]
    optimizer = optim.LBFGS(ours, **OPTIONS[2])
    optimizer.load_state_dict(expected.state_dict())
    optimizer.step(closure_of(optimizer, list(ours)))
    expected.step(closure_of(expected, theirs))
    np.testing.assert_allclose(ours[0].numpy(), theirs[0].detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_restored_optimiser_goes_on_with_the_same_bits(options: dict[str, Any], dtype: str) -> None:
    straight = fresh(dtype)
    optimizer = optim.LBFGS(straight, **options)
    optimizer.step(closure_of(optimizer, list(straight)))
    resumed = [cr.Parameter(each.numpy()) for each in straight]
    again = optim.LBFGS(resumed)
    saved = optimizer.state_dict()
    assert all(isinstance(each, np.ndarray | int | float) for each in saved["state"][0].values())
    again.load_state_dict(saved)
    for made, parameters in ((optimizer, straight), (again, resumed)):
        made.step(closure_of(made, list(parameters)))
    assert straight[0].numpy().tobytes() == resumed[0].numpy().tobytes()
    assert straight[0].dtype == np.dtype(dtype)


def test_an_infinite_loss_on_the_way_is_stepped_back_from() -> None:
    w = cr.Parameter(np.array([0.9]))
    optimizer = optim.LBFGS([w], lr=10.0, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (w - cr.log(w)).sum()  # NaN for w < 0, least at w = 1
        loss.backward()
        return loss

    optimizer.step(closure)
    assert w.item() == pytest.approx(1.0, rel=1e-5)


def test_where_a_cubic_is_least() -> None:
    def at(x: float) -> Point:  # x³ - 3x has its minimum at 1
        return Point(x, x**3 - 3 * x, np.zeros(1), 3 * x**2 - 3)

    assert cubic_minimum(at(0.0), at(3.0), 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(at(3.0), at(0.0), 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(at(0.0), at(3.0), 2.0, 3.0) == 2.0


def test_what_cant_be() -> None:
    w = cr.Parameter([1.0])
    optimizer = optim.LBFGS([w])
    with pytest.raises(ConfigurationError, match="closure"):
        optimizer.step()
    with pytest.raises(TraceError, match="traced"):
        cr.trace(lambda x: optimizer.step(lambda: (w * x).sum()))(cr.ones(1))
    with pytest.raises(ConfigurationError, match="d: expected 1 elements"):
        saved = {"func_evals": 1, "n_iter": 1, "d": np.ones(2), "prev_flat_grad": np.ones(2)}
        optimizer.load_state_dict({"state": {0: saved}, "param_groups": optimizer.state_dict()["param_groups"]})
