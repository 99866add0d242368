"""A run that was interrupted anywhere and resumed ends with the bits of one that never was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import CheckpointError

LENGTH = 70


class Interruption(Exception):
    """What the tests throw into a run."""


class ThrowAfter:
    """A display that throws after so many batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def begin_epoch(self, epoch: int, epochs: int, batches: int | None, done: int) -> None: ...

    def batch(self, done: int, figures: dict[str, float]) -> None:
        self.left -= 1
        if self.left == 0:
            raise Interruption

    def end_epoch(self, row: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


def data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(LENGTH, 6)).astype(np.float32)
    return inputs, (inputs[:, 0] + inputs[:, 1] * inputs[:, 2] > 0).astype(np.int64)


def train(directory: Path | None = None, **options: Any) -> tuple[nn.Module, cr.train.History]:
    cr.random.manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    optimizer = optim.AdamW(model.parameters(), lr=0.02)
    given: dict[str, Any] = {
        "epochs": 3,
        "validation": 0.2,
        "metrics": ["accuracy"],
        "schedule": "one-cycle",
        "seed": 5,
    }
    given |= {"early_stopping": 2, "batch_size": 12, "progress": False, "checkpoint_steps": 1, "clip_norm": 1.0}
    history = cr.train.fit(model, optimizer, data=data(), run_directory=directory, **{**given, **options})
    return model, history


def bits(model: nn.Module) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def figures(history: cr.train.History) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


@pytest.fixture(scope="module")
def whole() -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    model, history = train()
    return bits(model), figures(history)


@pytest.mark.parametrize("batches", range(1, 16))
def test_interrupted_after_any_step(batches: int, tmp_path: Path, whole: Any) -> None:
    with pytest.raises(Interruption):
        train(tmp_path, progress=ThrowAfter(batches))
    model, history = train(tmp_path, resume=True)
    assert (bits(model), figures(history)) == whole
    assert (tmp_path / "metrics.csv").read_text().count("\n") == len(history) + 1


def test_with_batches_gathered_weights_and_draws(tmp_path: Path) -> None:
    options: dict[str, Any] = {"batch_size": 4, "accumulate": 3, "class_weight": [1.0, 2.5], "sampling": "balanced"}
    model, history = train(**options)
    for batches in (1, 3, 2):
        with pytest.raises(Interruption):
            train(tmp_path, resume=True, progress=ThrowAfter(batches), **options)
    resumed, figures_then = train(tmp_path, resume=True, **options)
    assert (bits(resumed), figures(figures_then)) == (bits(model), figures(history))
    with pytest.raises(CheckpointError, match="accumulate"):
        train(tmp_path, resume=True, **{**options, "batch_size": 12, "accumulate": 1})


def test_checkpoints_move_no_bit(tmp_path: Path, whole: Any) -> None:
    model, history = train(tmp_path, checkpoint_steps=None, checkpoint_seconds=0.0)
    assert (bits(model), figures(history)) == whole


def test_interrupted_many_times(tmp_path: Path, whole: Any) -> None:
    for batches in (2, 1, 3, 1, 1):
        with pytest.raises(Interruption):
            train(tmp_path, resume=True, progress=ThrowAfter(batches), checkpoint_steps=2)
    model, history = train(tmp_path, resume=True)
    assert (bits(model), figures(history)) == whole


def test_a_finished_run_stays_as_it_is_and_can_go_on(tmp_path: Path) -> None:
    model, _ = train(tmp_path, schedule=None)
    again, history = train(tmp_path, schedule=None, resume=True)
    assert bits(again) == bits(model)
    assert len(history) == 3
    longer, history = train(tmp_path, schedule=None, resume=True, epochs=4)
    straight, expected = train(schedule=None, epochs=4)
    assert bits(longer) == bits(straight)
    assert figures(history) == figures(expected)


