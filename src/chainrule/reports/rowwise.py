"""Credit where the loss has kinks: the rows that have some are integrated one by one, and correct the sum of all.

What quadrature with common nodes gave for these rows is taken back, and what their own nodes give is added. The
residual stays a measured one: no weight of a rule is chosen so that the sum comes out right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .credit_record import Counts, Floats
from .probe import Probe
from .probe_rows import RowProbe
from .row_nodes import CommonNodes, Correction
from .row_pieces import Pieces, merged, refined, worst

LEAST = 16
"""Gradients of the probe without which rows are not looked at one by one: it would help little."""
LOOK = 0.5
"""What a loss and its slope cost, in gradients."""
SEPARABLE = 1e-9
"""By how much the mean of the rows' losses may differ from the loss of all, relative to it."""


class RowByRow:
    """What `integrate` asks to correct rows with kinks; one for all paths of a probe."""

    def __init__(self, probe: Probe, compile: bool | None = None) -> None:
        self.probe, self.compile = probe, compile
        self.rows: RowProbe | None = None
        self.works = True
        self.path: tuple[Floats, Floats] | None = None

    @property
    def count(self) -> int:
        """Rows of the probe."""
        return len(self.probe.inputs)

    def follow(self, before: Floats, movement: Floats) -> None:
        """The path that comes next."""
        self.path = before, movement

    def correct(
        self, common: CommonNodes, losses: tuple[float, float], allowed: float, budget: float
    ) -> Correction | None:
        """None where the loss of a batch is not the mean of its rows' losses, or nothing may be spent."""
        if not self.works or budget < LEAST or self.path is None:
            return None
        self.rows = self.rows or RowProbe(self.probe, self.compile)
        self.rows.follow(*self.path)
        found = RowIntegration(self.rows, common, allowed, int(budget * self.count))
        self.works = found.fits(losses)
        return found.correct(self.probe.groups, len(self.path[0])) if self.works else None


