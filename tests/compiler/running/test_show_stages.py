"""The stages of a program as text: goldens of the groups and of the plan of memory, which no machine changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.compile import lowered
from chainrule.compiler.job import Job
from chainrule.compiler.running.show_stages import STAGES, show_stages
from chainrule.errors import ConfigurationError
from chainrule.ir.graph import Graph
from chainrule.ir.types import ArrayType, float32, int64

GOLDEN = Path(__file__).parents[2] / "golden" / "compiler"


def softmax_cross_entropy() -> Graph:
    loss = cr.value_and_grad(lambda logits, classes: nn.functional.cross_entropy(logits, classes))
    return cr.trace(loss)(ArrayType((64, 10), float32), ArrayType((64,), int64))


def gelu_of_layer_norm() -> Graph:
    """The gradient shares nearly all of its work with the value."""

    def loss(x: Any, weight: Any, toward: Any) -> Any:
        return cr.sum(cr.flip(nn.functional.gelu(nn.functional.layer_norm(x, (256,), weight)), axis=0) * toward)

    wide = ArrayType((512, 256), float32)
    return cr.trace(cr.value_and_grad(loss, argnums=(0, 1)))(wide, ArrayType((256,), float32), wide)


def mean_of_rows() -> Graph:
    """A large sum of rows is done in two steps."""
    return cr.trace(lambda x: cr.mean(cr.tanh(x), axis=(0, 1)))(ArrayType((16, 64, 512), float32))


GRAPHS: tuple[Callable[[], Graph], ...] = (softmax_cross_entropy, gelu_of_layer_norm, mean_of_rows)


@pytest.mark.parametrize("make", GRAPHS, ids=lambda make: make.__name__)
def test_golden_groups_and_buffers(make: Callable[[], Graph]) -> None:
    def text() -> str:
        return show_stages(lowered(Job(make(), {}, True, None)), ("groups", "buffers")) + "\n"

    path, found = GOLDEN / f"{make.__name__}.txt", text()
    if os.environ.get("CHAINRULE_WRITE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == found
    assert text() == found  # names do not depend on what ran before


def test_every_stage_of_a_training_step_shows() -> None:
    model = nn.Linear(8, 4)
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    @cr.compile
    def step(x: Any) -> Any:
        loss = cr.sum(model(x) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    program = step.program(np.ones((16, 8), np.float32))
    text = program.show()
    assert [line[2:] for line in text.splitlines() if line.startswith("# ")] == list(STAGES)
    assert "matmul" in program.show("graph") and "matmul" in program.show("kernels")
    assert "nest [4, 8]" in program.show("groups")
    assert str(program.compiled.plan.arena_bytes) in program.show("buffers").splitlines()[1]
    with pytest.raises(ConfigurationError, match="'assembly'"):
        program.show("assembly")


def test_loops_show_their_kernels_inside() -> None:
    @cr.compile
    def powers(x: Any) -> Any:
        return cr.scan(lambda carry, _: (carry * 1.5, carry), x, length=300)[0]

    lines = powers.program(np.ones(5_000, np.float32)).show("kernels").splitlines()
    place = next(number for number, line in enumerate(lines) if "repeat 300" in line)
    assert lines[place + 1].startswith("   ") and "multiply" in lines[place + 1]
