"""The change of the loss along the straight path between two states, shared out among the weights.

    loss(end) - loss(start)  =  sum over weights of the integral of dE/dw dw

Gauss-Lobatto quadrature with 3 nodes (Simpson) or 5, on as many pieces of the path as it takes. The loss is known at
the ends of each piece, so the error of a piece's sum is measured, not estimated: the worst piece is refined until what
all pieces leave over is within the tolerance. Where the loss has kinks (ReLU) that can take hundreds of pieces, since
they are everywhere; so after some number of evaluations the weights of the quadrature are fitted to what was measured.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .credit_record import Floats
from .probe import Evaluation

THREE = (1 / 6, 4 / 6, 1 / 6)
FIVE = (1 / 20, 49 / 180, 32 / 90, 49 / 180, 1 / 20)
INNER = (3 / 7) ** 0.5 / 2
"""How far the inner nodes of the rule of five lie from the middle, in lengths of the piece."""
GAIN = 0.1
"""Where five nodes leave less than this share of what three leave, the path is smooth."""
ROUNDING = 32 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Point:
    """The probe at a place of the path, from 0 to 1; slope: of the loss along the whole path."""

    place: float
    found: Evaluation
    slope: float


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of the path with its nodes. smooth: whether more nodes are worth more than smaller pieces."""

    nodes: tuple[Point, ...]
    smooth: bool

    @property
    def length(self) -> float:
        return self.nodes[-1].place - self.nodes[0].place

    @property
    def weights(self) -> tuple[float, ...]:
        return THREE if len(self.nodes) == 3 else FIVE

    @property
    def middle(self) -> Point:
        return self.nodes[len(self.nodes) // 2]

    def residual(self) -> float:
        """The sum of what its rule gives to all weights, less the measured change of the loss."""
        given = self.length * sum(weight * node.slope for weight, node in zip(self.weights, self.nodes))
        return float(given - (self.nodes[-1].found.loss - self.nodes[0].found.loss))


@dataclass(frozen=True, eq=False)
class Integral:
    """gradients: the mean of dE/dw along the path, (G, N); times the movement it is the credit."""

    gradients: Floats
    residual: float
    raw_residual: float
    evaluations: int
    converged: bool
    start: Evaluation
    end: Evaluation


class Integration:
    """One path: `at` gives the probe at a place of it, `movement` (N,) is its end less its start."""

    def __init__(self, at: Callable[[float], Evaluation], movement: Floats, start: Evaluation | None) -> None:
        self.at, self.movement = at, movement
        self.evaluations = 0
        self.first = self._point(0.0, start)
        self.last = self._point(1.0)
        self.pieces: list[tuple[float, int, Piece]] = []  # a heap: the worst piece is on top
        self.count = itertools.count()
        self.sum = self.squares = 0.0
        self._add(Piece((self.first, self._point(0.5), self.last), smooth=True))

    def _point(self, place: float, known: Evaluation | None = None) -> Point:
        if known is None:
            known = self.at(place)
            self.evaluations += 1
        slope = float((known.gradients @ self.movement).sum())
        return Point(place, known, slope)

    def _add(self, piece: Piece) -> None:
        residual = piece.residual()
        self.sum += residual
        self.squares += residual**2
        heapq.heappush(self.pieces, (-abs(residual), next(self.count), piece))

    def refine(self) -> None:
        """Two more evaluations where they are needed most."""
        _, _, piece = heapq.heappop(self.pieces)
        residual = piece.residual()
        self.sum -= residual
        self.squares -= residual**2
        if len(piece.nodes) == 3 and piece.smooth:
            self._add(self._with_five(piece))
            return
        for left, right in ((piece.nodes[0], piece.middle), (piece.middle, piece.nodes[-1])):
            middle = self._point((left.place + right.place) / 2)
            self._add(Piece((left, middle, right), piece.smooth))

    def _with_five(self, piece: Piece) -> Piece:
        left, middle, right = piece.nodes
        inner = [self._point(middle.place + side * INNER * piece.length) for side in (-1, 1)]
        five = Piece((left, inner[0], middle, inner[1], right), True)
        return Piece(five.nodes, abs(five.residual()) < GAIN * abs(piece.residual()))

    @property
    def left_over(self) -> float:
        """The residual, or its expected size where pieces happen to cancel."""
        return max(abs(self.sum), float(max(0.0, self.squares) ** 0.5))

    def result(self, converged: bool, fit: bool) -> Integral:
        """Everything summed."""
        nodes: dict[float, Point] = {}
        weights: dict[float, float] = {}
        for _, _, piece in self.pieces:
            for weight, node in zip(piece.weights, piece.nodes):
                nodes[node.place] = node
                weights[node.place] = weights.get(node.place, 0.0) + piece.length * weight
        order = sorted(nodes)
        shares = np.array([weights[place] for place in order])  # (nodes,)
        slopes = np.stack([nodes[place].found.gradients @ self.movement for place in order])  # (nodes, G)
        changes = self.last.found.losses - self.first.found.losses  # (G,)
        raw = float((shares @ slopes - changes).sum())
        fitted = fitted_weights(shares, slopes, changes) if fit else np.repeat(shares[:, None], len(changes), 1)
        gradients = np.zeros_like(self.first.found.gradients)
        for place, each in zip(order, fitted):
            gradients += each[:, None] * nodes[place].found.gradients
        residual = float((gradients @ self.movement).sum() - changes.sum())
        return Integral(gradients, residual, raw, self.evaluations, converged, self.first.found, self.last.found)


def fitted_weights(weights: Floats, slopes: Floats, changes: Floats) -> Floats:
    """The least change of quadrature weights (nodes,) under which each group's sum is its measured change: (nodes, G).

    Kinks lie between nodes; how much of the path belongs to either side is what the measured change tells. Where one
    group's weights would have to change by more than half, they change only as far as the sum of all groups needs.
    """
    mean = weights @ slopes
    spread = slopes - mean  # (nodes, G)
    variance = weights @ spread**2
    with np.errstate(all="ignore"):
        factors = 1 + spread * ((changes - mean) / variance)
    factors = np.where(_close(factors).all(axis=0), factors, 1.0)
    left = changes.sum() - (weights[:, None] * factors * slopes).sum()
    with np.errstate(all="ignore"):
        together = factors + spread * (left / variance.sum())
    return np.asarray(weights[:, None] * (together if _close(together).all() else factors))


def _close(factors: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(factors) & (np.abs(factors - 1) <= 0.5))


def integrate(
    at: Callable[[float], Evaluation],
    movement: Floats,
    tolerance: float,
    most: int,
    start: Evaluation | None = None,
    fit: bool = True,
) -> Integral:
    """Share out the change of the loss; tolerance is relative to it.

    start: the probe at 0, where it is known. most: evaluations at most; if they don't suffice, `converged` is False.
    fit: fit the quadrature's weights to the measured change; else what it leaves over is the residual.
    """
    path = Integration(at, movement, start)
    before, after = path.first.found.loss, path.last.found.loss
    allowed = tolerance * abs(after - before) + ROUNDING * max(abs(before), abs(after))
    while path.left_over > allowed and path.evaluations + 2 <= most:
        path.refine()
    return path.result(path.left_over <= allowed, fit)
