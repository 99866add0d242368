"""The change of the loss along the straight path between two states, shared out among the weights.

    loss(end) - loss(start)  =  sum over weights of the integral of dE/dw dw

Gauss-Lobatto quadrature with 3 nodes (Simpson) or 5, on as many pieces of the path as it takes. The loss is known at
the ends of each piece, so the error of a piece's sum is measured, not estimated: the worst piece is refined until what
all pieces leave over is within the tolerance. Where the loss has kinks (ReLU) that would take hundreds of pieces, since
they are everywhere: a few in each example, at other places in each. So there the examples are integrated one by one
(`rowwise`), each with pieces that are halved towards its own kinks.
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
from .quadrature_rules import FIVE, GAIN, INNER, THREE
from .row_nodes import CommonNodes, Correction, RowPath

TRIED = 7
"""Evaluations of all rows together after which a path that is not smooth is taken row by row."""
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
    """gradients: the mean of dE/dw along the path, (G, N); times the movement it is the credit.

    evaluations: gradients of the whole probe it took; one of a single row counts as its share.
    """

    gradients: Floats
    residual: float
    raw_residual: float
    evaluations: float
    converged: bool
    start: Evaluation
    end: Evaluation


class Integration:
    """One path: `at` gives the probe at a place of it, `movement` (N,) is its end less its start."""

    def __init__(self, at: Callable[[float], Evaluation], movement: Floats, start: Evaluation | None) -> None:
        self.at, self.movement = at, movement
        self.evaluations = 0
        self.known = 0 if start is None else 1
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

    @property
    def points(self) -> int:
        """Evaluations, with those that were known: what is done next must not depend on what was."""
        return self.evaluations + self.known

    @property
    def is_smooth(self) -> bool:
        """Whether more nodes help more than smaller pieces, everywhere."""
        return all(piece.smooth for _, _, piece in self.pieces)

    def nodes(self) -> tuple[list[Point], Floats]:
        """All nodes in order, and their weights (n,)."""
        points: dict[float, Point] = {}
        weights: dict[float, float] = {}
        for _, _, piece in self.pieces:
            for weight, node in zip(piece.weights, piece.nodes):
                points[node.place] = node
                weights[node.place] = weights.get(node.place, 0.0) + piece.length * weight
        order = sorted(points)
        return [points[place] for place in order], np.array([weights[place] for place in order])

    def common(self) -> CommonNodes:
        """The quadrature so far, for rows to be corrected."""
        points, weights = self.nodes()
        return CommonNodes(np.array([each.place for each in points]), weights, self.sum)

    def result(self, allowed: float, fit: bool, rows: int, correction: Correction | None) -> Integral:
        """Everything summed. rows: of the probe."""
        points, shares = self.nodes()
        slopes = np.stack([each.found.gradients @ self.movement for each in points])  # (nodes, G)
        changes = self.last.found.losses - self.first.found.losses  # (G,)
        corrected = np.zeros(len(changes)) if correction is None else correction.slopes
        left = self.left_over if correction is None else abs(correction.residual)
        raw = float((shares @ slopes + corrected - changes).sum())
        weights = np.repeat(shares[:, None], len(changes), 1)
        if fit and left > allowed:
            weights = fitted_weights(shares, slopes, changes - corrected)
        gradients = np.zeros_like(self.first.found.gradients) if correction is None else correction.gradients
        for point, each in zip(points, weights):
            gradients += each[:, None] * point.found.gradients
        residual = float((gradients @ self.movement).sum() - changes.sum())
        spent = self.evaluations + (0 if correction is None else correction.evaluations / rows)
        return Integral(gradients, residual, raw, spent, left <= allowed, self.first.found, self.last.found)


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
    budget: float,
    start: Evaluation | None = None,
    fit: bool = False,
    by_row: RowPath | None = None,
) -> Integral:
    """Share out the change of the loss; tolerance is relative to it.

    start: the probe at 0, where it is known. budget: gradients of the probe at most; if they don't suffice, `converged`
    is False. by_row: how to integrate rows one by one, where the loss has kinks. fit: where the budget did not suffice,
    fit the quadrature's weights to the measured change; `raw_residual` is what it left over before.
    """
    path = Integration(at, movement, start)
    before, after = path.first.found.loss, path.last.found.loss
    allowed = tolerance * abs(after - before) + ROUNDING * max(abs(before), abs(after))
    _refine(path, allowed, budget, only_smooth=by_row is not None)
    correction = None
    if by_row is not None and path.left_over > allowed:
        correction = by_row.correct(path.common(), (before, after), allowed, budget - path.points)
        if correction is None:
            _refine(path, allowed, budget, only_smooth=False)
    return path.result(allowed, fit, 1 if by_row is None else by_row.count, correction)


def _refine(path: Integration, allowed: float, budget: float, only_smooth: bool) -> None:
    while path.left_over > allowed and path.points + 2 <= budget:
        if only_smooth and path.points > TRIED and not path.is_smooth:
            return
        path.refine()
