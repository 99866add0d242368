"""The places of an output with spatial axes, in vectors along whichever axis allows it; those far from edges apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...records import dataclass
from ..text.array import Array
from ..text.emit import Function, Reg, const, memory_type, word
from .kernel import Kernel, lanes_for
from .nest import Axis, Blocks, Range, moved, span, walk

Bounds = Sequence[tuple[int, int]]
FEWEST = 4
"""Axes of fewer elements are not worth vectors."""


@dataclass(frozen=True, slots=True)
class Place:
    """One element of the output, or `lanes` neighbours (along the last axis or another).

    source: the input's first element in this batch and channel; step: how far it moves from lane to lane.
    places: the spatial indices. inner: along which spatial axes all taps are known to meet an element.
    """

    source: Reg
    target: Reg
    places: Sequence[Reg]
    inner: Sequence[bool]
    lanes: int = 0
    step: int = 0
    along_last: bool = False


PlaceBody = Callable[[Place], None]


def for_places(
    kernel: Kernel, plan: Blocks, source: Array, target: Array, last_step: int, inner: Bounds, body: PlaceBody
) -> None:
    """The body for all places. inner: along each spatial axis, the places from which all taps meet an element.

    last_step: how far the input moves with the last index of the output; 0 forbids vectors along it.
    """
    chosen = _vector_axis(source, target, last_step)
    order = sorted(range(target.ndim), key=lambda axis: (axis == chosen, -abs(target.strides[axis])))
    steps = [(source.strides[axis] if axis < 2 else 0, target.strides[axis]) for axis in range(target.ndim)]
    with kernel.each(plan) as ranges:
        axes = [Axis(*ranges[axis], target.shape[axis], steps[axis]) for axis in order]
        last = None if chosen is None else axes.pop()
        rows = _Rows(kernel.f, (source, target), order, chosen, last, last_step, inner, body)
        walk(kernel.f, axes, (source, target), rows.write)


def _vector_axis(source: Array, target: Array, last_step: int) -> int | None:
    """The axis with neighbours in both arrays: channels, batch or the last one, where every other element will do."""
    for axis in (1, 0, target.ndim - 1):
        fits = source.strides[axis] == 1 if axis < 2 else last_step in (1, 2)
        if target.shape[axis] >= FEWEST and target.strides[axis] == 1 and fits:
            return axis
    return None


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is done for each turn of the outer loops: a vector loop along the chosen axis, or one place."""

    f: Function
    arrays: tuple[Array, Array]
    order: Sequence[int]
    chosen: int | None
    last: Axis | None
    last_step: int
    bounds: Bounds
    body: PlaceBody

    @property
    def along_last(self) -> bool:
        return self.chosen is not None and self.chosen >= 2

    def write(self, at: Sequence[Reg], indices: Sequence[Reg]) -> None:
        """Once for rows far from every edge and once for the others, where that is not known."""
        sizes = self.arrays[1].shape[2:]
        always = [bounds == (0, size) for bounds, size in zip(self.bounds, sizes)]
        asked = [axis for axis, known in enumerate(always) if not known and axis + 2 != self.chosen]
        if not asked or any(low >= high for low, high in (self.bounds[axis] for axis in asked)):
            self._row(at, indices, always)
            return
        inside = self._inside(indices, asked)
        with self.f.when(inside):
            self._row(at, indices, [known or axis in asked for axis, known in enumerate(always)])
        with self.f.when(self.f.binary("xor", inside, const("i1", 1))):
            self._row(at, indices, always)

    def _inside(self, indices: Sequence[Reg], asked: Sequence[int]) -> Reg:
        """Whether the row lies within the bounds along all axes asked for."""
        named, inside = dict(zip(self.order, indices)), const("i1", 1)
        for axis in asked:
            low, high = self.bounds[axis]
            distance = self.f.add(named[axis + 2], -low)
            inside = self.f.binary("and", inside, self.f.compare("icmp ult", distance, word(high - low)))
        return inside

    def _row(self, at: Sequence[Reg], indices: Sequence[Reg], inner: Sequence[bool]) -> None:
        f, last = self.f, self.last
        if last is None:
            self.body(Place(at[0], at[1], self._spatial(indices), inner))
            return

        def pieces(low: Reg, high: Reg, lanes: int, flags: Sequence[bool]) -> None:
            span(f, low, high, lanes, lambda index, count: self._piece(at, (*indices, index), count, flags))

        lanes = lanes_for(self.arrays[0].dtype)
        if not self.along_last or inner[-1]:
            pieces(last.low, last.high, lanes, inner)
            return
        low, high = clamped(f, self.bounds[-1], (last.low, last.high))
        pieces(last.low, low, 1, inner)
        pieces(low, high, lanes, [*inner[:-1], True])
        pieces(high, last.high, 1, inner)

    def _piece(self, at: Sequence[Reg], indices: Sequence[Reg], count: int, inner: Sequence[bool]) -> None:
        assert self.last is not None
        elements = [memory_type(array.dtype) for array in self.arrays]
        there = moved(self.f, at, elements, indices[-1], self.last.steps)
        lanes = count if count > 1 else 0
        step = self.last_step if self.along_last else 1
        self.body(Place(there[0], there[1], self._spatial(indices), inner, lanes, step, self.along_last))

    def _spatial(self, indices: Sequence[Reg]) -> list[Reg]:
        named = dict(zip(self.order, indices))
        return [named[axis] for axis in range(2, len(self.order))]


def clamped(f: Function, inner: tuple[int, int], bounds: Range) -> Range:
    """The part of `bounds` within `inner`; an empty one lies at an end of `bounds`."""
    low = f.minimum(f.maximum(word(inner[0]), bounds[0]), bounds[1])
    return low, f.maximum(f.minimum(word(inner[1]), bounds[1]), low)
