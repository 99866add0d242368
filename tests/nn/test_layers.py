"""Every layer from one table: gradients against central differences, and, where it is installed, against PyTorch.

With PyTorch: values, gradients, second order, buffers, names and text forms, in float64 to 1e-10.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

ROWS: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("Linear", (5, 3), {}, (4, 5)),
    ("Linear", (5, 3), {"bias": False}, (2, 4, 5)),
    ("Linear", (5, 3), {}, (5,)),
    ("Conv1d", (2, 4, 3), {"stride": 2, "padding": 1}, (2, 2, 9)),
    ("Conv1d", (4, 4, 3), {"dilation": 2, "groups": 2, "padding": "same"}, (2, 4, 9)),
    ("Conv2d", (2, 3, 3), {}, (2, 2, 6, 5)),
    ("Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}, (3, 4, 7, 6)),
    ("Conv2d", (3, 3, 3), {"groups": 3, "bias": False, "padding": 1}, (2, 3, 5, 5)),
    ("Conv2d", (2, 3, 1), {}, (2, 4, 4)),
    ("Conv3d", (2, 3, 2), {"stride": 2, "padding": 1}, (1, 2, 4, 5, 4)),
    ("ConvTranspose1d", (3, 2, 3), {"stride": 2, "output_padding": 1}, (2, 3, 4)),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2, "dilation": 2}, (2, 4, 4, 3)),
    ("ConvTranspose2d", (2, 2, 3), {"stride": 2, "output_padding": (1, 0)}, (2, 3, 3)),
    ("ConvTranspose3d", (2, 3, 2), {"stride": 2, "output_padding": 1, "bias": False}, (1, 2, 2, 3, 2)),
    ("MaxPool1d", (2,), {}, (2, 3, 7)),
    ("MaxPool2d", (2,), {}, (2, 3, 6, 7)),
    ("MaxPool2d", ((3, 2),), {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}, (2, 3, 8, 7)),
    ("MaxPool2d", (3,), {"stride": 2, "ceil_mode": True, "padding": 1}, (2, 3, 6, 8)),
    ("AvgPool1d", (3,), {"stride": 2, "padding": 1, "count_include_pad": False}, (2, 3, 7)),
    ("AvgPool2d", (2,), {}, (2, 3, 6, 7)),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, (2, 3, 6, 8)),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}, (2, 3, 6, 8)),
    ("AvgPool2d", (2,), {"divisor_override": 3}, (2, 3, 4, 4)),
    ("AdaptiveAvgPool1d", (3,), {}, (2, 3, 7)),
    ("AdaptiveAvgPool2d", ((3, 2),), {}, (2, 3, 7, 5)),
    ("AdaptiveAvgPool2d", ((None, 2),), {}, (2, 3, 7, 5)),
    ("AdaptiveAvgPool3d", (2,), {}, (1, 2, 3, 4, 5)),
    ("AdaptiveMaxPool1d", (3,), {}, (2, 3, 7)),
    ("AdaptiveMaxPool2d", ((2, 3),), {}, (2, 3, 7, 5)),
    ("AdaptiveMaxPool3d", ((2, 3, None),), {}, (1, 2, 3, 5, 2)),
    ("MaxPool3d", (2,), {"stride": 1, "padding": 1}, (1, 2, 3, 4, 3)),
    ("AvgPool3d", (2,), {"ceil_mode": True}, (1, 2, 3, 4, 5)),
    ("BatchNorm1d", (3,), {}, (6, 3)),
    ("BatchNorm1d", (3,), {"momentum": None}, (6, 3, 4)),
    ("BatchNorm2d", (3,), {"affine": False}, (4, 3, 5, 2)),
    ("BatchNorm2d", (3,), {"track_running_stats": False, "eps": 1e-3}, (4, 3, 5, 2)),
    ("BatchNorm3d", (2,), {}, (2, 2, 2, 3, 2)),
    ("InstanceNorm1d", (3,), {}, (2, 3, 5)),
    ("InstanceNorm2d", (3,), {"affine": True, "track_running_stats": True}, (2, 3, 4, 3)),
    ("InstanceNorm2d", (3,), {}, (3, 4, 3)),
    ("InstanceNorm3d", (2,), {"affine": True}, (2, 2, 2, 3, 2)),
    ("RMSNorm", (5,), {}, (4, 5)),
    ("RMSNorm", ((3, 5),), {"eps": 1e-3, "elementwise_affine": False}, (2, 3, 5)),
    ("LayerNorm", (5,), {"bias": False}, (4, 5)),
    ("LayerNorm", (5,), {}, (4, 5)),
    ("LayerNorm", ((3, 5),), {"eps": 1e-3}, (2, 3, 5)),
    ("LayerNorm", (5,), {"elementwise_affine": False}, (4, 5)),
    ("GroupNorm", (2, 4), {}, (3, 4, 5)),
    ("Flatten", (), {}, (2, 3, 4)),
    ("Unflatten", (1, (2, 3)), {}, (4, 6)),
    ("Identity", (), {}, (2, 3)),
    *((name, (), {}, (3, 7)) for name in ("ReLU", "Sigmoid", "LogSigmoid", "Tanh", "SiLU", "Mish", "GELU", "SELU")),
    *((name, (), {}, (3, 7)) for name in ("LeakyReLU", "ELU", "CELU", "Softplus", "Softsign", "Hardtanh", "ReLU6")),
    *(
        (name, (), {}, (3, 7))
        for name in ("Hardsigmoid", "Hardswish", "PReLU", "Hardshrink", "Softshrink", "Tanhshrink")
    ),
    ("Threshold", (0.3, -2.0), {}, (3, 7)),
    ("GLU", (1,), {}, (3, 6)),
    ("Softplus", (2.0,), {}, (3, 7)),
    ("Hardtanh", (-0.7, 1.2), {}, (3, 7)),
    ("Unflatten", (-1, (2, 3)), {}, (4, 6)),
    ("Flatten", (0, 1), {}, (2, 3, 4)),
    ("Softmin", (1,), {}, (3, 7)),
    ("GELU", (), {"approximate": "tanh"}, (3, 7)),
    ("ELU", (0.7,), {}, (3, 7)),
    ("CELU", (0.7,), {}, (3, 7)),
    ("LeakyReLU", (0.2,), {}, (3, 7)),
    ("PReLU", (3,), {}, (2, 3, 4)),
    ("Softmax", (1,), {}, (3, 7)),
    ("LogSoftmax", (1,), {}, (3, 7)),
    ("Upsample", (), {"scale_factor": 2}, (2, 3, 4)),
    ("Upsample", (), {"size": (5, 3), "mode": "nearest-exact"}, (2, 3, 4, 7)),
    ("Upsample", (), {"scale_factor": (1.5, 2.5), "mode": "bilinear"}, (2, 2, 4, 3)),
    ("Upsample", (), {"size": (5, 3), "mode": "bilinear", "align_corners": True}, (2, 2, 4, 7)),
    ("Upsample", (), {"scale_factor": 1.7, "mode": "linear", "recompute_scale_factor": True}, (2, 2, 5)),
    ("Upsample", (), {"scale_factor": 2, "mode": "trilinear", "align_corners": False}, (1, 2, 2, 3, 2)),
    ("Upsample", (), {"size": (7, 3), "mode": "bicubic", "align_corners": False}, (2, 2, 4, 5)),
    ("Upsample", (), {"size": 9, "mode": "bicubic", "align_corners": True}, (1, 2, 4, 5)),
    ("Upsample", (), {"size": (2, 3), "mode": "area"}, (1, 2, 4, 5)),
    ("UpsamplingNearest2d", (), {"scale_factor": 3}, (1, 2, 2, 3)),
    ("UpsamplingBilinear2d", (), {"scale_factor": 2}, (1, 2, 2, 3)),
    ("PixelShuffle", (2,), {}, (2, 8, 3, 2)),
    ("PixelUnshuffle", (2,), {}, (2, 2, 4, 6)),
    ("ChannelShuffle", (3,), {}, (2, 6, 3, 2)),
    ("Unfold", ((2, 3),), {"dilation": (2, 1), "padding": 1, "stride": (1, 2)}, (2, 3, 5, 6)),
    ("Fold", ((4, 5), (2, 3)), {"padding": 1, "stride": 2}, (2, 12, 9)),
    ("ConstantPad1d", ((1, 2), 3.5), {}, (2, 3, 4)),
    ("ConstantPad2d", (1, 3.5), {}, (2, 3, 4, 2)),
    ("ZeroPad2d", ((1, 0, 2, -1),), {}, (2, 3, 4, 2)),
    ("ReflectionPad1d", (2,), {}, (2, 3, 4)),
    ("ReflectionPad2d", ((1, 2, 0, 1),), {}, (2, 3, 4)),
    ("ReplicationPad3d", (1,), {}, (1, 2, 3, 2, 2)),
    ("CircularPad2d", ((1, 2, 0, 1),), {}, (2, 3, 4, 3)),
    ("LPPool1d", (2.0, 2), {"stride": 1}, (2, 3, 5)),
    ("LPPool2d", (2.0, (2, 1)), {"ceil_mode": True}, (2, 3, 5, 4)),
    ("LPPool3d", (2.0, (2, 1, 2)), {"stride": 1}, (1, 2, 3, 3, 4)),
    ("LocalResponseNorm", (2,), {"alpha": 0.5}, (2, 5, 3)),
    ("LocalResponseNorm", (3,), {"k": 2.0, "beta": 0.5}, (2, 5, 3, 2)),
    ("Softmax2d", (), {}, (2, 3, 4, 2)),
]


Options = dict[str, Any]

each_layer = pytest.mark.parametrize(("name", "arguments", "options", "shape"), ROWS, ids=lambda each: str(each)[:30])


def random_state(layer: Any) -> dict[str, np.ndarray]:
    """Positive numbers for all floats of a layer: variances must be."""
    random = np.random.default_rng(1)
    return {
        key: random.normal(size=value.shape) ** 2 + 0.1 if value.dtype.kind == "f" else value
        for key, value in layer.state_dict().items()
    }


def pair(name: str, arguments: tuple[Any, ...], options: Options) -> tuple[Any, Any]:
    """The layer of both libraries with the same random weights."""
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, name)(*arguments, **options).double()
    ours = getattr(nn, name)(*arguments, **options).double()
    state = random_state(ours)
    theirs.load_state_dict({key: torch.as_tensor(value) for key, value in state.items()})
    ours.load_state_dict(state)
    return ours, theirs


def apart(shape: tuple[int, ...]) -> np.ndarray:
    """Points in random order that keep a distance to each other and to where activations have their corners."""
    count = int(np.prod(shape))
    points = (np.arange(count) - count // 2) * 0.0331 + 0.0137
    return np.random.default_rng(2).permutation(points).reshape(shape)


@each_layer
def test_gradients_are_central_differences(
    name: str, arguments: tuple[Any, ...], options: Options, shape: tuple[int, ...]
) -> None:
    layer = getattr(nn, name)(*arguments, **options).double()
    layer.load_state_dict(random_state(layer))
    report = cr.check_gradients(lambda layer, x: layer(x), (layer, apart(shape)), order=2, eps=2e-3, directions=2)
    assert report.max_relative_error < 1e-6


# PyTorch holds 1/6 (hardsigmoid, hardswish) and 1/alpha (celu) in float32, even for float64 inputs.
LOOSER = {"Hardsigmoid": 1e-7, "Hardswish": 1e-7, "CELU": 1e-7}


def same_text(shown: str) -> str:
    """Without what differs between versions of PyTorch (`bias` of normalisations) or is no more than style."""
    text = re.sub(r", bias=\w+", "", shown) if "Norm" in shown else shown
    return re.sub(r"\((\d+),\)", r"\1", text.replace("lambd=", "")) if "Norm" not in shown else text


def close(ours: Any, theirs: Any, tolerance: float = 1e-10) -> None:
    np.testing.assert_allclose(np.asarray(ours), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.oracle
@each_layer
def test_names_and_text_are_pytorchs(
    name: str, arguments: tuple[Any, ...], options: Options, shape: tuple[int, ...]
) -> None:
    ours, theirs = pair(name, arguments, options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [path for path, _ in ours.named_parameters()] == [path for path, _ in theirs.named_parameters()]
    assert same_text(repr(ours)) == same_text(repr(theirs))


@pytest.mark.oracle
@pytest.mark.parametrize("training", [True, False])
@each_layer
def test_layer_is_pytorchs(
    name: str, arguments: tuple[Any, ...], options: Options, shape: tuple[int, ...], training: bool
) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = (layer.train(training) for layer in pair(name, arguments, options))
    points = np.random.default_rng(2).normal(size=shape) * 2
    x, tx = cr.tensor(points, requires_grad=True), torch.tensor(points, requires_grad=True)
    y, ty = ours(x), theirs(tx)
    assert y.shape == tuple(ty.shape)
    close(y.numpy(), ty, LOOSER.get(name, 1e-10))
    weights = np.random.default_rng(3).normal(size=y.shape)
    loss, their_loss = cr.sum(cr.sin(y) * weights), (torch.sin(ty) * torch.tensor(weights)).sum()
    parameters, their_parameters = list(ours.parameters()), list(theirs.parameters())
    loss.backward(create_graph=True)
    gradients = torch.autograd.grad(their_loss, [tx, *their_parameters], create_graph=True)
    for mine, other in zip([x, *parameters], gradients):
        close(mine.grad.numpy(), other, LOOSER.get(name, 1e-10))
    if name == "Hardsigmoid":
        return  # PyTorch has no second derivative for it
    second = sum(cr.sum(mine.grad * mine.grad) for mine in [x, *parameters])
    their_second = sum((other * other).sum() for other in gradients)
    for each in [x, *parameters]:
        each.grad = None
    second.backward()
    expected = torch.autograd.grad(their_second, [tx, *their_parameters], allow_unused=True)
    for mine, other in zip([x, *parameters], expected):
        if other is not None and mine.grad is not None:
            np.testing.assert_allclose(
                mine.grad.numpy(), other.numpy(), rtol=LOOSER.get(name, 1e-9), atol=LOOSER.get(name, 1e-9)
            )
    for key, value in theirs.state_dict().items():
        close(ours.state_dict()[key], value)


@pytest.mark.oracle
def test_max_pool_gives_ties_to_the_first_and_its_indices() -> None:
    torch = pytest.importorskip("torch")
    points = np.array([[[[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]])
    x, tx = cr.tensor(points, requires_grad=True), torch.tensor(points, requires_grad=True)
    y, places = nn.functional.max_pool2d(x, 2, return_indices=True)
    ty, their_places = torch.nn.functional.max_pool2d(tx, 2, return_indices=True)
    close(y.numpy(), ty)
    close(places.numpy(), their_places)
    cr.sum(y).backward()
    ty.sum().backward()
    close(x.grad.numpy(), tx.grad)


@pytest.mark.oracle
def test_max_pool_passes_nan_on() -> None:
    torch = pytest.importorskip("torch")
    points = np.array([[[1.0, np.nan, 2.0, -np.inf, -np.inf, -np.inf]]])
    close(nn.functional.max_pool1d(points, 2).numpy(), torch.nn.functional.max_pool1d(torch.tensor(points), 2))


@pytest.mark.oracle
def test_embedding() -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = pair("Embedding", (6, 3), {"padding_idx": 2})
    indices = np.array([[0, 2, 5], [2, 2, 1]])
    y, ty = ours(indices), theirs(torch.tensor(indices))
    close(y.numpy(), ty)
    cr.sum(y * y).backward()
    (ty * ty).sum().backward()
    close(ours.weight.grad.numpy(), theirs.weight.grad)


@pytest.mark.oracle
@pytest.mark.parametrize("causal", [True, False])
def test_attention(causal: bool) -> None:
    torch = pytest.importorskip("torch")
    arrays = [np.random.default_rng(seed).normal(size=(2, 3, 5, 4)) for seed in range(3)]
    ours = [cr.tensor(array, requires_grad=True) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    y = nn.functional.scaled_dot_product_attention(*ours, is_causal=causal)
    ty = torch.nn.functional.scaled_dot_product_attention(*theirs, is_causal=causal)
    close(y.numpy(), ty)
    cr.sum(y * y).backward()
    (ty * ty).sum().backward()
    for mine, other in zip(ours, theirs):
        close(mine.grad.numpy(), other.grad)


@pytest.mark.oracle
def test_a_pytorch_state_dict_in_safetensors_loads(tmp_path: Any) -> None:
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    layers = [torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 5)]
    theirs = torch.nn.Sequential(*layers).eval()
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 5)).eval()
    ours.load_state_dict(cr.interop.load_file(tmp_path / "model.safetensors"))
    points = np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(
        ours(points).numpy(), theirs(torch.tensor(points)).detach().numpy(), rtol=1e-4, atol=1e-5
    )
