"""TensorBoard: what is written is what was trained; without the package the message names the extra."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import MissingDependencyError


class Writer:
    """Stands for tensorboardX's: keeps what it is told."""

    def __init__(self, directory: str) -> None:
        self.told: list[tuple[str, float, int]] = []

    def add_scalar(self, name: str, figure: float, step: int) -> None:
        self.told.append((name, figure, step))

    def flush(self) -> None:
        pass


def train(board: Any) -> cr.train.History:
    model = nn.Linear(2, 1)
    data = np.ones((6, 2), np.float32), np.zeros((6, 1), np.float32)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    options: dict[str, Any] = {"batch_size": 2, "epochs": 2, "progress": False, "compile": False}
    return cr.train.fit(model, optimizer, "mse", data, recorders=[board], **options)


def test_losses_of_steps_and_figures_of_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.interop.tensorboard._writer", lambda directory: Writer(str(directory)))
    board = cr.interop.TensorBoard(tmp_path)
    history = train(board)
    steps = [(figure, step) for name, figure, step in board._writer.told if name == "step/loss"]
    assert [step for _, step in steps] == [1, 2, 3, 4, 5, 6]
    epochs = [(figure, step) for name, figure, step in board._writer.told if name == "epoch/loss"]
    assert epochs == [(row["loss"], row["step"]) for row in history.rows]
    assert np.mean([figure for figure, _ in steps[:3]]) == pytest.approx(history.rows[0]["loss"])


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingDependencyError, match=r"chainrule\[tensorboard\]"):
        cr.interop.TensorBoard(tmp_path)


def test_real_event_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    train(cr.interop.TensorBoard(tmp_path / "logs"))
    (events,) = (tmp_path / "logs").glob("events.out.tfevents.*")
    content = events.read_bytes()
    assert b"step/loss" in content and b"epoch/loss" in content
