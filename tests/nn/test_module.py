"""Modules: what they hold, how they are saved, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ChainruleError, CheckpointError, DtypeError, ShapeError, UnknownNameError


def network() -> nn.Sequential:
    cr.random.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.Tanh(), nn.Linear(4, 2, bias=False)))


def test_names_are_pytorchs() -> None:
    assert list(network().state_dict()) == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
        "2.1.weight",
    ]
    assert [name for name, _ in network().named_parameters()][-1] == "2.1.weight"
    assert [name for name, _ in network().named_modules()] == ["", "0", "1", "2", "2.0", "2.1"]


def test_a_state_dict_is_a_copy() -> None:
    model = network()
    model.state_dict()["0.bias"][:] = 9
    assert not (model.state_dict()["0.bias"] == 9).any()


def test_loading_gives_the_same_outputs() -> None:
    first, second = network(), network()
    nn.init.normal_(second[0].weight)
    x = np.ones((5, 3), np.float32)
    assert not np.array_equal(first.eval()(x).numpy(), second.eval()(x).numpy())
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(first.eval()(x).numpy(), second.eval()(x).numpy())


def test_a_state_that_does_not_fit_is_explained_and_changes_nothing() -> None:
    model = network()
    before = model.state_dict()
    state = {**before, "0.bias": np.zeros(7), "extra": np.zeros(1)}
    state["0.weight"] = state["0.weight"] + 1
    del state["2.1.weight"]
    with pytest.raises(
        CheckpointError, match=r"missing: 2\.1\.weight; unexpected: extra; of another shape: 0\.bias is \(4,\)"
    ):
        model.load_state_dict(state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_not_strict_takes_what_fits() -> None:
    model = network()
    model.load_state_dict({"0.bias": np.ones(4), "other": np.zeros(2)}, strict=False)
    assert (model.state_dict()["0.bias"] == 1).all()


def test_what_was_missing_and_unexpected_is_told() -> None:
    keys = nn.Linear(2, 1).load_state_dict({"weight": np.zeros((1, 2)), "other": np.zeros(1)}, strict=False)
    assert keys.missing_keys == ["bias"]
    assert keys.unexpected_keys == ["other"]


def test_other_floats_are_converted_and_tensors_are_taken() -> None:
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[0.1, 2]]), "bias": cr.tensor([3], dtype=cr.float64)})
    assert layer.weight.dtype == cr.float32
    assert layer.weight.tolist() == [[np.float32(0.1), 2.0]]


@pytest.mark.parametrize("bias", [np.array(["a"]), np.array([1j]), np.array([None])])
def test_what_is_no_number_is_not_loaded(bias: np.ndarray) -> None:
    layer = nn.Linear(2, 1)
    before = layer.state_dict()
    with pytest.raises(CheckpointError, match="of another kind: bias is float32 here"):
        layer.load_state_dict({"weight": np.zeros((1, 2)), "bias": bias})
    np.testing.assert_array_equal(layer.weight.numpy(), before["weight"])


def test_a_state_must_be_a_mapping() -> None:
    with pytest.raises(CheckpointError, match="given list"):
        nn.Linear(2, 1).load_state_dict([1])  # type: ignore[arg-type]


def test_networks_are_not_moved_to_integers() -> None:
    with pytest.raises(DtypeError, match="int64"):
        network().to(np.int64)


def test_a_shared_parameter_comes_once() -> None:
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(list(model.parameters())) == 2
    assert len(model.state_dict()) == 4


def test_train_and_eval_reach_all_modules() -> None:
    model = network()
    assert not any(module.training for module in model.eval().modules())
    assert all(module.training for module in model.train().modules())


def test_super_init_forgotten() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(2, 2)

    with pytest.raises(ChainruleError, match=r"super\(\).__init__\(\) in Forgetful"):
        Forgetful()


def test_a_module_without_parts_needs_no_init() -> None:
    class Double(nn.Module):
        def __init__(self) -> None:
            self.factor = 2

        def forward(self, x: float) -> float:
            return x * self.factor

    module = Double()
    assert module(3) == 6
    assert module.training
    assert (list(module.buffers()), module.state_dict(), module.eval().training) == ([], {}, False)


def test_forward_forgotten() -> None:
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)


def test_the_wrong_width_is_named() -> None:
    with pytest.raises(ShapeError, match=r"in_features=3.*3 features.*\(5, 4\)"):
        network()(np.ones((5, 4), np.float32))


def test_the_wrong_channels_are_named() -> None:
    with pytest.raises(ShapeError, match=r"takes 3 channels.*\(1, 2, 5, 5\)"):
        nn.Conv2d(3, 4, 3)(np.ones((1, 2, 5, 5), np.float32))


def test_gradients_by_a_whole_module() -> None:
    model = nn.Linear(2, 1)
    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    gradient = cr.grad(lambda model: cr.sum(model(x)))(model)
    assert isinstance(gradient, nn.Linear)
    np.testing.assert_array_equal(gradient.weight.numpy(), [[4.0, 6.0]])
    np.testing.assert_array_equal(gradient.bias.numpy(), [2.0])
    assert model.weight.grad is None


def test_a_penalty_on_all_parameters_reaches_the_gradient() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    gradient = cr.grad(lambda model: sum(cr.sum(each * each) for each in model.parameters()))(model)
    for mine, weight in zip(gradient.parameters(), model.parameters(), strict=True):
        np.testing.assert_allclose(mine.numpy(), 2 * weight.numpy(), rtol=1e-6)


def test_a_step_of_gradient_descent_on_the_tree() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    gradient = cr.grad(lambda model: cr.sum(model(np.ones((4, 2), np.float32))))(model)
    stepped = cr.tree.map(lambda weight, slope: weight - 0.5 * slope, model, gradient)
    np.testing.assert_array_equal(stepped[1].bias.numpy(), model[1].bias.numpy() - 2)
    assert len(list(stepped.parameters())) == 4


def test_a_shared_layer_is_one_layer_in_the_tree() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 3.0)
    model = nn.Sequential(layer, layer)
    gradient = cr.grad(lambda model: cr.sum(model(np.ones((1, 1), np.float32))))(model)
    assert gradient[0] is gradient[1]
    assert gradient[0].weight.tolist() == [[6.0]]


def test_frozen_parameters_are_differentiated_when_the_module_is_the_argument() -> None:
    model = nn.Linear(2, 1).requires_grad_(False)
    gradient = cr.grad(lambda model: cr.sum(model(np.ones((1, 2), np.float32))))(model)
    assert gradient.weight.tolist() == [[1.0, 1.0]]


def test_batch_norm_inside_a_gradient_updates_the_statistics_once() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    cr.grad(lambda model: cr.sum(model(x) ** 2))(model)
    assert model[1].num_batches_tracked.item() == 1
    assert model[1].running_var.requires_grad is False


def test_a_parameter_is_not_lost_by_setting_a_tensor() -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(ChainruleError, match=r"'weight' is a parameter of Linear.*nn\.Parameter"):
        layer.weight = layer.weight * 2
    layer.weight = nn.Parameter(layer.weight.numpy() * 2)
    assert len(list(layer.parameters())) == 2


def test_a_buffer_stays_a_buffer() -> None:
    layer = nn.BatchNorm1d(2)
    with pytest.raises(ChainruleError, match="'running_mean' is a buffer of BatchNorm1d"):
        layer.running_mean = np.zeros(2)
    layer.running_mean = cr.ones(2)
    assert layer.state_dict()["running_mean"].tolist() == [1, 1]
    del layer.running_mean
    assert [name for name, _ in layer.named_buffers()] == ["running_var", "num_batches_tracked"]
    assert "running_mean" not in layer.state_dict()


def test_buffers_that_are_not_saved() -> None:
    module = nn.Module()
    module.register_buffer("kept", cr.ones(2))
    module.register_buffer("scratch", cr.ones(3), persistent=False)
    module.register_buffer("empty", None)
    module.register_parameter("absent", None)
    assert list(module.state_dict()) == ["kept"]
    assert [name for name, _ in module.named_buffers()] == ["kept", "scratch"]


@pytest.mark.parametrize("name", ["", "a.b", "training", "forward", "parameters"])
def test_names_that_can_not_be_registered(name: str) -> None:
    with pytest.raises(ChainruleError):
        nn.Module().register_buffer(name, cr.ones(2))


def test_parts_are_found_by_path() -> None:
    model = network()
    assert model.get_submodule("2.1") is model[2][1]
    assert model.get_parameter("0.bias") is model[0].bias
    assert model.get_buffer("1.running_var") is model[1].running_var
    with pytest.raises(UnknownNameError, match=r"no parameter named '0\.biass'; did you mean '0\.bias'"):
        model.get_parameter("0.biass")


def test_zero_grad() -> None:
    model = network()
    cr.sum(model(np.ones((5, 3), np.float32))).backward()
    model.zero_grad(set_to_none=False)
    assert all((each.grad.numpy() == 0).all() for each in model.parameters() if each.grad is not None)
    model.zero_grad()
    assert all(each.grad is None for each in model.parameters())


def test_frozen_parameters_get_no_gradient() -> None:
    model = network()
    model[0].requires_grad_(False)
    cr.sum(model(np.ones((5, 3), np.float32))).backward()
    assert model[0].weight.grad is None
    assert model[2][1].weight.grad is not None


def test_double_and_back() -> None:
    model = network().double()
    assert model(np.ones((5, 3))).dtype == cr.float64
    assert model.state_dict()["1.num_batches_tracked"].dtype == np.int64
    assert model.float()(np.ones((5, 3), np.float32)).dtype == cr.float32


def test_how_it_looks() -> None:
    assert repr(network()).splitlines() == [
        "Sequential(",
        "  (0): Linear(in_features=3, out_features=4, bias=True)",
        "  (1): BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)",
        "  (2): Sequential(",
        "    (0): Tanh()",
        "    (1): Linear(in_features=4, out_features=2, bias=False)",
        "  )",
        ")",
    ]


def test_containers() -> None:
    model = network()
    assert len(model) == 3
    assert isinstance(model[-1], nn.Sequential)
    assert len(model[:2]) == 2
    listed = nn.ModuleList([nn.Linear(2, 2)])
    listed.append(nn.Linear(2, 3))
    assert [name for name, _ in listed.named_parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    named = nn.ModuleDict({"a": nn.Linear(2, 2)})
    assert "a" in named
    assert list(named.state_dict()) == ["a.weight", "a.bias"]


def test_dropout_keeps_the_mean_and_is_silent_in_evaluation() -> None:
    cr.random.manual_seed(0)
    layer = nn.Dropout(0.3)
    x = np.ones((200, 200), np.float32)
    y = layer(x).numpy()
    assert set(np.unique(y)) == {0, np.float32(1 / 0.7)}
    assert y.mean() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(layer.eval()(x).numpy(), x)


def test_dropout2d_silences_whole_channels() -> None:
    cr.random.manual_seed(0)
    y = nn.Dropout2d(0.5)(np.ones((8, 16, 3, 3), np.float32)).numpy()
    assert (y.std(axis=(2, 3)) == 0).all()
    assert 0.3 < (y == 0).mean() < 0.7


def test_batch_norm_learns_the_statistics() -> None:
    layer = nn.BatchNorm1d(2, momentum=None)
    x = np.random.default_rng(0).normal(3, 2, size=(1000, 2)).astype(np.float32)
    for part in np.split(x, 10):
        y = layer(part).numpy()
        np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(layer.running_mean.numpy(), x.mean(0), rtol=1e-5)
    assert layer.num_batches_tracked.item() == 10


def test_an_embedding_refuses_other_rows() -> None:
    with pytest.raises(ChainruleError, match="7"):
        nn.Embedding(5, 2)(np.array([1, 7]))
    with pytest.raises(ChainruleError, match="-1"):
        nn.Embedding(5, 2)(np.array([1, -1]))
