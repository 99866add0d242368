"""Kernels that are done task by task: what a task of one writes, the same task of the next reads from a near cache.

So it is with attention: scores of one head, their softmax, its product with the values. A task of each kernel is one
head, and touches that head's part of the arrays alone. No thread waits for another in between, and what nobody reads
afterwards never leaves the cache: a thread keeps it where it kept that of its last task.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

from ...records import dataclass
from .buffers import touched
from .nest_plan import collapse, over_domain
from .place import Buffer, Kind, Place, dense
from .program import Block, Call, Instruction, TaskParts
from .unit import Unit

LARGE = 1 << 20
"""Bytes of an array that kernels hand on, from which on it would leave the second cache between them."""
FEWEST = 16
"""Tasks that are left, at least, where a kernel with more does several of its own in each."""
LEAST_PART = 16 << 10
"""Bytes of its part that a task works on, at least: the calls of smaller ones would take their time."""


@dataclass(eq=False)
class Chain(Block):
    """Calls of which the one with the fewest tasks says how many there are: others do several of theirs in each.

    private: what only these calls touch, each task its part.
    """

    body: list[Call]  # type: ignore[assignment]
    private: frozenset[Buffer] = frozenset()

    @property
    def tasks(self) -> int:
        """How many there are."""
        return min(call.tasks for call in self.body)

    @property
    def label(self) -> str:
        """What they compute."""
        return "; ".join(call.label for call in self.body)

    @property
    def source(self) -> str:
        """The user's line."""
        return self.body[0].source

    @property
    def kernel(self) -> str:
        """Their names."""
        return " ".join(call.kernel for call in self.body)

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"task by task, {self.tasks} tasks"

    def hands_over(self, before: Buffer, after: Buffer) -> bool:
        """Whether the last call that touches the one buffer is the first that touches the other, part for part."""
        last = [number for number, call in enumerate(self.body) if before in call.reads or before in call.writes]
        first = [number for number, call in enumerate(self.body) if after in call.reads or after in call.writes]
        if not last or not first or last[-1] != first[0] or (before in self.private) != (after in self.private):
            return False
        ours = [(number, before) for number in last] + [(number, after) for number in first]
        return all(buffer in self.body[number].own.slices for number, buffer in ours)


def chained(instructions: Sequence[Instruction]) -> list[Instruction]:
    """The instructions, with runs of calls that can be done task by task made one."""
    found: list[Instruction] = []
    run: list[Call] = []
    for each in instructions:
        if isinstance(each, Call) and run and _joins(run, each):
            run.append(each)
            continue
        found += _closed(run)
        run = [each] if isinstance(each, Call) else []
        found += [] if run else [each]
    found += _closed(run)
    _note_private(found)
    return found


def _closed(run: list[Call]) -> list[Instruction]:
    """As one, if a task finds in the cache what one before it had there."""
    tasks = min((call.tasks for call in run), default=0)
    pays = any(_large(one, tasks) & _large(other, tasks) for one, other in combinations(run, 2))
    return [Chain(run)] if pays else list(run)


def _large(call: Call, tasks: int) -> set[Buffer]:
    least = max(LARGE, LEAST_PART * tasks)
    return {buffer for buffer in call.own.slices if buffer.nbytes >= least}


def _joins(run: Sequence[Call], call: Call) -> bool:
    """Whether a call may be done task by task behind others."""
    tasks = min(call.tasks, *(each.tasks for each in run))
    several = len({call.tasks, *(each.tasks for each in run)}) > 1
    if call.is_serial or any(each.tasks % tasks for each in (call, *run)) or (several and tasks < FEWEST):
        return False
    if not all(_large(each, tasks) for each in (call, *run)):
        return False
    return all(_are_apart(before, call) for before in run)


def _are_apart(before: Call, call: Call) -> bool:
    """Whether no task of the one touches what another task of the other writes, nor the other way."""
    shared = (before.reads | before.writes) & (call.reads | call.writes)
    written = (before.writes | call.writes) & shared
    return all(
        (buffer in before.own.slices and buffer in call.own.slices)
        or _disjoint(before.own.places.get(buffer, ()), call.own.places.get(buffer, ()))
        for buffer in written
    )


