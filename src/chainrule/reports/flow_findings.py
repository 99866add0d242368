"""What is wrong with a gradient flow, in words, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from .flow_record import FlowFinding, FlowRow

VANISHING, EXPLODING = 1e-3, 1e3
"""Error at the first layer with weights over that at the last."""
DEAD, SOME_DEAD, SATURATED = 0.2, 0.05, 0.5
"""Shares of units worth a warning, a note, and a warning."""
LARGEST_UPDATE, SMALLEST_UPDATE = 0.05, 1e-6
"""Of update over weights; about 1e-3 is usual."""
WARNING, NOTE = "warning", "note"


def findings(rows: Sequence[FlowRow]) -> tuple[FlowFinding, ...]:
    """All that is worth a look, warnings first."""
    found = [*_not_finite(rows), *_between_layers(rows), *_within_layers(rows)]
    return tuple(sorted(found, key=lambda each: each.severity != WARNING))


def _not_finite(rows: Sequence[FlowRow]) -> Iterator[FlowFinding]:
    bad = [row for row in rows if not all(map(math.isfinite, _numbers(row)))]
    if bad:
        yield _finding(
            bad[:1],
            "not finite",
            WARNING,
            "numbers are NaN or infinite, first in this layer",
            "lower the learning rate, clip gradients (clip_norm=1.0), and look for log or division by 0 in the loss",
        )


def _numbers(row: FlowRow) -> list[float]:
    held = (row.activation_mean, row.activation_deviation, row.cotangent_size, row.weight_norm, row.gradient_norm)
    return [each for each in held if each is not None]


def _between_layers(rows: Sequence[FlowRow]) -> Iterator[FlowFinding]:
    """The error that reaches the first layer with weights, beside that of the last."""
    pairs = []
    for step in dict.fromkeys(row.step for row in rows):
        trained = [row for row in rows if row.step == step and row.weight_norm is not None and row.cotangent_size]
        if len(trained) > 1 and trained[-1].cotangent_size:
            pairs.append((trained[0], (trained[0].cotangent_size or 0.0) / trained[-1].cotangent_size))
    small = [(row, ratio) for row, ratio in pairs if ratio < VANISHING]
    large = [(row, ratio) for row, ratio in pairs if ratio > EXPLODING]
    if small:
        worst = min(ratio for _, ratio in small)
        yield _finding(
            [row for row, _ in small],
            "vanishing gradient",
            WARNING,
            f"the error that reaches the first layer is {worst:.1e} of that at the last: it hardly learns",
            "use ReLU or GELU in place of sigmoid or tanh, He or Xavier initial weights, normalisation, or shortcuts",
        )
    if large:
        worst = max(ratio for _, ratio in large)
        yield _finding(
            [row for row, _ in large],
            "exploding gradient",
            WARNING,
            f"the error grows {worst:.1e} times on its way to the first layer",
            "clip gradients (clip_norm=1.0), use smaller initial weights or normalisation, lower the learning rate",
        )


def _within_layers(rows: Sequence[FlowRow]) -> Iterator[FlowFinding]:
    for layer in dict.fromkeys(row.layer for row in rows):
        own = [row for row in rows if row.layer == layer]
        yield from _units(own)
        yield from _updates(own)


def _units(rows: Sequence[FlowRow]) -> Iterator[FlowFinding]:
    dead = _where(rows, lambda row: row.units and row.dead_units and row.dead_units / row.units >= SOME_DEAD)
    if dead and dead[-1] is rows[-1]:
        last = dead[-1]
        assert last.dead_units and last.units
        stuck = "sat in saturation" if last.saturated_share is not None else "gave 0"
        yield _finding(
            dead,
            "dead units",
            WARNING if last.dead_units / last.units >= DEAD else NOTE,
            f"{last.dead_units} of {last.units} units {stuck} for every example of the probe: they learn nothing",
            "lower the learning rate, start with smaller biases, or use LeakyReLU, GELU or a layer of normalisation",
        )
    full = _where(rows, lambda row: row.saturated_share is not None and row.saturated_share >= SATURATED)
    if full and full[-1] is rows[-1]:
        yield _finding(
            full,
            "saturated units",
            WARNING,
            f"{100 * (full[-1].saturated_share or 0):.0f} % of outputs lie where the activation is flat",
            "scale the inputs, use smaller initial weights or normalisation, lower the learning rate",
        )


def _updates(rows: Sequence[FlowRow]) -> Iterator[FlowFinding]:
    large = _where(rows[1:], lambda row: row.update_ratio is not None and row.update_ratio > LARGEST_UPDATE)
    if large:
        worst = max(row.update_ratio or 0 for row in large)
        yield _finding(
            large,
            "large updates",
            WARNING,
            f"one update moves the weights by up to {100 * worst:.0f} % of their length; about 0.1 % is usual",
            "lower the learning rate, or warm it up",
        )
    small = _where(rows, lambda row: row.update_ratio is not None and row.update_ratio < SMALLEST_UPDATE)
    if small and small[-1] is rows[-1]:
        yield _finding(
            small,
            "small updates",
            NOTE,
            f"one update moves the weights by {small[-1].update_ratio:.1e} of their length: they stand still",
            "raise the learning rate, unless training is meant to end here or the layer is frozen",
        )


def _where(rows: Sequence[FlowRow], holds: Callable[[FlowRow], object]) -> list[FlowRow]:
    return [row for row in rows if holds(row)]


def _finding(rows: Sequence[FlowRow], problem: str, severity: str, what: str, advice: str) -> FlowFinding:
    first, last = rows[0], rows[-1]
    return FlowFinding(first.layer, first.kind, problem, severity, first.step, last.step, what, advice)