def test_the_number_of_cores_moves_no_bit() -> None:
    """Wide enough for BLAS to use several threads, if it were left alone."""
    program = (
        "import hashlib, numpy as np, chainrule as cr\n"
        "from chainrule import nn, optim\n"
        "random = np.random.default_rng(0)\n"
        "x, y = random.normal(size=(512, 784)).astype('f4'), random.integers(0, 10, 512)\n"
        "cr.random.manual_seed(0)\n"
        "model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))\n"
        "cr.train.fit(model, optim.SGD(model.parameters(), lr=0.1), data=(x, y), epochs=2, progress=False)\n"
        "print(hashlib.sha256(b''.join(a.tobytes() for a in model.state_dict().values())).hexdigest())\n"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"batch_size": 10}, "batch_size"),
        ({"seed": 6}, "seed"),
        ({"clip_norm": 2.0}, "clip_norm"),
        ({"loss": "nll"}, "loss"),
        ({"sampling": "balanced"}, "data was .* and is .* drawn by weights"),
    ],
)
def test_other_settings_are_refused(options: dict[str, Any], word: str, tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    with pytest.raises(CheckpointError, match=word):
        train(tmp_path, resume=True, **options)


def test_a_limit_on_memory_is_the_same_in_other_words(tmp_path: Path) -> None:
    train(tmp_path, epochs=1, memory_limit="120 MB", schedule=None)
    with pytest.raises(CheckpointError, match="memory_limit was 120000000 and is 121000000 here"):
        train(tmp_path, resume=True, epochs=2, memory_limit="121 MB", schedule=None)
    _, history = train(tmp_path, resume=True, epochs=2, memory_limit=120_000_000, schedule=None)
    assert len(history) == 2


def test_another_network_is_refused(tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    model = nn.Linear(6, 2)
    with pytest.raises(CheckpointError, match="parameters"):
        cr.train.fit(
            model, optim.AdamW(model.parameters()), data=data(), run_directory=tmp_path, resume=True, progress=False
        )


def test_a_run_directory_is_not_overwritten(tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    with pytest.raises(CheckpointError, match="resume=True"):
        train(tmp_path, epochs=1)


@pytest.mark.parametrize("keep", [0, 7, 100, 0.5, 0.999])
def test_a_truncated_checkpoint_is_named(keep: float, tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    file = tmp_path / "checkpoint.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else int(keep)])
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors"):
        train(tmp_path, resume=True)


KILLED = """
def killed(event, arguments, left=[{events}]):
    if event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith({directory!r}):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(killed)
"""
"""It ends itself instead of opening, renaming or removing a file of the run, at the given number of such events."""


def start(directory: Path, epochs: int = 40, before: str = "", **streams: Any) -> subprocess.Popen[str]:
    given = f"Path({str(directory)!r}), resume=True, epochs={epochs}, schedule=None, early_stopping=None"
    program = f"{Path(__file__).read_text()}\n{before}\n_, history = train({given})\nprint(history.interrupted)\n"
    return subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL, text=True, **streams)


def survives_kills(directory: Path, kills: int, seed: int) -> bool:
    """Kill a run as it writes, anywhere, and resume it; whether it ends with the bits of an undisturbed one."""
    random = np.random.default_rng(seed)
    for _ in range(kills):
        killed = KILLED.format(events=random.integers(1, 1000), directory=str(directory))
        assert start(directory, before=killed).wait() == -signal.SIGKILL
    assert start(directory).wait() == 0
    resumed = cr.train.RunDirectory(directory).load_model()
    straight, _ = train(epochs=40, schedule=None, early_stopping=None)
    return {name: array.tobytes() for name, array in resumed.items()} == bits(straight)


def test_killed_and_resumed(tmp_path: Path) -> None:
    assert survives_kills(tmp_path, kills=2, seed=0)


@pytest.mark.parametrize("kept", [True, False])
def test_where_a_signal_ended_a_run_is_told(kept: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def interrupt(state: Any) -> None:
        if state.epoch == 1:
            signal.raise_signal(signal.SIGINT)

    directory = tmp_path / "run" if kept else None
    _, history = train(directory, progress=True, callbacks=[interrupt])
    told = capfd.readouterr().err.splitlines()[-1]
    assert history.interrupted and len(history) == 1
    assert told.startswith(f"Interrupted in epoch 2, after step {history.last['step']},")
    assert f"run_directory={str(directory)!r} with resume=True" in told if kept else "with a run_directory" in told
    train(directory, progress=True, resume=kept)
    assert "Interrupted" not in capfd.readouterr().err


def test_ctrl_c_saves_and_says_so(tmp_path: Path) -> None:
    process = start(tmp_path, epochs=1_000_000, stdout=subprocess.PIPE)
    while not (tmp_path / "metrics.csv").exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert (process.returncode, said) == (0, "True\n")
    assert cr.train.load_checkpoint(tmp_path / "checkpoint.safetensors")["step"] > 0
