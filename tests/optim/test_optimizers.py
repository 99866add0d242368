"""Every optimiser against the formulas of its paper in plain NumPy and, where it is installed, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import ConfigurationError, UnknownNameError

from .steps import assert_goes_on_from_pytorch, assert_resumes, gradients_at, take_steps

Array = np.ndarray[Any, Any]
STEPS = 12
MATRIX = np.random.default_rng(0).standard_normal((4, 3))
VECTOR = np.random.default_rng(1).standard_normal(5)


def fresh() -> list[cr.Parameter]:
    return [cr.Parameter(MATRIX), cr.Parameter(VECTOR)]


# -- the formulas of the papers, on one array: functions of (w, g, t, memory) that give the new w


def sgd_1986(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
    """Rumelhart, Hinton and Williams 1986, equation 9: Δw(t) = -ε ∂E/∂w(t) + α Δw(t-1)."""
    memory["move"] = -0.1 * g + 0.9 * memory.get("move", 0.0)
    return w + memory["move"]


def nesterov(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
    memory["v"] = 0.8 * memory.get("v", 0.0) + g
    return w - 0.05 * (g + 0.8 * memory["v"])


def damped(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
    g = g + 0.1 * w
    memory["v"] = 0.5 * memory["v"] + 0.7 * g if "v" in memory else g
    return w - 0.05 * memory["v"]


def adam(w: Array, g: Array, t: int, memory: dict[str, Any], decay: float = 0.0) -> Array:
    """Kingma and Ba 2015, algorithm 1."""
    memory["m"] = 0.8 * memory.get("m", 0.0) + 0.2 * g
    memory["v"] = 0.95 * memory.get("v", 0.0) + 0.05 * g**2
    m_hat, v_hat = memory["m"] / (1 - 0.8**t), memory["v"] / (1 - 0.95**t)
    return w - 0.05 * decay * w - 0.05 * m_hat / (np.sqrt(v_hat) + 1e-6)


def amsgrad(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
    """Reddi, Kale and Kumar 2018, with the bias corrections of Adam."""
    memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0.0) + 0.001 * g**2
    memory["largest"] = np.maximum(memory.get("largest", 0.0), memory["v"])
    return w - 0.05 * memory["m"] / (1 - 0.9**t) / (np.sqrt(memory["largest"] / (1 - 0.999**t)) + 1e-8)


def rmsprop(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
    """Tieleman and Hinton 2012, lecture 6e."""
    memory["s"] = 0.9 * memory.get("s", 0.0) + 0.1 * g**2
    return w - 0.02 * g / (np.sqrt(memory["s"]) + 1e-8)


def centred(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
    """Graves 2013, equations 38 to 41."""
    memory["n"] = 0.95 * memory.get("n", 0.0) + 0.05 * g**2
    memory["g"] = 0.95 * memory.get("g", 0.0) + 0.05 * g
    memory["move"] = 0.9 * memory.get("move", 0.0) - 0.01 * g / (np.sqrt(memory["n"] - memory["g"] ** 2) + 1e-4)
    return w + memory["move"]


def adagrad(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
    """Duchi, Hazan and Singer 2011."""
    memory["sum"] = memory.get("sum", 0.5) + g**2
    return w - 0.1 / (1 + (t - 1) * 0.2) * g / (np.sqrt(memory["sum"]) + 1e-10)


PAPERS: dict[str, tuple[Callable[[Any], optim.Optimizer], Callable[..., Array]]] = {
    "sgd": (lambda p: optim.SGD(p, lr=0.1), lambda w, g, t, memory: w - 0.1 * g),
    "sgd, 1986": (lambda p: optim.SGD(p, lr=0.1, momentum=0.9), sgd_1986),
    "sgd, nesterov": (lambda p: optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True), nesterov),
    "sgd, damped": (lambda p: optim.SGD(p, lr=0.05, momentum=0.5, dampening=0.3, weight_decay=0.1), damped),
    "sgd, maximize": (lambda p: optim.SGD(p, lr=0.1, maximize=True), lambda w, g, t, memory: w + 0.1 * g),
    "adam": (lambda p: optim.Adam(p, lr=0.05, betas=(0.8, 0.95), eps=1e-6), adam),
    "adam, amsgrad": (lambda p: optim.Adam(p, lr=0.05, amsgrad=True), amsgrad),
    "adamw": (
        lambda p: optim.AdamW(p, lr=0.05, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.3),
        lambda w, g, t, memory: adam(w, g, t, memory, decay=0.3),
    ),
    "rmsprop": (lambda p: optim.RMSprop(p, lr=0.02, alpha=0.9), rmsprop),
    "rmsprop, centred": (
        lambda p: optim.RMSprop(p, lr=0.01, alpha=0.95, momentum=0.9, centered=True, eps=1e-4),
        centred,
    ),
    "adagrad": (lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.2, initial_accumulator_value=0.5), adagrad),
}


@pytest.mark.parametrize("name", PAPERS)
def test_steps_follow_the_paper(name: str) -> None:
    make, formula = PAPERS[name]
    parameters = fresh()
    take_steps(make(parameters), cr, list(parameters), STEPS)
    arrays, counts, memories = [MATRIX.copy(), VECTOR.copy()], [0, 0], [{}, {}]  # type: ignore[var-annotated]
    for number in range(STEPS):
        for index, gradient in enumerate(gradients_at(*arrays)):
            if index == 0 or number % 3 != 1:
                counts[index] += 1
                arrays[index] = formula(arrays[index], gradient, counts[index], memories[index])
    for parameter, array in zip(parameters, arrays):
        np.testing.assert_allclose(parameter.numpy(), array, rtol=1e-12, atol=1e-13)


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.01, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "maximize": True}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.2, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.1}),
    ("RMSprop", {"alpha": 0.5, "momentum": 0.9, "maximize": True}),
    ("Adagrad", {"lr": 0.3}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2, "maximize": True}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_steps_are_those_of_pytorch(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = fresh(), [torch.nn.Parameter(torch.tensor(each)) for each in (MATRIX, VECTOR)]
    optimizer, expected = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for number in range(STEPS):
        take_steps(optimizer, cr, list(ours), 1, number)
        take_steps(expected, torch, theirs, 1, number)
        for mine, other in zip(ours, theirs):
            np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_a_state_dict_of_pytorch_loads_and_goes_on(name: str, options: dict[str, Any]) -> None:
    assert_goes_on_from_pytorch(name, options, (MATRIX, VECTOR), 1e-10)


# -- what holds for all of them


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_a_restored_optimiser_goes_on_with_the_same_bits(name: str, options: dict[str, Any]) -> None:
    assert_resumes(name, options, (MATRIX, VECTOR))


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_a_traced_update_is_the_eager_one(name: str, options: dict[str, Any]) -> None:
    """The move of one parameter, written into a graph, counts its steps there: nothing is baked in but the options."""
    parameter = cr.Parameter(VECTOR)
    optimizer = getattr(optim, name)([parameter], **options)
    group = optimizer.param_groups[0]
    names = optimizer._state_names(group)

    def update(weights: Any, gradient: Any, *kept: Any) -> Any:
        cells = [_Cell(each) for each in (weights, *kept)]
        optimizer._update(cells[0], gradient, dict(zip(names, cells[1:])), group)
        return [cell.value for cell in cells]

    state = optimizer._state_of(parameter, group)
    arrays = [parameter, *(state[each] for each in names)]
    graph = cr.trace(update)(arrays[0], VECTOR, *arrays[1:])
    for _ in range(3):
        parameter.grad = cr.tensor(gradients_at(MATRIX, parameter.numpy())[1])
        arrays = _run(graph, [arrays[0], parameter.grad, *arrays[1:]])
        optimizer.step()
        np.testing.assert_allclose(arrays[0].numpy(), parameter.numpy(), rtol=1e-12)
    if "step" in names:
        assert arrays[1 + names.index("step")].item() == 3.0


class _Cell(cr.Tensor):
    """Stands for a cell of a traced program: `assign` remembers the value to be written."""

    __slots__ = ()

    def __init__(self, start: cr.Tensor) -> None:
        self._own_value, self._own_grad = start._value, None

    @property
    def value(self) -> cr.Tensor:
        result: cr.Tensor = cr.asarray(self.clone())
        return result

    def assign(self, contents: Any) -> _Cell:
        assert (contents.shape, contents.dtype) == (self.shape, self.dtype)
        self._value = contents._value
        return self


def _run(graph: Any, inputs: list[cr.Tensor]) -> list[cr.Tensor]:
    from chainrule.ir.walk import inline
    from chainrule.tensor import unwrap, wrap

    with cr.no_grad():
        return [cr.tensor(wrap(each)) for each in inline(graph, [unwrap(each) for each in inputs])]


def test_state_dict_has_the_layout_of_pytorch() -> None:
    parameters = fresh()
    optimizer = optim.Adam([{"params": parameters[:1], "lr": 0.5}, {"params": parameters[1:]}])
    take_steps(optimizer, cr, list(parameters), 2)
    saved = optimizer.state_dict()
    assert [group["params"] for group in saved["param_groups"]] == [[0], [1]]
    assert [group["lr"] for group in saved["param_groups"]] == [0.5, 1e-3]
    assert set(saved["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
    assert saved["state"][0]["step"] == 2 and saved["state"][1]["step"] == 1
    assert type(saved["state"][0]["exp_avg"]) is np.ndarray
    saved["state"][0]["exp_avg"][:] = 0  # a copy
    assert optimizer.state[parameters[0]]["exp_avg"].numpy().any()


def test_groups_have_options_of_their_own() -> None:
    first, second = cr.Parameter([1.0]), cr.Parameter([1.0])
    optimizer = optim.SGD([{"params": [first], "lr": 0.5}], lr=0.1)
    optimizer.add_param_group({"params": second})
    for parameter in (first, second):
        parameter.grad = cr.tensor([1.0])
    optimizer.step()
    assert [first.item(), second.item()] == pytest.approx([0.5, 0.9])


def test_parameters_without_gradient_stay_and_get_no_state() -> None:
    first, second = fresh()
    optimizer = optim.Adam([first, second])
    first.grad = cr.ones_like(first)
    optimizer.step()
    assert (second.numpy() == VECTOR).all()
    assert second not in optimizer.state


def test_step_computes_the_loss_of_the_closure() -> None:
    w = cr.Parameter([2.0])
    optimizer = optim.SGD([w], lr=0.25)

    def closure() -> cr.Tensor:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss  # type: ignore[no-any-return]

    with cr.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert w.item() == 1.0


def test_a_learning_rate_kept_as_a_tensor_moves_float32_parameters() -> None:
    for make in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad):
        results = []
        for rate in (0.25, cr.tensor(np.float64(0.25))):
            w = cr.Parameter([1.0, 2.0])
            optimizer = make([w], lr=rate)  # type: ignore[operator]
            w.grad = cr.tensor([0.5, -1.0])
            optimizer.step()
            results.append(w.numpy())
        np.testing.assert_allclose(results[0], results[1], rtol=1e-6)


def test_zero_grad() -> None:
    w = cr.Parameter([1.0])
    w.grad = cr.tensor([3.0])
    optimizer = optim.SGD([w])
    optimizer.zero_grad(set_to_none=False)
    assert w.grad is not None and w.grad.item() == 0.0
    optimizer.zero_grad()
    assert w.grad is None


def test_loading_keeps_the_cells_there_are() -> None:
    parameters = fresh()
    optimizer = optim.Adam(parameters)
    take_steps(optimizer, cr, list(parameters), 2)
    saved, cell = optimizer.state_dict(), optimizer.state[parameters[0]]["exp_avg"]
    take_steps(optimizer, cr, list(parameters), 2)
    optimizer.load_state_dict(saved)
    assert optimizer.state[parameters[0]]["exp_avg"] is cell
    assert cell.numpy().tobytes() == saved["state"][0]["exp_avg"].tobytes()


# -- what can't be


W = cr.Parameter([1.0])
BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: optim.SGD([]), "at least one parameter"),
    (lambda: optim.SGD(W), "list of parameters"),
    (lambda: optim.SGD([W, W]), "twice"),
    (lambda: optim.SGD([{"params": [W]}, {"params": [W]}]), "twice"),
    (lambda: optim.SGD([{"lr": 1.0}]), "params"),
    (lambda: optim.SGD([("weight", W)]), "named_parameters"),
    (lambda: optim.SGD([np.ones(3)]), "ndarray"),
    (lambda: optim.SGD([cr.tensor([1, 2])]), "int64"),
    (lambda: optim.SGD([W * 2]), "computed"),
    (lambda: optim.SGD([W], lr=-0.1), "lr must be 0 or more, but is -0.1"),
    (lambda: optim.SGD([W], lr=float("nan")), "lr"),
    (lambda: optim.SGD([W], lr="fast"), "lr must be a number"),
    (lambda: optim.SGD([W], momentum=-1), "momentum"),
    (lambda: optim.SGD([W], nesterov=True), "nesterov"),
    (lambda: optim.SGD([W], momentum=0.9, dampening=0.1, nesterov=True), "nesterov"),
    (lambda: optim.SGD([{"params": [W], "lr": -1}]), "lr"),
    (lambda: optim.Adam([W], betas=(0.9, 1.0)), "betas"),
    (lambda: optim.Adam([W], eps=-1), "eps"),
    (lambda: optim.RMSprop([W], alpha=-1), "alpha"),
    (lambda: optim.Adagrad([W], lr_decay=-1), "lr_decay"),
    (lambda: optim.LBFGS([W], line_search_fn="golden"), "strong_wolfe"),
    (lambda: optim.LBFGS([{"params": [W]}, {"params": [cr.Parameter([2.0])]}]), "one parameter group"),
]


@pytest.mark.parametrize(("make", "says"), BAD)
def test_bad_options_are_named(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_a_gradient_of_another_shape_is_refused() -> None:
    w = cr.Parameter([1.0, 2.0])
    w.grad = cr.tensor([1.0])
    with pytest.raises(ValueError, match=r"\(2,\).*\(1,\)"):
        optim.SGD([w]).step()


def _saved(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    parameters = fresh()
    optimizer = optim.Adam(parameters)
    take_steps(optimizer, cr, list(parameters), 1)
    saved = optimizer.state_dict()
    change(saved)
    return saved


DIFFERENT: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda saved: saved.pop("state"), "keys"),
    (lambda saved: saved["param_groups"].append(saved["param_groups"][0]), "1 parameter groups.*2"),
    (lambda saved: saved["param_groups"][0]["params"].append(2), "2 parameters, but 3"),
    (lambda saved: saved["param_groups"][0].pop("betas"), "betas"),
    (lambda saved: saved["state"][0].pop("exp_avg"), "parameter 0: the state dict lacks exp_avg"),
    (lambda saved: saved["state"][1].update(momentum_buffer=VECTOR), "unknown momentum_buffer"),
    (lambda saved: saved["state"][1].update(exp_avg=MATRIX), r"\(5,\).*\(4, 3\)"),
    (lambda saved: saved["state"][1].update(exp_avg=VECTOR.astype("f")), "float64.*float32"),
    (lambda saved: saved["state"].update({9: {}}), "9"),
    (lambda saved: saved["param_groups"][0].update(lr=-1.0), "lr"),
]


@pytest.mark.parametrize(("change", "says"), DIFFERENT)
def test_a_state_dict_that_does_not_fit_changes_nothing(change: Callable[[dict[str, Any]], Any], says: str) -> None:
    optimizer = optim.Adam(fresh(), lr=0.5)
    with pytest.raises(ConfigurationError, match=says):
        optimizer.load_state_dict(_saved(change))
    assert not optimizer.state and optimizer.param_groups[0]["lr"] == 0.5


def test_optimisers_by_name() -> None:
    assert optim.by_name("AdamW") is optim.AdamW and optim.by_name("sgd") is optim.SGD
    with pytest.raises(UnknownNameError, match="adam"):
        optim.by_name("adm")


def test_repr_shows_the_options() -> None:
    assert "lr=0.25" in repr(optim.SGD([cr.Parameter([1.0])], lr=0.25))
