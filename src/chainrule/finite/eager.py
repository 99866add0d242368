"""The check for programs that run operation by operation: the first NaN is an error where it is made."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import NonFiniteError
from ..ir.build import checking
from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import Primitive
from ..ir.types import ArrayType, NumpyArray
from ..source import SourceLine, user_source
from .message import told
from .store import SavedStep, keep
from .trail import Birth, Trail, follow, has_nan, is_bad

Derives = tuple[str, SourceLine | None] | None
MOST_KNOWN = 1_000


@contextmanager
def check_finite() -> Iterator[None]:
    """Inside the block, an operation that makes NaN of numbers raises NonFiniteError, with its line and its operands.

    Infinities are no error, as those of a mask are none; the one that NaN comes from is told too. The operation is
    saved for `chainrule replay`.

    For code that runs eagerly, backward passes too. Compiled functions are asked with
    `cr.compile(f, check_finite=True)`, trainings with `fit(..., check_finite=True)`.

    >>> import chainrule as cr
    >>> with cr.check_finite():
    ...     cr.log(cr.tensor([1.0, -1.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    chainrule.errors.NonFiniteError: The result of log is not finite. The first cause is NaN in log...
    """
    with checking(_Check()):
        yield


class _Check:
    """What is asked of each operation. causes: by id of an array, where its infinities were made."""

    def __init__(self) -> None:
        self.causes: dict[int, tuple[weakref.ref[NumpyArray], tuple[Birth, ...]]] = {}

    def __call__(
        self,
        primitive: Primitive,
        inputs: Sequence[Value],
        params: Mapping[str, Any],
        results: Sequence[NumpyArray],
        derives: Derives,
    ) -> None:
        if not any(map(is_bad, results)):
            return
        given = [np.asarray(value.data) for value in inputs]
        if any(map(has_nan, given)):
            return
        known = next((cause for array in given if (cause := self._cause(array))), ())
        is_nan = any(map(has_nan, results))
        if known and not is_nan:
            self._note(results, known)
            return
        step = _alone(primitive, given, params, [ArrayType(each.shape, each.dtype) for each in results], derives)
        trail = follow(step.graph, step.inputs, step.names, step.outputs)
        if trail is None:
            return
        if is_nan:
            raise _error(step, Trail(trail.noticed, (*known, *trail.births[-1:])) if known else trail)
        self._note(results, trail.births)

    def _note(self, results: Sequence[NumpyArray], births: tuple[Birth, ...]) -> None:
        if len(self.causes) > MOST_KNOWN:
            self.causes = {key: kept for key, kept in self.causes.items() if kept[0]() is not None}
        for result in filter(is_bad, results):
            self.causes[id(result)] = weakref.ref(result), births

    def _cause(self, array: NumpyArray) -> tuple[Birth, ...]:
        """Where the infinities of an operand were made, if they were inside the block."""
        known = self.causes.get(id(array))
        return known[1] if known is not None and known[0]() is array else ()


def _alone(
    primitive: Primitive,
    given: Sequence[NumpyArray],
    params: Mapping[str, Any],
    kinds: Sequence[ArrayType],
    derives: Derives,
) -> SavedStep:
    """One operation as a step that can be saved."""
    inputs = tuple(Value(ArrayType(array.shape, array.dtype)) for array in given)
    equation = Equation(primitive, inputs, params, user_source())
    equation.derives = derives
    names = tuple(f"operand {place}" for place in range(1, len(given) + 1))
    outputs = equation.produce(kinds, False)
    graph = Graph(inputs, (equation,), outputs, primitive.name)
    batch = kinds[0].shape[0] if kinds[0].shape else None
    return SavedStep(graph, tuple(given), names, (f"the result of {primitive.name}",) * len(outputs), batch)


def _error(step: SavedStep, trail: Trail) -> NonFiniteError:
    told_how, file = keep(step, None, "the operation")
    return NonFiniteError(f"{told(trail, step.batch)}\n{told_how}", trail, file)
