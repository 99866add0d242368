"""The optimisers beyond PyTorch's first few: against their papers in plain NumPy, against PyTorch, and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import ConfigurationError

from .steps import assert_goes_on_from_pytorch, assert_resumes, gradients_at, loss_of, take_steps

Array = np.ndarray[Any, Any]
Memory = dict[str, Any]
STEPS = 12
MATRIX = np.random.default_rng(0).standard_normal((4, 3))
OTHER = np.random.default_rng(1).standard_normal((2, 5))


# -- the formulas of the papers, on one array: functions of (w, g, t, memory) that give the new w


def adadelta(w: Array, g: Array, t: int, memory: Memory) -> Array:
    """Zeiler 2012, algorithm 1, with ρ 0.8 and ε 1e-4."""
    memory["g2"] = 0.8 * memory.get("g2", 0.0) + 0.2 * g**2
    move = -np.sqrt(memory.get("x2", 0.0) + 1e-4) / np.sqrt(memory["g2"] + 1e-4) * g
    memory["x2"] = 0.8 * memory.get("x2", 0.0) + 0.2 * move**2
    return w + 0.5 * move


def adamax(w: Array, g: Array, t: int, memory: Memory) -> Array:
    """Kingma and Ba 2015, algorithm 2."""
    memory["m"] = 0.8 * memory.get("m", 0.0) + 0.2 * g
    memory["u"] = np.maximum(0.9 * memory.get("u", 0.0), np.abs(g) + 1e-8)
    return w - 0.05 / (1 - 0.8**t) * memory["m"] / memory["u"]


def nadam(w: Array, g: Array, t: int, memory: Memory) -> Array:
    """Dozat 2016, with the schedule of momentum 0.9 (1 - 0.96^(t/250) / 2)."""
    memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0.0) + 0.001 * g**2
    mu = [0.9 * (1 - 0.5 * 0.96 ** (step * 4e-3)) for step in range(1, t + 2)]
    m_hat = mu[t] * memory["m"] / (1 - np.prod(mu)) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:t]))
    return w - 0.02 * m_hat / (np.sqrt(memory["v"] / (1 - 0.999**t)) + 1e-8)


def radam(w: Array, g: Array, t: int, memory: Memory) -> Array:
    """Liu et al. 2020, algorithm 2, with β2 0.9: rectified from the sixth step on."""
    memory["m"] = 0.8 * memory.get("m", 0.0) + 0.2 * g
    memory["v"] = 0.9 * memory.get("v", 0.0) + 0.1 * g**2
    m_hat, longest = memory["m"] / (1 - 0.8**t), 2 / (1 - 0.9) - 1
    length = longest - 2 * t * 0.9**t / (1 - 0.9**t)
    if length <= 5:
        return w - 0.05 * m_hat
    rate = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
    return w - 0.05 * rate * m_hat * np.sqrt(1 - 0.9**t) / (np.sqrt(memory["v"]) + 1e-8)


def rprop(w: Array, g: Array, t: int, memory: Memory) -> Array:
    """Riedmiller and Braun 1993, one weight after the other."""
    old, size = memory.setdefault("g", np.zeros_like(w)), memory.setdefault("size", np.full_like(w, 0.1))
    new = w.copy()
    for place in np.ndindex(*w.shape):
        now = g[place]
        if old[place] * now > 0:
            size[place] = min(size[place] * 1.2, 0.4)
        elif old[place] * now < 0:
            size[place], now = max(size[place] * 0.5, 1e-3), 0.0
        new[place] -= np.sign(now) * size[place]
        old[place] = now
    return new


def lion(w: Array, g: Array, t: int, memory: Memory) -> Array:
    """Chen et al. 2023, algorithm 2."""
    old = memory.get("m", np.zeros_like(w))
    memory["m"] = 0.99 * old + 0.01 * g
    return w - 0.01 * (np.sign(0.9 * old + 0.1 * g) + 0.3 * w)


def lamb(w: Array, g: Array, t: int, memory: Memory) -> Array:
    """You et al. 2020, algorithm 2, φ the identity."""
    memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0.0) + 0.001 * g**2
    r = memory["m"] / (1 - 0.9**t) / (np.sqrt(memory["v"] / (1 - 0.999**t)) + 1e-6) + 0.1 * w
    return w - 0.02 * np.linalg.norm(w) / np.linalg.norm(r) * r


def adafactor(w: Array, g: Array, t: int, memory: Memory) -> Array:
    """Shazeer and Stern 2018, algorithm 4, with the least scale of a step and no momentum."""
    beta = 1 - t**-0.8
    memory["r"] = beta * memory.get("r", 0.0) + (1 - beta) * (g**2).mean(-1)
    memory["c"] = beta * memory.get("c", 0.0) + (1 - beta) * (g**2).mean(-2)
    v = np.outer(memory["r"], memory["c"]) / memory["r"].mean()
    u = g / np.sqrt(v)
    u = u / max(1, np.sqrt((u**2).mean()) / 1.5)
    return w * (1 - 0.1 * 0.3) - max(1e-3, np.sqrt((w**2).mean())) * min(0.1, 1 / np.sqrt(t)) * u


def muon(w: Array, g: Array, t: int, memory: Memory) -> Array:
    """Jordan et al. 2024; the iteration as a polynomial of the singular values."""
    old = memory.get("b", np.zeros_like(w))
    memory["b"] = 0.95 * old + 0.05 * g
    left, sizes, right = np.linalg.svd(g + 0.95 * (memory["b"] - g), full_matrices=False)
    sizes = sizes / np.linalg.norm(sizes)
    for _ in range(5):
        sizes = 3.4445 * sizes - 4.775 * sizes**3 + 2.0315 * sizes**5
    return w * (1 - 0.02 * 0.1) - 0.02 * np.sqrt(max(1, w.shape[0] / w.shape[1])) * (left * sizes) @ right


PAPERS: dict[str, tuple[Callable[[Any], optim.Optimizer], Callable[..., Array]]] = {
    "adadelta": (lambda p: optim.Adadelta(p, lr=0.5, rho=0.8, eps=1e-4), adadelta),
    "adamax": (lambda p: optim.Adamax(p, lr=0.05, betas=(0.8, 0.9)), adamax),
    "nadam": (lambda p: optim.NAdam(p, lr=0.02), nadam),
    "radam": (lambda p: optim.RAdam(p, lr=0.05, betas=(0.8, 0.9)), radam),
    "rprop": (lambda p: optim.Rprop(p, lr=0.1, step_sizes=(1e-3, 0.4)), rprop),
    "lion": (lambda p: optim.Lion(p, lr=0.01, weight_decay=0.3), lion),
    "lamb": (lambda p: optim.LAMB(p, lr=0.02, weight_decay=0.1), lamb),
    "muon": (lambda p: optim.Muon(p, lr=0.02), muon),
    "adafactor": (lambda p: optim.Adafactor(p, lr=0.1, d=1.5, weight_decay=0.3), adafactor),
}


def fresh(dtype: Any = float) -> list[cr.Parameter]:
    return [cr.Parameter(MATRIX.astype(dtype)), cr.Parameter(OTHER.astype(dtype))]


@pytest.mark.parametrize("name", PAPERS)
def test_steps_follow_the_paper(name: str) -> None:
    make, formula = PAPERS[name]
    parameters = fresh()
    take_steps(make(parameters), cr, list(parameters), STEPS)
    arrays, counts, memories = [MATRIX.copy(), OTHER.copy()], [0, 0], [{}, {}]  # type: ignore[var-annotated]
    for number in range(STEPS):
        for index, gradient in enumerate(gradients_at(*arrays)):
            if index == 0 or number % 3 != 1:
                counts[index] += 1
                arrays[index] = formula(arrays[index], gradient, counts[index], memories[index])
    for parameter, array in zip(parameters, arrays):
        np.testing.assert_allclose(parameter.numpy(), array, rtol=1e-11, atol=1e-12)


def test_averaged_descent_keeps_the_mean_of_its_weights() -> None:
    """With no rate of its own (lambd 0) ASGD is plain descent; the mean counts from step t0 on."""
    w = cr.Parameter([4.0])
    optimizer, seen = optim.ASGD([w], lr=0.25, lambd=0.0, t0=2.0), []
    for _ in range(6):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        seen.append(w.item())
    assert seen == [4.0 * 0.5**k for k in range(1, 7)]
    # μ is 1 / max(1, t - 2) of the step before: the mean starts anew until t = 3
    assert optimizer.state[w]["ax"].item() == pytest.approx(np.mean(seen[3:]))


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.01}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05, "betas": (0.7, 0.8), "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "betas": (0.7, 0.8), "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.4, "beta2_decay": -0.5, "eps": (1e-4, 0.1), "d": 1.2, "weight_decay": 0.1}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.2, "etas": (0.4, 1.5), "step_sizes": (0.01, 0.3), "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.5, "t0": 3, "weight_decay": 0.1, "maximize": True}),
]
OURS: list[tuple[str, dict[str, Any]]] = [
    *OPTIONS,
    ("Lion", {"lr": 0.01, "weight_decay": 0.1}),
    ("LAMB", {"lr": 0.05}),
    ("Muon", {"lr": 0.05}),
    ("Muon", {"lr": 0.05, "nesterov": False, "adjust_lr_fn": "match_rms_adamw", "maximize": True}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_steps_are_those_of_pytorch(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = fresh(), [torch.nn.Parameter(torch.tensor(each)) for each in (MATRIX, OTHER)]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # it keeps NAdam's product of momenta in that
    try:
        optimizer, expected = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
        for number in range(STEPS):
            take_steps(optimizer, cr, list(ours), 1, number)
            take_steps(expected, torch, theirs, 1, number)
            for mine, other in zip(ours, theirs):
                np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-10, atol=1e-10)
    finally:
        torch.set_default_dtype(before)


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_a_state_dict_of_pytorch_loads_and_goes_on(name: str, options: dict[str, Any]) -> None:
    assert_goes_on_from_pytorch(name, options, (MATRIX, OTHER), 1e-6)


@pytest.mark.parametrize(("name", "options"), OURS)
def test_a_restored_optimiser_goes_on_with_the_same_bits(name: str, options: dict[str, Any]) -> None:
    assert_resumes(name, options, (MATRIX, OTHER))


@pytest.mark.parametrize(("name", "options"), OURS)
def test_a_compiled_step_is_the_eager_one(name: str, options: dict[str, Any]) -> None:
    weights = []
    for wrapped in (lambda function: function, cr.compile):
        parameters = fresh()
        optimizer = getattr(optim, name)(parameters, **options)

        def step(parameters: Any = parameters, optimizer: Any = optimizer) -> Any:
            loss = loss_of(cr, *parameters)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        run = wrapped(lambda step=step: step())
        for _ in range(8):
            run()
        weights.append([each.numpy() for each in parameters])
    for eager, compiled in zip(*weights):
        np.testing.assert_allclose(compiled, eager, rtol=1e-9, atol=1e-10)


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: optim.Adadelta(fresh(), rho=1.5), "rho must be between 0 and 1, but is 1.5"),
    (lambda: optim.Adamax(fresh(), betas=(0.9, 1.0)), "betas"),
    (lambda: optim.NAdam(fresh(), momentum_decay=-1.0), "momentum_decay"),
    (lambda: optim.RAdam(fresh(), eps=-1.0), "eps"),
    (lambda: optim.Rprop(fresh(), etas=(1.2, 0.5)), "etas"),
    (lambda: optim.Rprop(fresh(), step_sizes=(1.0, 0.5)), "step_sizes"),
    (lambda: optim.ASGD(fresh(), t0=-1), "t0"),
    (lambda: optim.Lion(fresh(), lr=-1.0), "lr"),
    (lambda: optim.LAMB(fresh(), weight_decay=-1.0), "weight_decay"),
    (lambda: optim.Muon([cr.Parameter([1.0])]), r"matrices.*\(1,\).*AdamW"),
    (lambda: optim.Muon(fresh(), ns_steps=0), "ns_steps"),
    (lambda: optim.Muon(fresh(), adjust_lr_fn="other"), "match_rms_adamw"),
    (lambda: optim.ExponentialMovingAverage(fresh(), decay=1.0), "decay"),
]


@pytest.mark.parametrize(("make", "says"), BAD)
def test_bad_options_are_named(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


# -- averages of weights


def test_averages_are_the_weighted_sum_of_all_weights() -> None:
    w = cr.Parameter([0.0])
    average = optim.ExponentialMovingAverage([w], decay=0.75)
    for number in (1.0, 2.0, 3.0):
        w.assign([number])
        average.update()
    with average.applied():
        assert w.item() == pytest.approx(0.25 * (3 + 0.75 * 2 + 0.75**2 * 1))
    assert w.item() == 3.0


def test_averages_warm_up_follow_the_first_weights_closely() -> None:
    w = cr.Parameter([1.0])
    average = optim.ExponentialMovingAverage([w], decay=0.999, warm_up=True)
    w.assign([11.0])
    average.update()
    assert average.averages[0].item() == pytest.approx(11.0 - 10 * 2 / 11)


def test_averages_compiled_saved_and_applied_after_an_error() -> None:
    w = cr.Parameter([1.0])
    average = optim.ExponentialMovingAverage([w], decay=0.5)

    @cr.compile
    def double() -> Any:
        w.assign(w * 2)
        average.update()
        return w.sum()

    double(), double()
    assert average.averages[0].item() == pytest.approx(0.5 * 4 + 0.25 * 2 + 0.25 * 1)
    other = optim.ExponentialMovingAverage([w], decay=0.5)
    other.load_state_dict(average.state_dict())
    assert other.count.item() == 2.0 and other.averages[0].numpy() == average.averages[0].numpy()
    with pytest.raises(RuntimeError, match="inside"), other.applied():
        raise RuntimeError("inside")
    assert w.item() == 4.0
    with pytest.raises(ConfigurationError, match="averages"):
        other.load_state_dict({"count": 1, "averages": [np.zeros(2, np.float32)]})
