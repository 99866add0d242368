"""Pairs of bfloat16 made of float32: rounded, two neighbours along an axis in one word, the first in its lower half."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...ir.graph import Equation
from ...ir.types import ArrayType
from ...records import dataclass
from ..arithmetic.bfloat16 import rounded_bits
from ..arithmetic.term import Term
from ..planning.place import Place
from ..planning.program import pointer_to
from ..products.pack import batch_offsets, split
from ..text.emit import Function, Reg, const, vector_of, word

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

TASK = 1 << 13
"""Pairs that a task makes, about."""


@dataclass(frozen=True)
class _Axis:
    """How many words there are along it, and the elements from one to the next in source and target."""

    words: int
    source: int
    target: int


@dataclass(frozen=True)
class _Pairing:
    """Axes from the outermost to the innermost one. apart: elements between the two of a pair.

    size: elements along the axis of pairs, which is the innermost one, or number `paired` of the others.
    """

    outer: tuple[_Axis, ...]
    rows: _Axis
    inner: _Axis
    size: int
    apart: int
    paired: int | None
    lanes: int


def lower_pairs(lowering: Lowering, equation: Equation) -> bool:
    """Lower the making of pairs; False where this is none. They are made once for all who ask, and before a loop."""
    if equation.primitive.name != "bfloat16_pairs":
        return False
    source, axis = lowering.place_of(equation.inputs[0]), equation.params["axis"]
    key = ("pairs", axis, source.offset, source.shape, source.strides, source.steps)
    line = equation.line
    place = lowering.shared(source, key, lambda where: _made(where, source, axis, equation.outputs[0].type, line))
    lowering.places[id(equation.outputs[0])] = place
    return True


def _made(lowering: Lowering, source: Place, axis: int, kind: ArrayType, line: str) -> Place:
    order = source.order
    if 0 in source.strides or source.strides[order[-1]] != 1:
        source, order = lowering.copied(source, None), tuple(range(len(source.shape)))
    target = lowering.temporary(kind, order)
    pairing = _pairing(source, target, axis, order, lowering.target.lanes(4))
    chunks, length = _chunks(pairing)
    tasks = math.prod(each.words for each in pairing.outer) * chunks

    def write(f: Function, registers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        with f.loop(begin, end) as loop:
            _task(f, pairing, registers, loop.index, chunks, length)

    pointers = [pointer_to(source), pointer_to(target)]
    label = f"pairs {'x'.join(map(str, source.shape))} along {axis}"
    key = ("pairs", pairing)
    lowering.call(write, pointers, tasks, 2.0 * target.type.size, [target.buffer], label, line, key)
    return target


def _pairing(source: Place, target: Place, axis: int, order: Sequence[int], lanes: int) -> _Pairing:
    axes = [
        _Axis(target.shape[each], source.strides[each] * (2 if each == axis else 1), target.strides[each])
        for each in order
    ]
    if len(axes) == 1:
        axes.insert(0, _Axis(1, 0, 0))
        order = (-1, *order)
    *outer, rows, inner = axes
    place = list(order).index(axis)
    paired = None if place == len(axes) - 1 else place
    return _Pairing(tuple(outer), rows, inner, source.shape[axis], source.strides[axis], paired, lanes)


def _chunks(pairing: _Pairing) -> tuple[int, int]:
    """Into how many parts the rows are cut, and how long each is."""
    length = max(1, TASK // max(1, pairing.inner.words))
    return -(-pairing.rows.words // length), length


def _task(f: Function, pairing: _Pairing, pointers: Sequence[Reg], task: Reg, chunks: int, length: int) -> None:
    number, chunk = split(f, task, chunks)
    sizes = tuple(each.words for each in pairing.outer)
    steps = [tuple(each.source for each in pairing.outer), tuple(each.target for each in pairing.outer)]
    source, target = (f.at(p, "i32", offset) for p, offset in zip(pointers, batch_offsets(f, sizes, steps, number)))
    low = f.times(chunk, length)
    high = f.minimum(f.add(low, length), word(pairing.rows.words))
    with f.loop(low, high) as row:
        here = f.at(source, "i32", f.times(row.index, pairing.rows.source))
        to = f.at(target, "i32", f.times(row.index, pairing.rows.target))
        if pairing.paired is None:
            _neighbours(f, pairing, here, to)
        else:
            _lines(f, pairing, here, to, _place(f, pairing, number, row.index))


def _place(f: Function, pairing: _Pairing, number: Reg, row: Reg) -> Reg:
    """Which pair along its axis."""
    if pairing.paired == len(pairing.outer):
        return row
    place = word(0)
    for axis in reversed(range(len(pairing.outer))):
        number, here = split(f, number, pairing.outer[axis].words)
        place = here if axis == pairing.paired else place
    return place


# -- two that lie side by side


def _neighbours(f: Function, pairing: _Pairing, source: Reg, target: Reg) -> None:
    words, lanes = pairing.size // 2, pairing.lanes
    whole = words // lanes * lanes
    if whole:
        with f.loop(0, whole, lanes) as loop:
            found = f.load(vector_of("float", 2 * lanes), f.at(source, "float", f.times(loop.index, 2)))
            f.store(_halves(f, found), f.at(target, "i32", loop.index))
    if rest := pairing.size - 2 * whole:
        found = f.load_first(vector_of("float", 2 * lanes), f.at(source, "float", 2 * whole), rest)
        f.store(f.resized(_halves(f, found), -(-rest // 2)), f.at(target, "i32", whole))


def _halves(f: Function, pairs: Reg) -> Reg:
    """The upper halves of rounded numbers, two in a word."""
    upper = f.convert("trunc", (rounded_bits(Term(f, pairs)) >> 16).reg, "i16")
    words = vector_of("i32", pairs.lanes // 2)
    return f.emit(words, f"bitcast {upper} to {words}")


# -- two that lie apart, their neighbours beside them


def _lines(f: Function, pairing: _Pairing, source: Reg, target: Reg, place: Reg) -> None:
    """A line of pairs; the last one of an odd number has nothing above."""
    if pairing.size % 2 == 0:
        _line(f, pairing, source, target, True)
        return
    last = f.compare("icmp eq", place, word(pairing.size // 2))
    with f.when(last):
        _line(f, pairing, source, target, False)
    with f.when(f.binary("xor", last, const("i1", 1))):
        _line(f, pairing, source, target, True)


def _line(f: Function, pairing: _Pairing, source: Reg, target: Reg, two: bool) -> None:
    count, lanes = pairing.inner.words, pairing.lanes
    whole = count // lanes * lanes
    if whole:
        with f.loop(0, whole, lanes) as loop:
            _words(f, pairing, f.at(source, "i32", loop.index), f.at(target, "i32", loop.index), lanes, two)
    if rest := count - whole:
        _words(f, pairing, f.at(source, "i32", whole), f.at(target, "i32", whole), rest, two)


def _words(f: Function, pairing: _Pairing, source: Reg, target: Reg, lanes: int, two: bool) -> None:
    kind = vector_of("float", lanes)
    words = rounded_bits(Term(f, f.load(kind, source))) >> 16
    if two:
        words = words | rounded_bits(Term(f, f.load(kind, f.at(source, "float", pairing.apart))))
    f.store(words.reg, target)
