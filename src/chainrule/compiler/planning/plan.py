"""What it takes to run a program besides its code: the places of its table of addresses, and how much memory it needs.

A plan and the code are kept on disk together, so that a second process needs neither passes nor kernels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ir.types import NumpyArray
from ...records import dataclass

if TYPE_CHECKING:
    from .place import Buffer
    from .program import Program

WORD = 8
HEAD = 4
"""Words of the context of many steps before the addresses; `steps` says what they are."""
MOST_CONSTANTS = 16 << 20
"""Bytes of constants up to which a program is kept on disk."""

PARALLEL_COST = 150_000.0
"""Work of a whole program below which a second thread is not worth waking."""


@dataclass(frozen=True)
class Plan:
    """inputs, outputs, errors: places in the table, whose first is the arena and whose last are the constants.

    An output that is updated in place has the place of its input. cost: element operations, roughly, of one run.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    errors: int | None
    places: int
    arena_bytes: int
    activation_bytes: int
    cost: float
    kernels: int

    def constant_places(self, count: int) -> range:
        """Where the addresses of the constants go."""
        return range(self.places - count, self.places)


def plan_of(
    program: Program, inputs: Sequence[Buffer], outputs: Sequence[Buffer], errors: Buffer | None, activation_bytes: int
) -> Plan:
    """The plan of a program whose buffers are placed."""
    place = {id(buffer): number + 1 for number, buffer in enumerate(program.table)}
    return Plan(
        inputs=tuple(place[id(buffer)] for buffer in inputs),
        outputs=tuple(place[id(buffer)] for buffer in outputs),
        errors=None if errors is None else place[id(errors)],
        places=len(program.table) + 1,
        arena_bytes=program.arena_bytes,
        activation_bytes=activation_bytes,
        cost=program.cost,
        kernels=len(program.instructions),
    )


# -- on disk: the length of the head, the head in JSON, the constants, the code


def packed(plan: Plan, constants: Sequence[NumpyArray], objects: Sequence[bytes]) -> bytes:
    """A plan, the constants of its program and its code as bytes."""
    shapes = [[str(array.dtype), list(array.shape)] for array in constants]
    head = json.dumps({"plan": asdict(plan), "constants": shapes, "code": [len(code) for code in objects]}).encode()
    return b"".join([len(head).to_bytes(WORD, "little"), head, *(array.tobytes() for array in constants), *objects])


def unpacked(raw: bytes) -> tuple[Plan, list[NumpyArray], list[bytes]]:
    """The reverse of `packed`."""
    end = WORD + int.from_bytes(raw[:WORD], "little")
    head = json.loads(raw[WORD:end])
    fields: dict[str, Any] = head["plan"]
    fields.update(inputs=tuple(fields["inputs"]), outputs=tuple(fields["outputs"]))
    constants = []
    for dtype, shape in head["constants"]:
        array = np.frombuffer(raw, np.dtype(dtype), int(np.prod(shape)), end).reshape(shape)
        constants.append(array)
        end += array.nbytes
    bounds = pairwise(accumulate(head["code"], initial=end))
    return Plan(**fields), constants, [raw[start:stop] for start, stop in bounds]
