"""Gradient flow, as data: how the error and the updates are spread over the layers, while training goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .html.document import Section, inline


@dataclass(frozen=True)
class FlowRow:
    """One layer (a module that holds no others) at one step, on the probe batch; None where it does not apply.

    step: weight updates done before; epoch: counted from 1. layer, kind: path and class of the module.
    activation_mean, activation_deviation: of the module's outputs. zero_share: outputs that are exactly 0.
    saturated_share: outputs of a squashing activation whose local derivative is below 1 % of its largest.
    units, dead_units: units (features or channels) of an activation, and those that gave 0, or sat in saturation, for
        every example of the probe.
    cotangent_size: root mean square of dE/d outputs of one example.
    weight_norm, gradient_norm, update_norm: lengths of the layer's own parameters, of their gradient on the probe, and
        of how far the step just taken moved them. update_ratio: update_norm / weight_norm.
    """

    step: int
    epoch: int
    layer: str
    kind: str
    activation_mean: float | None = None
    activation_deviation: float | None = None
    zero_share: float | None = None
    saturated_share: float | None = None
    units: int | None = None
    dead_units: int | None = None
    cotangent_size: float | None = None
    weight_norm: float | None = None
    gradient_norm: float | None = None
    update_norm: float | None = None
    update_ratio: float | None = None


@dataclass(frozen=True)
class FlowFinding:
    """Something to look at. problem: "vanishing gradient", "exploding gradient", "dead units", "saturated units",
    "large updates", "small updates", "not finite". severity: "warning" or "note". first_step, last_step: when it was
    seen. what: a sentence with the figures. advice: a sentence that says what to do.
    """

    layer: str
    kind: str
    problem: str
    severity: str
    first_step: int
    last_step: int
    what: str
    advice: str


@dataclass(frozen=True)
class Flow:
    """All rows, ordered by step and then by layer in the order of the forward pass, and what is wrong, worst first."""

    rows: tuple[FlowRow, ...]
    findings: tuple[FlowFinding, ...]

    section: ClassVar[Callable[..., Section]]
    """How a page shows it: pages/flow.py puts it here."""

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that were recorded."""
        return tuple(dict.fromkeys(row.step for row in self.rows))

    @property
    def layers(self) -> tuple[str, ...]:
        """Module paths in the order of the forward pass."""
        return tuple(dict.fromkeys(row.layer for row in self.rows))

    def of(self, layer: str) -> tuple[FlowRow, ...]:
        """The rows of one layer."""
        return tuple(row for row in self.rows if row.layer == layer)

    def at(self, step: int) -> tuple[FlowRow, ...]:
        """The rows of one step."""
        return tuple(row for row in self.rows if row.step == step)

    def _repr_html_(self) -> str:
        """In a notebook: the same view as on a page."""
        return inline([self.section()], "Gradient flow")
