"""Which round of a loop, or which branch, gives something that is not finite: it is run again, round by round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..ir.build import evaluate
from ..ir.graph import Equation, Graph
from ..ir.types import NumpyArray
from ..ops.control import runner
from ..records import dataclass

Arrays = Sequence[NumpyArray]


@dataclass(frozen=True)
class Round:
    """One run of a body. given: its inputs; fixed, carried: how many of them stay, and go from round to round.

    slice: the number of the slices that it was given, in a scan.
    """

    label: str
    body: Graph
    given: Arrays
    fixed: int
    carried: int
    slice: int | None = None

    def named(self, names: Sequence[str]) -> list[str]:
        """What the inputs of the body are called. names: what those of the loop are, or nothing."""
        carry, end = self.fixed, self.fixed + self.carried
        sliced = [f"a slice of {name or 'what is gone through'}" for name in names[end:]]
        kept = [name or "a value from outside" for name in names[:carry]]
        return [*kept, *["what is carried"] * self.carried, *sliced]


def computed(equation: Equation, arrays: Arrays) -> list[NumpyArray]:
    """The outputs of an equation, by its meaning in NumPy."""
    types = tuple(value.type for value in equation.outputs)
    return list(evaluate(equation.primitive, list(arrays), dict(equation.params), types))


def inside(equation: Equation, arrays: Arrays, bad: Callable[[NumpyArray], bool]) -> Round | None:
    """The first round that gives something bad; None where the equation has no rounds."""
    rounds = {"scan": _scan, "while_loop": _while, "cond": _cond}.get(equation.primitive.name)
    if rounds is None:
        return None
    return next((found for found, results in rounds(equation, arrays) if any(map(bad, results))), None)


def _scan(equation: Equation, arrays: Arrays) -> Iterator[tuple[Round, Arrays]]:
    body, fixed, carry = (equation.params[name] for name in ("body", "constants", "carry"))
    carried, stacks = arrays[fixed : fixed + carry], arrays[fixed + carry :]
    run, numbers = runner(body), range(equation.params["length"])
    for number in reversed(numbers) if equation.params["reverse"] else numbers:
        given = [*arrays[:fixed], *carried, *(np.asarray(stack[number]) for stack in stacks)]
        results = run(given)
        yield Round(f"slice {number} of scan, counted from 0", body, given, fixed, carry, number), results
        carried = results[:carry]


def _while(equation: Equation, arrays: Arrays) -> Iterator[tuple[Round, Arrays]]:
    body, condition, fixed = (equation.params[name] for name in ("body", "condition", "constants"))
    run, goes_on = runner(body), runner(condition)
    given, number = list(arrays), 0
    while goes_on(given)[0]:
        results = run(given)
        label = f"round {number} of while_loop, counted from 0"
        yield Round(label, body, given, fixed, len(given) - fixed), results
        given, number = [*arrays[:fixed], *results], number + 1


def _cond(equation: Equation, arrays: Arrays) -> Iterator[tuple[Round, Arrays]]:
    holds = bool(arrays[0])
    body, given = equation.params["true_body" if holds else "false_body"], arrays[1:]
    label = f"the branch of cond for {holds}"
    yield Round(label, body, given, len(given), 0), runner(body)(given)
