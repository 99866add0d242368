"""Where in the arena each buffer lies: those whose lives are apart share memory. The forecast in bytes is exact."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from ...records import dataclass
from ..machine.memory import rounded
from .place import Buffer, Kind
from .program import Call, Instruction, Repeat

MUCH = 1 << 20
"""Bytes from which on what a loop computes in each round shares memory. For less more barriers would not pay."""


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
    return _placed(instructions, lives(instructions))


@dataclass
class _Piece:
    """Buffers that are placed together: each lies `offset` bytes further than it does now. rank: who goes first."""

    buffers: list[Buffer]
    nbytes: int
    life: Life
    rank: int


def _placed(instructions: Sequence[Instruction], known: dict[Buffer, Life]) -> int:
    """Offsets for the buffers in `known`; returns the bytes that they take together."""
    placed: list[tuple[int, int, int, int]] = []  # start, stop, first and last use, in order
    total = 0
    pieces = _rounds(instructions, known)
    inside = {buffer for piece in pieces for buffer in piece.buffers}
    pieces += _shared(instructions, {buffer: life for buffer, life in known.items() if buffer not in inside})
    for piece in sorted(pieces, key=lambda piece: (-piece.nbytes, piece.rank)):
        offset, size = 0, rounded(piece.nbytes)
        for start, stop, begun, over in placed:
            if begun <= piece.life.last and piece.life.first <= over:
                if offset + size <= start:
                    break
                offset = max(offset, stop)
        for buffer in piece.buffers:
            buffer.offset += offset
        bisect.insort(placed, (offset, offset + size, piece.life.first, piece.life.last))
        total = max(total, offset + size)
    return total


def _rounds(instructions: Sequence[Instruction], known: dict[Buffer, Life]) -> list[_Piece]:
    """What lives in single rounds of a loop, where that is much: one piece for each loop, in which memory is shared."""
    pieces = []
    for number, each in enumerate(instructions):
        if not isinstance(each, Repeat):
            continue
        own = {buffer for buffer, life in known.items() if life.first == life.last == number}
        if own and sum(buffer.nbytes for buffer in own) >= MUCH:
            inside = {buffer: life for buffer, life in lives(each.body).items() if buffer in own}
            size = _placed(each.body, inside)
            buffers = list(inside)
            pieces.append(_Piece(buffers, size, Life(number, number), min(buffer.number for buffer in buffers)))
    return pieces


def _shared(instructions: Sequence[Instruction], known: dict[Buffer, Life]) -> list[_Piece]:
    """Buffers that share memory because one takes it over from the other, and how long they need it together."""
    group: dict[Buffer, list[Buffer]] = {}
    taken: set[Buffer] = set()
    for buffer, life in sorted(known.items(), key=lambda item: (item[1].first, item[0].number)):
        buffer.offset = 0
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
    return [
        _Piece(all_, all_[0].nbytes, Life(known[all_[0]].first, known[all_[-1]].last), all_[0].number)
        for all_ in found.values()
    ]


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
