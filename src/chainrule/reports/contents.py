"""What a page about a run is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..ir.types import NumpyArray
from ..nn import Module
from ..optim import Optimizer

Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Judged:
    """Examples that the network was measured on. title: "Test", "Validation" or "Training".

    inputs, targets: as the network sees them. rows: of each example the cells of its row, where there is a table.
    decode: scaled numbers (n, 1), targets or outputs, in the target's own units (n,); None where there are classes.
    """

    title: str
    inputs: NumpyArray
    targets: NumpyArray
    rows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    decode: Callable[[NumpyArray], NumpyArray] | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """A run's network with its weights, and what it learned from.

    training: (inputs, targets). first: the weights it began with. optimizer: makes the run's optimiser for the network.
    image: (channels, height, width) of its inputs, where they are pictures.
    """

    model: Module
    loss: Loss
    training: tuple[NumpyArray, NumpyArray]
    judged: Judged | None = None
    classes: tuple[str, ...] = ()
    target: str = "target"
    baseline: float | None = None
    first: Mapping[str, NumpyArray] | None = None
    optimizer: Callable[[Module], Optimizer] | None = None
    batch_size: int = 64
    rate: float = 0.01
    image: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class RunContents:
    """A run: its history and configuration, and its network where it is there. command: what repeats it."""

    title: str
    rows: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]
    command: str = ""
    directory: Path | None = None
    trained: Trained | None = None
    things: str = "examples"
    headings: Mapping[str, str] = field(default_factory=dict)
    subtitle: str = ""
