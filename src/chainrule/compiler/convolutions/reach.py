"""How a tile of neighbouring places of a row meets the input, and which tile suits a convolution.

A tile holds sums for so many places, examples and vectors of output channels in registers. Each element of the input
is broadcast once for all the places and vectors it enters, each vector of weights is loaded once for all places and
examples: so loads stay well below multiplications. Places cut by an edge leave out the taps that meet nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .window import Window, panels

LATENCY = 4.1  # cycles of a multiplication, and a little for what has to wait its turn
MOST_COLUMNS = 8
"""Of the input that a tile of several examples meets: they may lie a power of two apart, where a cache holds eight."""
FEWEST_SUMS = 8
"""Sums at once that keep the multipliers busy: two, four cycles each."""
BODY_COST, TAP_BODY_COST = 0.015, 0.04  # each further body of code counts as so much more work; the second by tap
LOAD_COST = 0.115  # cycles, beside the multiplications; measured
NEAR_WEIGHT_COST, FAR_WEIGHT_COST = 0.04, 0.25  # for a vector of weights in the first cache, in the second


@dataclass(frozen=True)
class Reach:
    """A tile of `places`: for each column of the input, counted from the tile's corner, the (place, tap) it enters."""

    places: int
    meets: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]

    @property
    def products(self) -> int:
        """How many (place, tap) there are."""
        return sum(len(entered) for _, entered in self.meets)

    @property
    def taps(self) -> list[int]:
        """The taps that are used."""
        return sorted({tap for _, entered in self.meets for _, tap in entered})


ONE_TAP = Reach(1, ((0, ((0, 0),)),))
"""One place at one tap."""


@dataclass(frozen=True)
class Run:
    """`count` neighbouring tiles that meet the input alike, from place `first` on."""

    first: int
    count: int
    reach: Reach


@lru_cache(maxsize=4096)
def column_runs(window: Window, places: int) -> tuple[Run, ...]:
    """A row cut into tiles of so many places, the last one with what is left."""
    runs: list[Run] = []
    for first in range(0, window.count, places):
        reach = _reach(window, first, min(places, window.count - first))
        if runs and runs[-1].reach == reach:
            runs[-1] = Run(runs[-1].first, runs[-1].count + 1, reach)
        else:
            runs.append(Run(first, 1, reach))
    return tuple(runs)


def _reach(window: Window, first: int, places: int) -> Reach:
    corner = first * window.stride - window.low
    found: dict[int, list[tuple[int, int]]] = {}
    for place in range(places):
        for tap in range(window.kernel):
            column = place * window.stride + tap * window.dilation
            if 0 <= corner + column < window.size:
                found.setdefault(column, []).append((place, tap))
    return Reach(places, tuple((column, tuple(found[column])) for column in sorted(found)))


@dataclass(frozen=True)
class Tile:
    """Sums in registers. by_tap: one tap after the other, as many as lie inside; else all taps of a row at once."""

    places: int
    examples: int
    vectors: int
    by_tap: bool


@lru_cache(maxsize=1024)
def choose_tile(registers: int, columns: Window, examples: int, vectors: int, far: bool) -> Tile:
    """The tile with the fewest cycles for a row of the output. far: weights come from the second cache."""
    options = dict.fromkeys(_options(registers, columns, examples, vectors))
    return min(options, key=lambda tile: _cycles(tile, columns, examples, vectors, far))


def _options(registers: int, columns: Window, examples: int, vectors: int) -> Iterator[Tile]:
    free = registers - (2 if registers > 16 else 1)  # for elements of the input, and one to spare where there are many
    for wide in range(1, min(4, vectors) + 1):
        most = (registers - 1 - wide) // wide
        yield from (Tile(1, high, wide, True) for high in _heights(most, examples))
        alone = columns.kernel == 1 or (vectors > 1 and columns.stride > 1)
        if alone and examples * vectors >= FEWEST_SUMS:
            continue  # neighbouring places have little in common: measured slower
        most = (free - columns.kernel * wide) // wide
        neighbours = min(most, columns.count, _neighbours(columns) if examples > 1 else most)
        for places in range(1, neighbours + 1):
            yield from (Tile(places, high, wide, False) for high in _heights(most // places, examples))


def _neighbours(columns: Window) -> int:
    """Places of a row that meet no more than so many columns together, at least one."""
    beyond = (columns.kernel - 1) * columns.dilation
    return max(1, (MOST_COLUMNS - 1 - beyond) // columns.stride + 1)


def _heights(most: int, examples: int) -> Iterator[int]:
    """How many examples a tile may hold: as many as fit, or fewer that leave no rest."""
    if most < examples:
        yield most
    yield max((high for high in range(1, min(most, examples) + 1) if examples % high == 0), default=1)


def height_of(tile: Tile, reach: Reach, examples: int, far: bool) -> int:
    """Examples of a tile: more of them at the end of a row, where places are fewer, so that no sum waits for itself."""
    if tile.by_tap or reach.places == tile.places:
        return tile.examples
    most = tile.places * tile.examples // reach.places

    def cycles(high: int) -> float:
        groups = panels(high, examples)
        each = sum((last - low) * _body_cycles(reach, rows, tile.vectors, far) for rows, low, last in groups)
        return each * (1 + BODY_COST * len(groups))

    return min((tile.examples, *_heights(most, examples)), key=cycles)


def _cycles(tile: Tile, columns: Window, examples: int, vectors: int, far: bool) -> float:
    """For one row of the kernel and one input channel: two multiplications and two loads a cycle."""
    wide = [(tile.vectors, vectors // tile.vectors), (vectors % tile.vectors, 1)]
    runs = (Run(0, columns.count * columns.kernel, ONE_TAP),) if tile.by_tap else column_runs(columns, tile.places)
    total, bodies = 0.0, 0
    for run in runs:
        for high, low, last in panels(height_of(tile, run.reach, examples, far), examples):
            for vector_count, repeats in wide:
                if vector_count and repeats:
                    bodies += 1
                    total += run.count * (last - low) * repeats * _body_cycles(run.reach, high, vector_count, far)
    return total * (1 + (TAP_BODY_COST if tile.by_tap else BODY_COST) * bodies)


def _body_cycles(reach: Reach, examples: int, vectors: int, far: bool) -> float:
    multiplications = reach.products * examples * vectors
    sums = reach.places * examples * vectors
    weights = len(reach.taps) * vectors
    loads = len(reach.meets) * examples + weights
    waiting = LATENCY * multiplications / max(sums, 1)
    rest = LOAD_COST * loads + (FAR_WEIGHT_COST if far else NEAR_WEIGHT_COST) * weights
    return max(multiplications / 2, loads / 2, waiting) + rest + 0.03 * len(reach.meets) + 0.1
