"""The check for programs that run operation by operation: the first NaN is an error where it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import NonFiniteError
from ..ir.build import checking
from ..ir.graph import Value
from ..ir.types import NumpyArray
from ..source import SourceLine, user_source
from .message import told
from .operand import operand
from .trail import Birth, Trail, bad_rows, has_nan


@contextmanager
def check_finite() -> Iterator[None]:
    """Inside the block, an operation that makes NaN of numbers raises NonFiniteError, with its line and its operands.

    For code that runs eagerly, backward passes too. Compiled functions are asked with
    `cr.compile(f, check_finite=True)`, trainings with `fit(..., check_finite=True)`.

    >>> import chainrule as cr
    >>> with cr.check_finite():
    ...     cr.log(cr.tensor([1.0, -1.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    chainrule.errors.NonFiniteError: The result of log is not finite. The first cause is NaN in log...
    """
    with checking(_check):
        yield


def _check(
    primitive: Any,
    inputs: Sequence[Value],
    results: Sequence[NumpyArray],
    derives: tuple[str, SourceLine | None] | None,
) -> None:
    wrong = [result for result in results if has_nan(result)]
    if not wrong or any(value.data is not None and has_nan(value.data) for value in inputs):
        return
    given = [operand(f"operand {place}", value.data) for place, value in enumerate(inputs, 1) if value.data is not None]
    rows = tuple(int(row) for row in bad_rows(wrong[0]))
    result = operand("result", wrong[0])
    birth = Birth(primitive.name, "NaN", tuple(given), result, user_source(), derives, rows)
    trail = Trail(f"the result of {primitive.name}", (birth,))
    batch = wrong[0].shape[0] if wrong[0].ndim else None
    raise NonFiniteError(told(trail, batch), trail)
