"""The forecast of memory: every figure counted by hand for small networks, and the whole measured for a large one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.running.forecast import MemoryForecast

ROOT = Path(__file__).parents[3]
FLOAT = 4


def forecast_of(model: nn.Module, optimizer: optim.Optimizer, inputs: Any, keep_gradients: bool = False) -> Any:
    @cr.compile
    def step(x: Any) -> Any:
        loss = (model(x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not keep_gradients:
            model.zero_grad()
        return loss

    return step.memory(inputs)


def test_every_figure_by_hand() -> None:
    rows, width, hidden = 4096, 64, 32
    model = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1))
    weights = FLOAT * (width * hidden + hidden + hidden + 1)
    found = forecast_of(model, optim.Adam(model.parameters()), np.zeros((rows, width), np.float32))
    assert found.arguments == FLOAT * rows * width
    assert found.parameters == weights
    assert 2 * weights <= found.moments <= 2 * weights + 64  # and counts of steps
    assert (found.gradients, found.state, found.results) == (0, 0, FLOAT)
    hidden_layer, output = FLOAT * rows * hidden, FLOAT * rows
    # tanh is kept for the gradient of the second layer, its derivative for the first
    assert hidden_layer <= found.activations <= 2 * hidden_layer + output + 64
    assert found.workspace <= hidden_layer + weights + 4096
    assert found.total == sum(found.sizes().values())


def test_gradients_that_are_kept_and_statistics_are_told_apart() -> None:
    model = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    found = forecast_of(model, optimizer, np.ones((4, 16), np.float32), keep_gradients=True)
    parameters = FLOAT * (16 * 8 + 8 + 2 * 8)
    assert found.parameters == found.gradients == parameters
    assert found.moments == 0
    assert 2 * FLOAT * 8 <= found.state <= 2 * FLOAT * 8 + 8  # mean, variance, perhaps a count of batches


def test_forgets_nothing_of_a_restored_optimiser() -> None:
    model = nn.Linear(16, 8)
    optimizer = optim.Adam(model.parameters())
    optimizer.load_state_dict(optimizer.state_dict())
    inputs = np.ones((4, 16), np.float32)
    before = forecast_of(model, optimizer, inputs)
    for parameter in model.parameters():
        parameter.grad = cr.zeros(parameter.shape)
    optimizer.step()
    fresh = optim.Adam(model.parameters())
    fresh.load_state_dict(optimizer.state_dict())
    assert forecast_of(model, fresh, inputs).moments == before.moments


def test_a_program_without_a_backward_pass_keeps_nothing() -> None:
    found = cr.compile(lambda x: (cr.tanh(x) @ x.T).sum()).memory(np.ones((64, 64), np.float32))
    assert found.activations == 0
    assert found.workspace >= 2 * FLOAT * 64 * 64


def test_reads_well() -> None:
    sizes = dict.fromkeys(MemoryForecast.__dataclass_fields__, 0) | {"parameters": 3 << 20, "results": 4}
    text = str(MemoryForecast(**sizes))
    assert [line.split() for line in text.splitlines()] == [
        ["parameters", "3.0", "MiB"],
        ["results", "4", "B"],
        ["total", "3.0", "MiB"],
    ]
    assert len({len(line) for line in text.splitlines()}) == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux, to measure")
def test_what_a_process_takes_is_what_was_forecast() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "memory.py"), "gpt_mini"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"resident .* ([\d.]+) of the forecast", printed)
    assert found is not None, printed
    assert abs(float(found[1]) - 1) < 0.05, printed
