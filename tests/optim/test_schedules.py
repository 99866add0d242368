"""Schedules against their formulas and, where it is installed, against PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import ConfigurationError, UnknownNameError
from chainrule.optim import lr_scheduler, schedules

STEPS = 24


def optimizer_with(*rates: float, module: Any = optim.SGD) -> Any:
    return module([{"params": [cr.Parameter([1.0])], "lr": rate} for rate in rates], lr=0.5)


# The rate that each schedule gives at epoch t when it starts with rate 1.
FORMULAS: dict[str, tuple[Callable[[Any], Any], Callable[[int], float]]] = {
    "step": (lambda o: schedules.StepLR(o, 5, 0.5), lambda t: 0.5 ** (t // 5)),
    "multi-step": (lambda o: schedules.MultiStepLR(o, [7, 3, 3]), lambda t: 0.1 ** ((t >= 3) * 2 + (t >= 7))),
    "exponential": (lambda o: schedules.ExponentialLR(o, 0.9), lambda t: 0.9**t),
    "constant": (lambda o: schedules.ConstantLR(o, 0.25, 4), lambda t: 0.25 if t < 4 else 1),
    "linear": (lambda o: schedules.LinearLR(o, 0.2, 0.8, 10), lambda t: 0.2 + 0.6 * min(t, 10) / 10),
    "polynomial": (lambda o: schedules.PolynomialLR(o, 9, 2.0), lambda t: (1 - min(t, 9) / 9) ** 2),
    "lambda": (lambda o: schedules.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "multiplicative": (
        lambda o: schedules.MultiplicativeLR(o, lambda t: 1 / t),
        lambda t: 1 / math.factorial(t),
    ),
    "cosine": (
        lambda o: schedules.CosineAnnealingLR(o, 8),
        lambda t: (1 + math.cos(math.pi * t / 8)) / 2,
    ),
    "warm-up": (
        lambda o: schedules.with_warmup(schedules.ConstantLR(o, 1.0), 4, start_factor=0.2),
        lambda t: 0.2 + 0.8 * min(t, 4) / 4,
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_rate_follows_its_formula(name: str) -> None:
    make, formula = FORMULAS[name]
    optimizer = optimizer_with(1.0, 3.0)
    schedule = make(optimizer)
    for epoch in range(STEPS):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([formula(epoch), 3 * formula(epoch)], rel=1e-12, abs=1e-15)
        assert schedule.get_last_lr() == rates
        schedule.step()


ORACLE = {
    "StepLR": ("StepLR", {"step_size": 4, "gamma": 0.3}),
    "MultiStepLR": ("MultiStepLR", {"milestones": [3, 9]}),
    "ExponentialLR": ("ExponentialLR", {"gamma": 0.93}),
    "ConstantLR": ("ConstantLR", {}),
    "LinearLR": ("LinearLR", {}),
    "PolynomialLR": ("PolynomialLR", {"total_iters": 11, "power": 1.5}),
    "CosineAnnealingLR": ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.01}),
    "restarts": ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.02}),
    "equal restarts": ("CosineAnnealingWarmRestarts", {"T_0": 4}),
    "CyclicLR": ("CyclicLR", {"base_lr": 0.1, "max_lr": [1.0, 2.0], "step_size_up": 3, "step_size_down": 5}),
    "halved cycles": ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 4, "mode": "triangular2"}),
    "falling cycles": (
        "CyclicLR",
        {"base_lr": [0.1, 0.2], "max_lr": 1.0, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9},
    ),
    "OneCycleLR": ("OneCycleLR", {"max_lr": 2.0, "total_steps": STEPS + 1}),
    "three phases": (
        "OneCycleLR",
        {"max_lr": [2.0, 1.0], "epochs": 5, "steps_per_epoch": 5, "three_phase": True, "anneal_strategy": "linear"},
    ),
}


@pytest.mark.oracle
@pytest.mark.parametrize("case", ORACLE)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_rates_are_those_of_pytorch(case: str, kind: str) -> None:
    torch = pytest.importorskip("torch")
    name, arguments = ORACLE[case]
    ours = optimizer_with(0.5, 0.1, module=getattr(optim, kind))
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in (0.5, 0.1)]
    theirs = getattr(torch.optim, kind)(groups)
    schedule = getattr(lr_scheduler, name)(ours, **arguments)
    expected = getattr(torch.optim.lr_scheduler, name)(theirs, **arguments)
    for _ in range(STEPS):
        for group, other in zip(ours.param_groups, theirs.param_groups):
            assert group["lr"] == pytest.approx(other["lr"], rel=1e-10, abs=1e-14)
            assert group.get("momentum", 0) == pytest.approx(other.get("momentum", 0), rel=1e-12)
            assert group.get("betas", 0) == pytest.approx(other.get("betas", 0), rel=1e-12)
        theirs.step()
        schedule.step()
        expected.step()


@pytest.mark.oracle
def test_a_sequence_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = optimizer_with(0.5), torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    made = []
    for module, optimizer in ((lr_scheduler, ours), (torch.optim.lr_scheduler, theirs)):
        parts = [
            module.LinearLR(optimizer, 0.1, total_iters=4),
            module.StepLR(optimizer, 3),
            module.ExponentialLR(optimizer, 0.9),
        ]
        made.append(module.SequentialLR(optimizer, parts, milestones=[4, 12]))
    for _ in range(STEPS):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12)
        theirs.step()
        for schedule in made:
            schedule.step()


@pytest.mark.oracle
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau_is_that_of_pytorch(mode: str, threshold_mode: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = optimizer_with(0.5), torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    options = {
        "mode": mode,
        "threshold_mode": threshold_mode,
        "patience": 2,
        "cooldown": 1,
        "factor": 0.5,
        "min_lr": 0.05,
    }
    schedule = schedules.ReduceLROnPlateau(ours, threshold=0.05, **options)  # type: ignore[arg-type]
    expected = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, threshold=0.05, **options)
    for step in range(40):
        measure = 2 + math.sin(step) / (1 + step // 3)
        schedule.step(measure)
        expected.step(measure)
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12)
        assert schedule.num_bad_epochs == expected.num_bad_epochs


def test_cosine_goes_half_way_to_its_lowest_rate_and_there_and_back() -> None:
    optimizer = optimizer_with(1.0)
    schedule = schedules.CosineAnnealingLR(optimizer, T_max=4, eta_min=0.2)
    seen = {}
    for epoch in range(1, 9):
        schedule.step()
        seen[epoch] = optimizer.param_groups[0]["lr"]
    assert [seen[epoch] for epoch in (2, 4, 6, 8)] == pytest.approx([0.6, 0.2, 0.6, 1.0])


def test_plateau_lowers_the_rate_after_patience_runs_out() -> None:
    optimizer = optimizer_with(1.0)
    schedule = schedules.ReduceLROnPlateau(optimizer, patience=1, factor=0.5)
    seen = []
    for loss in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0):
        schedule.step(loss)
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]


def test_one_cycle_reaches_its_three_rates_and_turns_momentum_round() -> None:
    optimizer = optimizer_with(1.0)
    schedule = schedules.OneCycleLR(optimizer, max_lr=1.0, total_steps=20, pct_start=0.5)
    seen = []
    for _ in range(20):
        seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
        schedule.step() if len(seen) < 20 else None
    assert seen[0] == pytest.approx((1 / 25, 0.95))
    assert seen[9] == pytest.approx((1.0, 0.85))
    assert seen[19] == pytest.approx((1 / 25 / 1e4, 0.95))


def test_one_cycle_beyond_its_last_step_is_an_error() -> None:
    schedule = schedules.OneCycleLR(optimizer_with(1.0), max_lr=1.0, total_steps=2)
    schedule.step()
    schedule.step()
    with pytest.raises(ConfigurationError, match="2 steps"):
        schedule.step()


def test_two_schedules_on_one_optimiser_multiply() -> None:
    optimizer = optimizer_with(1.0)
    both = [schedules.ExponentialLR(optimizer, 0.9), schedules.StepLR(optimizer, 2, 0.5)]
    for _ in range(6):
        for schedule in both:
            schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.9**6 * 0.5**3, rel=1e-12)


def test_a_rate_changed_by_hand_is_the_new_start() -> None:
    optimizer = optimizer_with(1.0)
    schedule = schedules.ExponentialLR(optimizer, 0.5)
    optimizer.param_groups[0]["lr"] = 10.0
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(5.0)


def test_a_rate_kept_as_a_tensor_stays_the_same_tensor() -> None:
    rate = cr.tensor(1.0)
    optimizer = optim.SGD([cr.Parameter([1.0])], lr=rate)
    schedule = schedules.ExponentialLR(optimizer, 0.9)
    for _ in range(30):
        schedule.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.9**30, rel=1e-6)


@pytest.mark.parametrize("name", [*FORMULAS, "restarts", "one-cycle"])
def test_a_restored_schedule_goes_on_with_the_same_bits(name: str) -> None:
    extra = {
        "restarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 3, 2),
        "one-cycle": lambda o: schedules.OneCycleLR(o, 1.0, STEPS),
    }
    make = extra[name] if name in extra else FORMULAS[name][0]
    straight = optimizer_with(0.3)
    schedule = make(straight)
    for _ in range(6):
        schedule.step()
    resumed = optimizer_with(0.3)
    again = make(resumed)
    resumed.load_state_dict(straight.state_dict())
    again.load_state_dict(schedule.state_dict())
    for _ in range(10):
        schedule.step()
        again.step()
        assert resumed.param_groups[0]["lr"] == straight.param_groups[0]["lr"]


def test_state_of_another_schedule_is_refused() -> None:
    optimizer = optimizer_with(1.0)
    with pytest.raises(ConfigurationError, match="gamma"):
        schedules.ConstantLR(optimizer).load_state_dict(schedules.ExponentialLR(optimizer, 0.5).state_dict())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda o: schedules.StepLR(o, 0), "step_size"),
        (lambda o: schedules.StepLR([1], 2), "optimiser"),
        (lambda o: schedules.LinearLR(o, 0.0), "start_factor"),
        (lambda o: schedules.ConstantLR(o, 2.0), "factor"),
        (lambda o: schedules.OneCycleLR(o, 1.0), "total_steps"),
        (lambda o: schedules.OneCycleLR(o, 1.0, 10, anneal_strategy="log"), "anneal_strategy"),
        (lambda o: schedules.OneCycleLR(o, [1.0, 2.0], 10), "max_lr"),
        (lambda o: schedules.OneCycleLR(optimizer_with(1.0, module=optim.Adagrad), 1.0, 10), "cycle_momentum"),
        (lambda o: schedules.ReduceLROnPlateau(o, factor=1.5), "factor"),
        (lambda o: schedules.ReduceLROnPlateau(o, mode="best"), "mode"),
        (lambda o: schedules.ReduceLROnPlateau(o).step(), "measure"),
        (lambda o: schedules.SequentialLR(o, [schedules.ConstantLR(o)], [3]), "milestones"),
        (lambda o: schedules.LambdaLR(o, [lambda t: 1.0, lambda t: 1.0]), "lr_lambda"),
        (lambda o: schedules.StepLR(o, 2, last_epoch=3), "initial_lr"),
        (lambda o: schedules.SequentialLR(o, [schedules.StepLR(optimizer_with(1.0), 2)], []), "optimiser"),
    ],
)
def test_bad_options_are_named(make: Callable[[Any], Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make(optimizer_with(1.0))


def test_schedules_by_name() -> None:
    assert schedules.by_name("one-cycle") is schedules.OneCycleLR
    with pytest.raises(UnknownNameError, match="cosine"):
        schedules.by_name("cosin")


@pytest.mark.parametrize(
    "make",
    [
        lambda o: schedules.StepLR(o, 5),
        lambda o: schedules.CyclicLR(o, 0.1, 1.0, 4),
        lambda o: schedules.MultiplicativeLR(o, lambda t: 0.5),
        lambda o: schedules.LambdaLR(o, lambda t: 0.5),
        lambda o: schedules.OneCycleLR(o, 1.0, 9),
    ],
)
def test_a_group_added_later_is_not_passed_over(make: Callable[[Any], Any]) -> None:
    optimizer = optimizer_with(1.0)
    schedule = make(optimizer)
    optimizer.add_param_group({"params": [cr.Parameter([1.0])]})
    for epoch in (None, 3):
        with pytest.raises(ConfigurationError, match="for 1 parameter groups, and the optimiser has 2"):
            schedule.step(epoch)
