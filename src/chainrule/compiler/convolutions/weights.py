"""The gradient of the weights whose lanes are output channels, of (height, width, examples, channels) arrays.

A tile holds sums for some channels times vectors of output channels, and where all taps of a row fit, for each of
them; a row of places is one run of memory. The rows are divided into chunks by shape alone, each with sums of its own,
which are added up at the end: so several threads can share the work, and the bits don't depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..products.pack import split
from ..text.emit import Function, Reg, word
from .channels import Range
from .weight_plan import WeightPlan
from .weight_sums import WeightSums
from .window import first_row, panels, places_inside


class WeightKernel:
    """Writes the sums of a plan."""

    def __init__(self, plan: WeightPlan) -> None:
        self.plan = plan

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to input, cotangent, sums."""
        plan = self.plan
        x, g, sums = pointers
        first = f.binary("udiv", begin, word(plan.parts))
        with f.loop(first, f.binary("udiv", f.add(end, plan.parts - 1), word(plan.parts))) as chunk:
            before = f.times(chunk.index, -plan.parts)
            low, high = f.maximum(f.add(begin, before), word(0)), f.minimum(f.add(end, before), word(plan.parts))
            own = f.at(sums, plan.element, f.times(chunk.index, plan.size))
            with f.loop(low, high, plan.parts_at_once) as loop:
                parts = loop.index, f.minimum(f.add(loop.index, plan.parts_at_once), high)
                self._chunk(f, (x, g, own), chunk.index, parts)

    def _chunk(self, f: Function, pointers: Sequence[Reg], chunk: Reg, parts: Range) -> None:
        plan = self.plan
        first = f.times(chunk, plan.chunk_rows)
        last = f.minimum(f.add(first, plan.chunk_rows), word(plan.rows.count))
        whole = plan.out // plan.tile_columns
        kinds = [(0, whole, [plan.lanes] * plan.wide)] if whole else []
        if rest := plan.out - whole * plan.tile_columns:
            kinds.append((whole, plan.tiles, self._narrow(rest)))
        with f.loop(first, last, plan.block_rows) as block:
            places = block.index, f.minimum(f.add(block.index, plan.block_rows), last)
            fresh = f.compare("icmp eq", block.index, first)
            for kind in kinds:
                low, high = (tile * plan.rows.kernel for tile in kind[:2])
                with f.loop(f.maximum(parts[0], word(low)), f.minimum(parts[1], word(high))) as part:
                    tile, tap = split(f, part.index, plan.rows.kernel)
                    self._part(f, self._tile(f, pointers, tile), tap, places, fresh, kind[2])

    def _narrow(self, rest: int) -> list[int]:
        """The lanes of the vectors of a last tile."""
        plan = self.plan
        vectors, last = divmod(rest, plan.lanes)
        return [plan.lanes] * vectors + ([last] if last else [])

    def _tile(self, f: Function, pointers: Sequence[Reg], tile: Reg) -> tuple[Reg, Reg, Reg]:
        """Where a tile of output channels begins."""
        plan = self.plan
        x, g, sums = pointers
        column = f.times(tile, plan.tile_columns)
        sums = f.at(sums, plan.element, f.times(tile, plan.wide * plan.vector_step))
        return (
            f.at(x, plan.element, column) if plan.depthwise else x,
            f.at(g, plan.element, column),
            sums,
        )

    def _part(
        self, f: Function, pointers: Sequence[Reg], tap: Reg, places: Range, fresh: Reg, lanes: Sequence[int]
    ) -> None:
        """All that one row of the kernel takes from some rows of places. fresh: whether sums begin."""
        plan = self.plan
        inside = places_inside(f, plan.rows, tap)
        places = f.maximum(inside[0], places[0]), f.minimum(inside[1], places[1])
        x, g, sums = pointers
        strides, taps = plan.x.strides, plan.columns.kernel
        offset = f.times(f.add(f.times(tap, plan.rows.dilation), -plan.rows.low), strides[2])
        x = f.at(x, plan.element, offset)
        sums = f.at(sums, plan.element, f.times(tap, taps * plan.lanes))
        for height, low, high in panels(plan.height, plan.channels):
            with f.loop(low, high) as panel:
                channel = first_row(f, panel.index, plan.height, plan.channels)
                to = f.at(sums, plan.element, f.times(channel, plan.taps * plan.lanes))
                at = f.at(x, plan.element, channel), g, to
                if plan.all_taps:
                    WeightSums(plan, f, at, places, fresh, height, lanes, list(range(taps))).all_taps()
                    continue
                with f.loop(0, taps) as across:
                    to = f.at(at[2], plan.element, f.times(across.index, plan.lanes))
                    WeightSums(plan, f, (at[0], g, to), places, fresh, height, lanes, [0]).one_tap(across.index)
