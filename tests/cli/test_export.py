"""`chainrule export`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from chainrule.cli.runs import open_run
from chainrule.interop.c import load_state
from chainrule.interop.safetensors import load_file

Run = Callable[..., Result]


def test_a_training_step_and_the_prediction_for_c(run: Run, flowers: Path) -> None:
    assert run("train", flowers, "--target", "kind", "--epochs", "1", "--run", "made", "-q").exit_code == 0
    result = run("export", "made", "--c", "device", "--name", "flowers", "--batch-size", "8", "--weights-apart")
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        f"device/flowers{end}" for end in (".h", ".o", ".state", "_example.c")
    ]
    header = Path("device/flowers.h").read_text()
    assert (
        "int flowers_train(void *state, const float inputs[16], const int64_t targets[8], float result[1]);" in header
    )
    assert "int flowers_predict(void *state, const float inputs[2], float result[2]);" in header
    state, weights = load_state("device/flowers.h", "device/flowers.state"), load_file("made/model.safetensors")
    assert all((state[name.replace(".", "_")] == array).all() for name, array in weights.items())


def test_onnx(run: Run, flowers: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    assert run("train", flowers, "--target", "kind", "--epochs", "1", "--run", "made", "-q").exit_code == 0
    result = run("export", "made", "--onnx", "flowers.onnx")
    assert result.exit_code == 0, result.output
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2)
    (outputs,) = onnxruntime.InferenceSession("flowers.onnx").run(["output"], {"inputs": x})
    np.testing.assert_allclose(outputs, open_run(Path("made")).outputs(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "option",
    [
        ("--name", "network"),
        ("--batch-size", "8"),
        ("--target", "aarch64"),
        ("--cpu", "apple-m1"),
        ("--features", "+fma"),
        ("--weights-apart",),
    ],
)
def test_what_is_for_c_is_refused_without_it(run: Run, option: tuple[str, ...]) -> None:
    result = run("export", "made", "--onnx", "flowers.onnx", *option)
    assert result.exit_code == 2 and f"{option[0]} is for C, and means nothing without --c DIR" in result.stderr
    assert not Path("flowers.onnx").exists()


def test_something_has_to_be_asked_for(run: Run, flowers: Path) -> None:
    result = run("export", "made")
    assert result.exit_code == 2 and "--c DIR" in result.stderr
