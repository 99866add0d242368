"""The inner tile of the gradient of the weights: sums of taps x channels x vectors of output channels in registers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..text.emit import Function, Reg, bytes_of, const, vector_of, word
from .ahead import fetch
from .weight_plan import WeightPlan
from .window import Window, places_inside

MOST_PRODUCTS = 64
"""Multiplications in the body of a loop, at most, where it does several examples."""
AHEAD_BYTES = 3072
"""How far ahead memory is asked for: it comes in time, and is mostly of the same page."""
FEWEST_AHEAD, MOST_AHEAD = 8, 48
"""Examples it is asked for ahead."""
MOST_VECTORS = 2
"""Of the cotangent, vectors side by side that are asked for: more of them the processor fetches by itself."""


@dataclass(frozen=True)
class _Run:
    """Columns of so many examples, one after the other."""

    example: int
    column: int
    examples: int

    def offset(self, f: Function, index: Reg) -> Reg:
        """Where the example of a number lies."""
        if self.examples == 1:
            return f.times(index, self.column)
        gap = self.column - self.examples * self.example
        along = f.times(index, self.example)
        return f.add(along, f.times(f.binary("udiv", index, word(self.examples)), gap)) if gap else along


class WeightSums:
    """The sums of one tile: taps x channels x vectors, read from memory and written back."""

    def __init__(
        self,
        plan: WeightPlan,
        f: Function,
        pointers: Sequence[Reg],
        places: tuple[Reg, Reg],
        fresh: Reg,
        height: int,
        lanes: Sequence[int],
        taps: Sequence[int],
    ) -> None:
        """fresh: whether sums begin; then what is in memory doesn't count."""
        self.plan, self.f, self.pointers, self.places, self.fresh = plan, f, pointers, places, fresh
        self.height, self.lanes, self.taps = height, lanes, taps
        itemsize = bytes_of(plan.element)
        ahead = AHEAD_BYTES // (plan.x.strides[0] * itemsize) // 4 * 4
        self.ahead = max(FEWEST_AHEAD, min(MOST_AHEAD, ahead))

    def one_tap(self, tap: Reg) -> None:
        """All places that have this tap inside: in a row they and their examples are one run of memory."""
        f, plan, window = self.f, self.plan, self.plan.columns
        low, high = places_inside(f, window, tap)
        x, g, _ = self.pointers
        across = f.times(f.add(f.times(tap, window.dilation), -window.low), plan.x.strides[3])
        totals = self._load()
        with f.loop(*self.places, 1, totals) as row:
            here_x = self._at(x, f.add(f.times(row.index, plan.rows.stride * plan.x.strides[2]), across))
            here_g = self._at(g, f.times(row.index, plan.g.strides[2]))
            row.carry(*self._columns((here_x, here_g), (low, high), window.stride, [(0, 0)], row.carried))
        self._store(row.results)

    def all_taps(self) -> None:
        """Column by column of the input, for all the taps that meet it."""
        f, plan, window = self.f, self.plan, self.plan.columns
        x, g, _ = self.pointers
        totals = self._load()
        with f.loop(*self.places, 1, totals) as row:
            here_x = self._at(x, f.times(row.index, plan.rows.stride * plan.x.strides[2]))
            here_g = self._at(g, f.times(row.index, plan.g.strides[2]))
            current = list(row.carried)
            from_g = self._at(here_g, word(window.low * plan.g.strides[3]))
            for first, last, taps in _column_runs(window):
                meets = [(tap, -tap * plan.g.strides[3]) for tap in taps]
                current = self._columns((here_x, from_g), (word(first), word(last)), 1, meets, current)
            row.carry(*current)
        self._store(row.results)

    def _columns(
        self,
        pointers: tuple[Reg, Reg],
        places: tuple[Reg, Reg],
        stride: int,
        meets: Sequence[tuple[int, int]],
        totals: Sequence[Reg],
    ) -> list[Reg]:
        """Some places of a row. meets: (tap, where its cotangent lies). The examples of neighbours are one long run."""
        f, plan, (low, high) = self.f, self.plan, places
        x_step, g_step = stride * plan.x.strides[3], plan.g.strides[3]
        x, g = self._at(pointers[0], f.times(low, x_step)), self._at(pointers[1], f.times(low, g_step))
        x_run, g_run = (
            _Run(plan.x.strides[0], x_step, plan.examples),
            _Run(plan.g.strides[0], g_step, plan.examples),
        )
        count = f.times(f.add(high, f.times(low, -1)), plan.examples)
        products = len(meets) * self.height * len(self.lanes)
        unrolled = next((n for n in (4, 2) if plan.examples % n == 0 and n * products <= MOST_PRODUCTS), 1)
        with f.loop(0, count, unrolled, totals) as loop:
            here_x = self._at(x, x_run.offset(f, loop.index))
            here_g = self._at(g, g_run.offset(f, loop.index))
            later = f.add(loop.index, self.ahead)
            then_x, then_g = self._at(x, x_run.offset(f, later)), self._at(g, g_run.offset(f, later))
            current = list(loop.carried)
            for example in range(unrolled):
                by_x, by_g = word(example * x_run.example), word(example * g_run.example)
                self._fetch(self._at(then_x, by_x), self._at(then_g, by_g), meets)
                current = self._multiply(self._at(here_x, by_x), self._at(here_g, by_g), meets, current)
            loop.carry(*current)
        return list(loop.results)

    def _fetch(self, x: Reg, g: Reg, meets: Sequence[tuple[int, int]]) -> None:
        """Bring what is needed some examples later near; of the cotangent the newest column."""
        fetch(self.f, x, word(0))
        if len(self.lanes) > MOST_VECTORS:
            return
        newest = max(offset for _, offset in meets)
        for vector in range(len(self.lanes)):
            fetch(self.f, g, word((newest + vector * self.plan.lanes) * bytes_of(self.plan.element)))

    def _multiply(self, x: Reg, g: Reg, meets: Sequence[tuple[int, int]], totals: list[Reg]) -> list[Reg]:
        f, element, lanes = self.f, self.plan.element, self.lanes
        right = {
            (tap, vector): f.load(vector_of(element, width), self._at(g, word(offset + vector * self.plan.lanes)))
            for tap, offset in meets
            for vector, width in enumerate(lanes)
        }
        result = list(totals)
        for channel in range(self.height):
            left = self._left(x, channel)
            for tap, _ in meets:
                for vector in range(len(lanes)):
                    number = self._number(tap, channel, vector)
                    result[number] = f.fma(left[vector], right[tap, vector], result[number])
        return result

    def _left(self, x: Reg, channel: int) -> list[Reg]:
        """What the vectors of the cotangent are multiplied with: one channel, or each lane its own."""
        f, element = self.f, self.plan.element
        if self.plan.depthwise:
            at = [self._at(x, word(vector * self.plan.lanes)) for vector in range(len(self.lanes))]
            return [f.load(vector_of(element, width), place) for width, place in zip(self.lanes, at)]
        one = f.load(element, self._at(x, word(channel)))
        return [f.splat(one, width) for width in self.lanes]

    def _at(self, pointer: Reg, offset: Reg) -> Reg:
        return self.f.at(pointer, self.plan.element, offset)

    def _number(self, tap: int, channel: int, vector: int) -> int:
        return (tap * self.height + channel) * len(self.lanes) + vector

    def _places(self) -> list[tuple[Reg, int]]:
        """Where each sum rests, and its lanes."""
        plan = self.plan
        return [
            (self._at(self.pointers[2], word((c * plan.taps + tap) * plan.lanes + v * plan.vector_step)), width)
            for tap in self.taps
            for c in range(self.height)
            for v, width in enumerate(self.lanes)
        ]

    def _load(self) -> list[Reg]:
        kinds = [(place, vector_of(self.plan.element, width)) for place, width in self._places()]
        return [self.f.select(self.fresh, const(kind, 0.0), self.f.load(kind, place)) for place, kind in kinds]

    def _store(self, totals: Sequence[Reg]) -> None:
        for (place, _), total in zip(self._places(), totals):
            self.f.store(total, place)


def _column_runs(window: Window) -> list[tuple[int, int, list[int]]]:
    """(first, last, taps): columns of the input that meet the same taps; stride and dilation are 1."""
    runs: list[tuple[int, int, list[int]]] = []
    for column in range(window.size):
        taps = [tap for tap in range(window.kernel) if 0 <= column + window.low - tap < window.count]
        if runs and runs[-1][2] == taps:
            runs[-1] = (runs[-1][0], column + 1, taps)
        elif taps:
            runs.append((column, column + 1, taps))
    return runs
