"""README.md: its examples in Python run as they stand, one after another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "README.md"
BLOCKS = [
    block
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if "step" in block
]


def test_training_and_its_compiled_step_run_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(block.replace("epochs=10", "epochs=1"), names)
    losses = names["losses"].numpy()
    assert len(BLOCKS) == 2
    assert len(losses) == -(-len(names["train_x"]) // 64) and losses[-10:].mean() < 0.5
    forecast = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("parameters"))
    assert forecast.split()[1:] == ["397.5", "KiB"]  # 784 * 128 + 128 + 128 * 10 + 10 numbers of four bytes
