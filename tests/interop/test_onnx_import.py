"""ONNX files as modules: what they compute, that one can train on, and a sample of ONNX's own tests."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.steps import step_of

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import CheckpointError, ConfigurationError
from chainrule.interop.onnx import OnnxError, export, load

onnx = pytest.importorskip("onnx")
helper: Any = importlib.import_module("onnx.helper")
GENERATOR = np.random.default_rng(0)
FLOAT, INT64, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL


def floats(*shape: int) -> Any:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def value(name: str, kind: int, *shape: int) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def written(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **arrays: Any) -> Path:
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "network", inputs, outputs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def convolutions() -> nn.Module:
    layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(36, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x: Any) -> Any:
        return self.head(self.lstm(x)[0][:, -1])


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolutions": (convolutions, (1, 8, 8)),
    "recurrent": (Recurrent, (6, 4)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_was_exported_comes_back_and_learns_as_before(name: str, tmp_path: Path) -> None:
    make, shape = NETWORKS[name]
    model = make()
    again = load(export(model, floats(2, *shape), tmp_path / "model.onnx"))
    assert {path for path, _ in again.named_parameters()} == {path for path, _ in model.named_parameters()}
    x = floats(5, *shape)
    model.eval()
    np.testing.assert_allclose(again(x).numpy(), model(cr.tensor(x)).numpy(), rtol=1e-5, atol=1e-6)
    labels = np.arange(5) % 2
    losses = trained(model, x, labels, lambda step: step), trained(again, x, labels, cr.compile)
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert losses[0][-1] < losses[0][0]


def trained(model: nn.Module, x: Any, labels: Any, compiled: Callable[[Any], Any]) -> list[float]:
    step = compiled(step_of(model, optim.SGD(model.parameters(), lr=0.1)))
    return [step(x, labels).item() for _ in range(5)]


def test_batch_norm_and_dropout_of_a_file_train(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("BatchNormalization", ["x", "scale", "shift", "mean", "variance"], ["y"], momentum=0.75),
        helper.make_node("Dropout", ["y"], ["z"]),
    ]
    arrays = {"scale": np.ones(3), "shift": np.zeros(3), "mean": np.zeros(3), "variance": np.ones(3)}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    outputs = [value("z", FLOAT, 8, 3)]
    module = load(written(tmp_path / "model.onnx", nodes, [value("x", FLOAT, 8, 3)], outputs, **arrays))
    assert [name for name, _ in module.named_parameters()] == ["scale", "shift"]
    x = 5 + floats(8, 3)
    np.testing.assert_allclose(module(x).numpy(), x, rtol=1e-4)
    module.train()
    z = module(x).numpy()
    assert (z == 0).any() and abs(z).max() < 8
    buffers = dict(module.named_buffers())
    np.testing.assert_allclose(buffers["mean"].numpy(), 0.25 * x.mean(axis=0), rtol=1e-5)


def test_a_loop_and_a_branch_that_depend_on_the_input_compile(tmp_path: Path) -> None:
    halved = helper.make_graph(
        [
            helper.make_node("Mul", ["v", "half"], ["w"]),
            helper.make_node("ReduceSum", ["w"], ["total"], keepdims=0),
            helper.make_node("Greater", ["total", "one"], ["on"]),
        ],
        "body",
        [value("round", INT64), value("before", BOOL), value("v", FLOAT, 3)],
        [value("on", BOOL), value("w", FLOAT, 3)],
    )
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(operator, ["u"], [name])], name, [], [value(name, FLOAT, 3)]
        )
        for name, operator in (("then", "Neg"), ("else", "Exp"))
    }
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "one"], ["start"]),
        helper.make_node("Loop", ["", "start", "x"], ["u"], body=halved),
        helper.make_node("If", ["start"], ["y"], **branches),
    ]
    numbers = {"half": np.array(0.5, np.float32), "one": np.array(1, np.float32)}
    place = written(tmp_path / "model.onnx", nodes, [value("x", FLOAT, 3)], [value("y", FLOAT, 3)], **numbers)
    module = load(place)
    compiled = cr.compile(module)
    for x, expected in (([4, 4, 4], [-0.25] * 3), ([0.1, 0.2, 0.3], np.exp([0.1, 0.2, 0.3]))):
        given = np.array(x, np.float32)
        for function in (module, compiled):
            np.testing.assert_allclose(function(given).numpy(), expected, rtol=1e-6)


def test_what_is_not_supported_says_why(tmp_path: Path) -> None:
    outputs, x = [value("y", FLOAT, 2)], [value("x", FLOAT, 2)]
    path = tmp_path / "model.onnx"
    with pytest.raises(OnnxError, match="arrays of strings"):
        load(written(path, [helper.make_node("StringNormalizer", ["x"], ["y"])], x, outputs))(floats(2))
    with pytest.raises(OnnxError, match="NoSuchThing is not known"):
        load(written(path, [helper.make_node("NoSuchThing", ["x"], ["y"])], x, outputs))(floats(2))
    with pytest.raises(OnnxError, match="float16"):
        load(written(path, [helper.make_node("Add", ["x", "h"], ["y"])], x, outputs, h=np.zeros(2, np.float16)))
    module = load(written(path, [helper.make_node("Neg", ["x"], ["y"])], x, outputs))
    with pytest.raises(ConfigurationError, match="takes the inputs x"):
        module(floats(2), floats(2))
    path.write_bytes(b"no network")
    with pytest.raises(CheckpointError, match="no ONNX file"):
        load(path)


def test_a_sample_of_the_suite_that_comes_with_onnx() -> None:
    """Models that PyTorch exported; the whole suite runs by command, see onnx_backend.py."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        backend = importlib.import_module("onnx_backend")
    finally:
        sys.path.pop(0)
    found = list(backend.outcomes(("pytorch-operator", "simple")))
    assert not [each for each in found if each.outcome == "failed"]
    assert sum(each.outcome == "passed" for each in found) >= 50
    reasons = {each.reason for each in found if each.outcome == "unsupported"}
    assert all("string" in reason or "training" in reason for reason in reasons)