class RowIntegration:
    """One path, of all rows of a probe."""

    def __init__(self, probe: RowProbe, common: CommonNodes, allowed: float, most: int) -> None:
        self.probe, self.common, self.allowed, self.most = probe, common, allowed, most
        self.spent = 0.0
        self.pieces = self._whole_paths()

    def _look(self, rows: Counts, place: float) -> tuple[Floats, Floats]:
        self.spent += LOOK * len(rows)
        return self.probe.look(rows, np.full(len(rows), place))

    def _whole_paths(self) -> Pieces:
        rows = np.arange(self.probe.count)
        found = [self._look(rows, place) for place in (0.0, 0.5, 1.0)]
        losses, slopes = (np.stack(column, axis=1) for column in zip(*found))
        five = np.zeros((len(rows), 5))
        five[:, ::2] = slopes
        no = np.zeros(len(rows), bool)
        return Pieces(rows, np.zeros(len(rows)), np.ones(len(rows)), losses, five, no, ~no)

    def fits(self, losses: Sequence[float]) -> bool:
        """Whether the mean of the rows' losses is the loss that was measured, at both ends."""
        own = self.pieces.losses[:, [0, 2]].sum(axis=0)
        return bool(np.allclose(own, losses, rtol=SEPARABLE, atol=0))

    def correct(self, groups: Sequence[Counts], size: int) -> Correction:
        """Refine until what is left over is allowed, or nothing may be spent any more."""
        rough = self._rough()
        together = float(self.common.residual - self._common_residuals(rough).sum())  # of the rows that stay
        if abs(together) > self.allowed / 4:
            rough, together = np.ones(self.probe.count, bool), 0.0
        pieces = self._refined(self.pieces.of(rough), together)
        pieces, looks = merged(pieces, self.probe)
        self.spent += LOOK * looks
        pieces = self._refined(pieces, together)
        gradients, slopes = self._gathered(pieces, rough, groups, size)
        return Correction(gradients, slopes, float(together + pieces.residual.sum()), self.spent)

    def _refined(self, pieces: Pieces, together: float) -> Pieces:
        """Until what is left over is allowed, or nothing may be spent any more."""
        while True:
            residual = pieces.residual
            left = max(abs(together + residual.sum()), float(np.sqrt((residual**2).sum())))
            chosen = worst(pieces, self.allowed - abs(together))
            chosen = _no_more(chosen, pieces, self._looks_left(pieces) // 2)
            if left <= self.allowed or not chosen.any():
                return pieces
            self.spent += LOOK * 2 * int(chosen.sum())
            pieces = refined(pieces, chosen, self.probe)

    def _looks_left(self, pieces: Pieces) -> int:
        """So that what is there can be summed, each node once."""
        nodes = 2 * len(pieces) + (len(self.common.places) + 1) * len(np.unique(pieces.row))
        return int((self.most - self.spent - nodes) / (LOOK + 1))

    def _rough(self) -> NDArray[np.bool_]:
        """Rows for which the common nodes don't do: without them the others leave over little."""
        chosen = worst(self.pieces, self.allowed / 2)
        return chosen if chosen.any() else np.abs(self.pieces.residual) >= np.abs(self.pieces.residual).max()

    def _common_residuals(self, rough: NDArray[np.bool_]) -> Floats:
        """What the common nodes leave over of each of these rows."""
        pieces = self.pieces.of(rough)
        total = pieces.losses[:, 0] - pieces.losses[:, 2]
        known = {0.0: 0, 0.5: 2, 1.0: 4}
        for place, weight in zip(self.common.places.tolist(), self.common.weights.tolist()):
            node = known.get(place)
            total = total + weight * (self._look(pieces.row, place)[1] if node is None else pieces.slopes[:, node])
        return np.asarray(total)

    def _gathered(
        self, pieces: Pieces, rough: NDArray[np.bool_], groups: Sequence[Counts], size: int
    ) -> tuple[Floats, Floats]:
        """Gradients at the rows' own nodes less those at the common ones, summed for each group."""
        rows, places, weights = self._nodes(pieces, rough)
        self.spent += len(rows)
        gradients, slopes = np.zeros((len(groups), size)), np.zeros(len(groups))
        group_of = np.empty(self.probe.count, np.int64)
        for number, group in enumerate(groups):
            group_of[group] = number
        way = np.concatenate([each.numpy().ravel() for each in self.probe.way])
        for number in np.unique(group_of[rows]):
            own = group_of[rows] == number
            gradients[number] = self.probe.gather(rows[own], places[own], weights[own])
            slopes[number] = gradients[number] @ way
        return gradients, slopes

    def _nodes(self, pieces: Pieces, rough: NDArray[np.bool_]) -> tuple[Counts, Floats, Floats]:
        """(row, place, weight) of all nodes, each once."""
        taken = np.flatnonzero(rough)
        rows = np.concatenate([np.repeat(pieces.row, 5), np.repeat(taken, len(self.common.places))])
        places = np.concatenate([pieces.places.ravel(), np.tile(self.common.places, len(taken))])
        weights = np.concatenate([pieces.weights.ravel(), np.tile(-self.common.weights, len(taken))])
        both = np.stack([rows.astype(np.float64), places], axis=1)
        distinct, which = np.unique(both, axis=0, return_inverse=True)
        sums = np.zeros(len(distinct))
        np.add.at(sums, which.ravel(), weights)
        used = sums != 0
        return distinct[used, 0].astype(np.int64), distinct[used, 1], sums[used]


def _no_more(chosen: NDArray[np.bool_], pieces: Pieces, most: int) -> NDArray[np.bool_]:
    """Of those chosen the worst, as many as may be."""
    if chosen.sum() <= most:
        return chosen
    size = np.where(chosen, np.abs(pieces.residual), -1.0)
    kept = np.zeros(len(pieces), bool)
    kept[np.argsort(-size, kind="stable")[: max(0, most)]] = True
    return np.asarray(kept & chosen)
