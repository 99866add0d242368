"""Pieces of the paths of single rows, each row with its own: how well quadrature does on each, and how to refine it.

The loss of one example has few kinks along a step (units of ReLU that turn on or off), and is smooth between them. So
halving a piece that holds a kink leaves one half that is smooth, and one in which the error is half as large; what is
left over falls by half with two more evaluations of one row, wherever the kink is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .credit_record import Counts, Floats
from .probe_rows import RowProbe
from .quadrature_rules import FIVE, GAIN, INNER, THREE

SHORTEST = 1e-10
"""Pieces are not cut shorter than this, as a share of the path."""
THREE_OF_FIVE = np.array([THREE[0], 0, THREE[1], 0, THREE[2]])
PLACES = np.array([0, 0.5 - INNER, 0.5, 0.5 + INNER, 1])


@dataclass(frozen=True, eq=False)
class Pieces:
    """n pieces. losses: at the left end, the middle, the right end (n, 3). slopes: at five nodes (n, 5).

    five: whether the two inner nodes are known and used (n,). smooth: whether more nodes are worth more than halves.
    """

    row: Counts
    left: Floats
    right: Floats
    losses: Floats
    slopes: Floats
    five: NDArray[np.bool_]
    smooth: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def weights(self) -> Floats:
        """Of the five nodes (n, 5)."""
        rules = np.where(self.five[:, None], np.array(FIVE), THREE_OF_FIVE)
        return np.asarray(rules * (self.right - self.left)[:, None])

    @property
    def residual(self) -> Floats:
        """What the rule gives to all weights less the measured change (n,)."""
        return np.asarray((self.weights * self.slopes).sum(axis=1) - (self.losses[:, 2] - self.losses[:, 0]))

    @property
    def places(self) -> Floats:
        """Of the five nodes (n, 5)."""
        found = np.asarray(self.left[:, None] + PLACES * (self.right - self.left)[:, None])
        found[:, 4] = self.right
        return found

    def of(self, chosen: NDArray[np.bool_]) -> Pieces:
        """Some of them."""
        return Pieces(*(getattr(self, each.name)[chosen] for each in fields(self)))

    def and_also(self, *others: Pieces) -> Pieces:
        """These and others."""
        every = (self, *others)
        return Pieces(*(np.concatenate([getattr(p, each.name) for p in every]) for each in fields(self)))


def worst(pieces: Pieces, allowed: float) -> NDArray[np.bool_]:
    """Those to refine: what the others leave over is well within what is allowed."""
    residual = pieces.residual
    size = np.abs(residual)
    order = np.argsort(size, kind="stable")
    kept = int(np.searchsorted(np.cumsum(size[order] ** 2), (allowed / 2) ** 2))
    if abs(residual[order[:kept]].sum()) > allowed / 2:
        kept = int(np.searchsorted(np.cumsum(size[order]), allowed / 2))
    chosen = np.ones(len(pieces), bool)
    chosen[order[:kept]] = False
    return np.asarray(chosen & (pieces.right - pieces.left > SHORTEST))


def refined(pieces: Pieces, chosen: NDArray[np.bool_], probe: RowProbe) -> Pieces:
    """Two more evaluations for each that is chosen."""
    widened = chosen & pieces.smooth & ~pieces.five
    kept, parts = pieces.of(~chosen), []
    if widened.any():
        parts.append(_with_five(pieces.of(widened), probe))
    if (chosen & ~widened).any():
        parts.append(_halved(pieces.of(chosen & ~widened), probe))
    return kept.and_also(*parts)


def _with_five(pieces: Pieces, probe: RowProbe) -> Pieces:
    slopes, places = pieces.slopes.copy(), pieces.places
    for node in (1, 3):
        slopes[:, node] = probe.look(pieces.row, places[:, node])[1]
    five = np.ones(len(pieces), bool)
    found = Pieces(pieces.row, pieces.left, pieces.right, pieces.losses, slopes, five, five)
    smooth = np.abs(found.residual) < GAIN * np.abs(pieces.residual)
    return Pieces(pieces.row, pieces.left, pieces.right, pieces.losses, slopes, five, smooth)


def _halved(pieces: Pieces, probe: RowProbe) -> Pieces:
    middle = (pieces.left + pieces.right) / 2
    left = _half(pieces, pieces.left, middle, 0, probe)
    return left.and_also(_half(pieces, middle, pieces.right, 1, probe))


def _half(pieces: Pieces, left: Floats, right: Floats, side: int, probe: RowProbe) -> Pieces:
    """The left half (side 0) or the right one (side 1); the half without the kink is known by its small residual."""
    loss, slope = probe.look(pieces.row, (left + right) / 2)
    losses = np.stack([pieces.losses[:, side], loss, pieces.losses[:, side + 1]], axis=1)
    slopes = np.zeros((len(pieces), 5))
    slopes[:, 0], slopes[:, 2], slopes[:, 4] = pieces.slopes[:, 2 * side], slope, pieces.slopes[:, 2 * side + 2]
    no, yes = np.zeros(len(pieces), bool), np.ones(len(pieces), bool)
    found = Pieces(pieces.row, left, right, losses, slopes, no, yes)
    smooth = pieces.smooth | (np.abs(found.residual) < GAIN * np.abs(pieces.residual))
    return Pieces(pieces.row, left, right, losses, slopes, no, smooth)


def merged(pieces: Pieces, probe: RowProbe) -> tuple[Pieces, int]:
    """Runs of pieces between kinks as one piece each, and how many there are; the shortest hold the kinks, and stay.

    What was needed to find the kinks is more than what is needed to integrate between them.
    """
    order = np.lexsort((pieces.left, pieces.row))
    row, left, right = pieces.row[order], pieces.left[order], pieces.right[order]
    inside = _between_kinks(row, right - left)
    follows = np.zeros(len(order), bool)
    follows[1:] = inside[1:] & inside[:-1] & (row[1:] == row[:-1])
    starts = np.flatnonzero(inside & ~follows)
    ends = np.flatnonzero(inside & ~np.append(follows[1:], False))
    several = ends > starts
    if not several.any():
        return pieces, 0
    starts, ends = starts[several], ends[several]
    gone = np.zeros(len(order), bool)
    for start, end in zip(starts, ends):
        gone[order[start : end + 1]] = True
    first, last = order[starts], order[ends]
    loss, slope = probe.look(row[starts], (left[starts] + right[ends]) / 2)
    losses = np.stack([pieces.losses[first, 0], loss, pieces.losses[last, 2]], axis=1)
    slopes = np.zeros((len(starts), 5))
    slopes[:, 0], slopes[:, 2], slopes[:, 4] = pieces.slopes[first, 0], slope, pieces.slopes[last, 4]
    no = np.zeros(len(starts), bool)
    whole = Pieces(row[starts], left[starts], right[ends], losses, slopes, no, ~no)
    return pieces.of(~gone).and_also(whole), len(starts)


def _between_kinks(row: Counts, length: Floats) -> NDArray[np.bool_]:
    """Whether a piece has a shorter neighbour: pieces grow shorter towards a kink, and the shortest ones hold it."""
    shorter = np.zeros(len(row), bool)
    same = row[1:] == row[:-1]
    shorter[1:] |= same & (length[:-1] < 0.75 * length[1:])
    shorter[:-1] |= same & (length[1:] < 0.75 * length[:-1])
    return shorter
