"""Where in the arena each buffer lies: those whose lives are apart share memory. The forecast in bytes is exact."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from .memory import rounded
from .place import Buffer, Kind
from .program import Call, Instruction, Repeat


@dataclass(frozen=True)
class Life:
    """The instructions (by number) in which a buffer is first and last touched."""

    first: int
    last: int


def lives(instructions: Sequence[Instruction]) -> dict[Buffer, Life]:
    """When each arena buffer is needed. What is touched inside a loop is needed during all of it."""
    found: dict[Buffer, Life] = {}
    for number, each in enumerate(instructions):
        for buffer in touched(each):
            if buffer.kind is Kind.ARENA:
                before = found.get(buffer)
                found[buffer] = Life(before.first if before else number, number)
    return found


def touched(instruction: Instruction) -> list[Buffer]:
    """Every buffer of an instruction, in a fixed order."""
    if isinstance(instruction, Call):
        return list(dict.fromkeys(pointer.buffer for pointer in instruction.pointers))
    asked = [instruction.asked.buffer] if instruction.asked else []
    return list(dict.fromkeys([*asked, *(buffer for each in instruction.parts for buffer in touched(each))]))


def place_buffers(instructions: Sequence[Instruction]) -> int:
    """Give every arena buffer its offset; returns the bytes of the arena. Large ones first, each at the lowest fit."""
    placed: list[tuple[int, int, int, int]] = []  # start, stop, first and last use, in order
    total = 0
    for buffers, life in sorted(_shared(instructions), key=lambda item: (-item[0][0].nbytes, item[0][0].number)):
        size = rounded(buffers[0].nbytes)
        offset = 0
        first, last = life.first, life.last
        for start, stop, begun, over in placed:
            if begun <= last and first <= over:
                if offset + size <= start:
                    break
                offset = max(offset, stop)
        for buffer in buffers:
            buffer.offset = offset
        bisect.insort(placed, (offset, offset + size, first, last))
        total = max(total, offset + size)
    return total


def _shared(instructions: Sequence[Instruction]) -> list[tuple[list[Buffer], Life]]:
    """Buffers that share memory because one takes it over from the other, and how long they need it together."""
    known = lives(instructions)
    group: dict[Buffer, list[Buffer]] = {}
    taken: set[Buffer] = set()
    for buffer, life in sorted(known.items(), key=lambda item: (item[1].first, item[0].number)):
        where = instructions[life.first]
        candidates = buffer.over_slices if isinstance(where, Repeat) else buffer.over
        free = (
            other for other in candidates if other in group and other not in taken and known[other].last == life.first
        )
        heir_of = next((other for other in free if _in_one_kernel(where, other, buffer)), None)
        if heir_of is None:
            group[buffer] = [buffer]
            continue
        taken.add(heir_of)
        group[buffer] = group[heir_of]
        group[buffer].append(buffer)
    found = {id(buffers): buffers for buffers in group.values()}
    return [(buffers, Life(known[buffers[0]].first, known[buffers[-1]].last)) for buffers in found.values()]


def _in_one_kernel(instruction: Instruction, before: Buffer, after: Buffer) -> bool:
    """Whether one kernel alone, in each round of a loop, touches the one buffer and writes the other."""
    if isinstance(instruction, Call):
        return True
    if not isinstance(instruction, Repeat):
        return instruction.hands_over(before, after)
    calls = [each for each in instruction.parts if before in each.reads or after in each.writes]
    alone = len(calls) == 1 and before in calls[0].reads and after in calls[0].writes
    return alone and isinstance(calls[0], Call)


def bytes_kept(instructions: Sequence[Instruction], result: Buffer | None) -> int:
    """Bytes of the arena that wait, when a result is known, for what comes after it: for the backward pass."""
    known = max((number for number, each in enumerate(instructions) if result in each.writes), default=-1)
    spans = lives(instructions).items()
    return sum(rounded(buffer.nbytes) for buffer, life in spans if life.first <= known < life.last)
