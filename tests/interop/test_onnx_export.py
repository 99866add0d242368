"""Exported to ONNX and run in onnxruntime: networks at any batch size, and every primitive that inference uses."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import TraceError
from chainrule.interop.onnx import export
from chainrule.interop.onnx.export import EMITTERS
from chainrule.ir.graph import Graph
from chainrule.ir.primitive import Primitive, Sample, all_primitives
from chainrule.tensor import unwrap

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
EXAMPLES = Path(__file__).parents[2] / "examples"
GENERATOR = np.random.default_rng(0)


def floats(*shape: int) -> Any:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def codes(*shape: int) -> Any:
    return GENERATOR.integers(0, 20, shape)


def run(path: Path, arrays: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([each.name for each in session.get_inputs()], arrays)))


def example(name: str) -> Any:
    specification = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def convolutions() -> nn.Module:
    first = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.AvgPool2d(2)]
    second = [nn.ConvTranspose2d(8, 4, 3, stride=2, output_padding=1), nn.Upsample(scale_factor=2, mode="bilinear")]
    return nn.Sequential(*first, *second, nn.GroupNorm(2, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.Dropout(), nn.Linear(16, 3), nn.Softmax(-1))


NETWORKS: dict[str, tuple[Callable[[], Any], Callable[[int], tuple[Any, ...]]]] = {
    "xor": (lambda: example("xor").XorNetworks(5, 2, False, 0.5), lambda n: (floats(n, 2),)),
    "symmetry": (lambda: example("symmetry").SymmetryNetworks(3), lambda n: (floats(n, 6),)),
    "parity": (lambda: example("parity").ParityNetworks(3, 0.5), lambda n: (floats(n, 4),)),
    "encoder": (lambda: example("encoder").EncoderNetworks(3), lambda n: (floats(n, 8),)),
    "families": (
        lambda: example("family_trees").FamilyNetworks(3, 0.3),
        lambda n: (floats(n, 24), floats(n, 12)),
    ),
    "credit": (lambda: example("credit").network(), lambda n: (floats(n, 1, 28, 28),)),
    "zip codes": (lambda: example("zip_codes_1989").ZipNetwork(), lambda n: (floats(n, 1, 16, 16),)),
    "characters, LSTM": (lambda: example("characters").Recurrent(20, 16), lambda n: (codes(n, 12),)),
    "characters, transformer": (lambda: example("characters").Attending(20, 16, 12), lambda n: (codes(n, 12),)),
    "dense": (dense, lambda n: (floats(n, 8),)),
    "convolutions": (convolutions, lambda n: (floats(n, 3, 16, 16),)),
    "GRU": (lambda: nn.GRU(5, 7, bidirectional=True, batch_first=True), lambda n: (floats(n, 6, 5),)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_in_onnxruntime_what_it_gives_here_at_any_batch_size(name: str, tmp_path: Path) -> None:
    cr.random.manual_seed(1)
    make, inputs = NETWORKS[name]
    model = make()
    path = export(model, inputs(2), tmp_path / "model.onnx")
    model.eval()
    for batch in (1, 5):
        arrays = inputs(batch)
        ours = cr.tree.flatten(model(*map(cr.tensor, arrays)))[0]
        theirs = run(path, arrays)
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs):
            assert mine.shape == other.shape
            np.testing.assert_allclose(other, mine.numpy(), rtol=1e-5, atol=1e-5)
    held = {each.name for each in onnx.load(path).graph.initializer}
    assert {parameter for parameter, _ in model.named_parameters()} <= held


def test_shapes_of_the_file_name_the_batch(tmp_path: Path) -> None:
    graph = onnx.load(export(nn.Linear(3, 2), floats(4, 3), tmp_path / "model.onnx")).graph
    shapes = [
        [axis.dim_param or axis.dim_value for axis in each.type.tensor_type.shape.dim]
        for each in (*graph.input, *graph.output)
    ]
    assert shapes == [["batch", 3], ["batch", 2]]
    assert [each.name for each in graph.input] == ["x"] and [each.name for each in graph.output] == ["output"]


SAMPLES_EACH = 4


def chosen(primitive: Primitive) -> list[Sample]:
    """The first samples of types that onnxruntime computes with everywhere."""
    usual = {"float32", "int64", "int32", "bool"}
    as_float32 = [
        Sample(tuple(x.astype(np.float32) if x.dtype == np.float64 else x for x in sample.inputs), sample.params)
        for sample in primitive.samples()
        if not any(isinstance(each, Graph) for each in sample.params.values())
    ]
    return [s for s in as_float32 if {x.dtype.name for x in s.inputs} <= usual and all(x.size for x in s.inputs)]


def applied(primitive: Primitive, sample: Sample) -> Callable[..., Any]:
    return lambda *tensors: primitive(*map(unwrap, tensors), **sample.params)


@pytest.mark.parametrize("name", sorted(EMITTERS))
def test_a_primitive_gives_in_onnxruntime_what_numpy_gives(name: str, tmp_path: Path) -> None:
    primitive = all_primitives()[name]
    for sample in chosen(primitive)[:SAMPLES_EACH]:
        with np.errstate(all="ignore"):
            wanted = primitive.numpy(*sample.inputs, **sample.params)
        if any(np.isnan(x).any() for x in sample.inputs if x.dtype.kind == "f"):
            continue
        path = export(applied(primitive, sample), sample.inputs, tmp_path / "one.onnx", batch_axis=None)
        for mine, other in zip(wanted if isinstance(wanted, tuple) else (wanted,), run(path, sample.inputs)):
            np.testing.assert_allclose(other, mine, rtol=2e-5, atol=2e-6)


OF_THE_BATCH: dict[str, Callable[[Any], Any]] = {
    "sort": lambda x: cr.sort(x, axis=1),
    "mean over the batch": lambda x: cr.mean(x) + cr.var(x, axis=0, correction=-1),
    "numbers of examples": lambda x: x + 2 * cr.arange(x.shape[0])[:, None] + 1,
    "twice as many rows": lambda x: cr.stack([x, x[::-1]], axis=1).reshape((2 * x.shape[0], -1)),
    "pieces": lambda x: cr.pad(x[1:] - x[:-1], [(1, 2), (0, 0)]),
}


@pytest.mark.parametrize("name", OF_THE_BATCH)
def test_what_follows_from_the_size_of_the_batch(name: str, tmp_path: Path) -> None:
    function = OF_THE_BATCH[name]
    path = export(function, floats(4, 3), tmp_path / "model.onnx")
    for batch in (1, 2, 9):
        x = floats(batch, 3)
        (other,) = run(path, [x])
        np.testing.assert_allclose(other, function(cr.tensor(x)).numpy(), rtol=1e-5, atol=1e-6)


def test_branches_and_loops(tmp_path: Path) -> None:
    def function(x: Any) -> Any:
        chosen = cr.cond(cr.sum(x) > 0, lambda x: x * 2, lambda x: x - 1, x)
        halved = cr.while_loop(lambda x: cr.sum(cr.abs(x)) > 1, lambda x: x / 2, x)
        total, steps = cr.scan(lambda carry, row: (carry + row, carry * row), x[0], x, reverse=True)
        return chosen, halved, total, steps

    path = export(function, floats(4, 3), tmp_path / "model.onnx", batch_axis=None)
    for sign in (1, -1):
        x = sign * abs(floats(4, 3))
        for mine, other in zip(function(cr.tensor(x)), run(path, [x])):
            np.testing.assert_allclose(other, mine.numpy(), rtol=1e-6)


def test_random_numbers_and_training_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="must not change anything outside"):
        export(lambda x: nn.functional.dropout(x, 0.5), floats(2, 3), tmp_path / "model.onnx")
    with pytest.raises(TraceError, match="batch_axis=None"):
        export(lambda x: cr.tril(x @ x.T), floats(2, 3), tmp_path / "model.onnx")
    with pytest.raises(TraceError, match="grows unevenly"):
        export(lambda x: cr.broadcast_to(x[0, 0], (x.shape[0] ** 2,)), floats(2, 3), tmp_path / "model.onnx")
    with pytest.raises(TraceError, match=r"erfinv \(made at test_onnx_export.py:\d+: .*\) can't be exported"):
        export(lambda x: cr.erfinv(x / 9), floats(2, 3), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