def _disjoint(some: Sequence[Place], others: Sequence[Place]) -> bool:
    """Whether places of one buffer have no element in common; False where that is not clear."""
    return bool(some and others) and not any(_may_meet(one, other) for one in some for other in others)


def _may_meet(one: Place, other: Place) -> bool:
    axes = _axes(one)
    if axes != _axes(other) or one.steps or other.steps or any(stride < 0 for stride, _ in axes):
        return True
    return _reaches(other.offset - one.offset, axes)


def _axes(place: Place) -> list[tuple[int, int]]:
    """Stride and size of each axis, the longest stride first."""
    return sorted(((step, size) for step, size in zip(place.strides, place.shape) if size > 1 and step), reverse=True)


def _reaches(distance: int, axes: Sequence[tuple[int, int]]) -> bool:
    """Whether two elements of an array with such strides and sizes, the largest stride first, are so far apart."""
    if not axes:
        return distance == 0
    (stride, size), *rest = axes
    further = sum(step * (count - 1) for step, count in rest)
    rounds = range(-((further - distance) // stride), (distance + further) // stride + 1)
    return any(abs(number) < size and _reaches(distance - number * stride, rest) for number in rounds)


def _note_private(instructions: Sequence[Instruction]) -> None:
    users: dict[Buffer, set[int]] = {}
    for number, each in enumerate(instructions):
        for buffer in touched(each):
            users.setdefault(buffer, set()).add(number)
    for number, each in enumerate(instructions):
        if isinstance(each, Chain):
            own = [buffer for buffer in touched(each) if buffer.kind is Kind.ARENA and users[buffer] == {number}]
            each.private = frozenset(buffer for buffer in own if _is_part_for_part(each.body, buffer))


def _is_part_for_part(calls: Iterable[Call], buffer: Buffer) -> bool:
    return all(buffer in call.own.slices for call in calls if buffer in call.reads or buffer in call.writes)


# -- which part of what a task touches


def parts_of_product(places: Sequence[Place], batch: Sequence[int], tasks: int) -> TaskParts:
    """Of a batch of products, where a task is one of them."""
    if not batch or math.prod(batch) != tasks:
        return TaskParts()
    return _parts(places, [_is_cut_along(place, len(batch), tasks) for place in places])


def _is_cut_along(place: Place, axes: int, tasks: int) -> bool:
    if not _fills(place) or math.prod(place.shape[:axes]) != tasks:
        return False
    return place.strides[:axes] == dense(place.shape)[:axes]


def parts_of_nest(unit: Unit, places: Sequence[Place], order: Sequence[int], tasks: int) -> TaskParts:
    """Of a nest, where a task is one index of its outermost loop."""
    if not any(place.buffer.nbytes >= LARGE for place in places) or tasks < 2:
        return TaskParts()
    strides = [over_domain(unit, place) for place in places]
    axes = collapse(unit, order, strides)
    outer = next((axis for axis in axes[:-1] if not axis.reduced), None)
    if outer is None or outer.size != tasks:
        return TaskParts()
    cut = [
        _fills(place) and steps[outer.inner] * outer.size == place.buffer.size for place, steps in zip(places, strides)
    ]
    return _parts(places, cut)


def _fills(place: Place) -> bool:
    return place.offset == 0 and not place.steps and place.type.size == place.buffer.size and all(place.strides)


def _parts(places: Sequence[Place], cut: Sequence[bool]) -> TaskParts:
    touched_at: dict[Buffer, tuple[Place, ...]] = {}
    for place in places:
        touched_at[place.buffer] = (*touched_at.get(place.buffer, ()), place)
    whole = {place.buffer for place, is_cut in zip(places, cut) if not is_cut}
    return TaskParts(frozenset(touched_at) - whole, touched_at)
