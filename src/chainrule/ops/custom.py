"""The primitive behind `custom_gradient`: passes its first inputs on, and sends cotangents back by the user's rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn, Protocol

from ..errors import GradientError
from ..ir.primitive import Primitive, Rule, Sample, every, register
from ..ir.types import DTYPES, ArrayType, NumpyArray
from ..source import SourceLine
from .samples import spread, variants


class Backward(Protocol):
    """The user's rule: the cotangent of input `position`, given those of the outputs; None where there is none."""

    def __call__(self, cotangents: tuple[Any, ...], position: int) -> Any: ...


class Refusal:
    """A rule that lets no gradient through: whoever asks for one gets a GradientError.

    why: the message, with {place} for the line of the user's that the equation comes from.
    """

    __name__ = "no_gradient"

    def __init__(self, why: str, source: SourceLine | None) -> None:
        self.why, self.source = why, source

    def __call__(self, cotangents: tuple[Any, ...], position: int) -> NoReturn:
        raise GradientError(self.why.replace("{place}", f" (at {self.source})" if self.source else ""))


def _type(*kinds: ArrayType, count: int, backward: Backward) -> ArrayType | tuple[ArrayType, ...]:
    return kinds[0] if count == 1 else kinds[:count]


def _numpy(*arrays: NumpyArray, count: int, backward: Backward) -> NumpyArray | tuple[NumpyArray, ...]:
    return arrays[0] if count == 1 else arrays[:count]


def _rule_for(position: int, input_count: int) -> Rule:
    def rule(cotangent: Any, output: Any, *values: Any, count: int, backward: Backward) -> Any:
        if position < count:
            return None  # how the outputs were computed is what the user's rule replaces
        return backward(every(cotangent), position - count)

    return rule


def _swapped(cotangents: tuple[Any, ...], position: int) -> Any:
    return cotangents[len(cotangents) - 1 - position]


def _samples() -> Iterator[Sample]:
    one, two = spread((2, 3), -2, 2), spread((2, 3), -2, 2, seed=1)
    # Not smooth: the outputs ignore the inputs that the rule sends cotangents to, so differences disagree with it.
    for shape in ((2, 3), (1,), (0,)):
        pair = (spread(shape, -2, 2), spread(shape, -2, 2, seed=1))
        yield Sample(pair, {"count": 1, "backward": _swapped}, smooth=False)
    first = Sample((one, two), {"count": 1, "backward": _swapped}, smooth=False)
    yield from variants(first, DTYPES)
    yield Sample((one, two, two, one), {"count": 2, "backward": _swapped}, smooth=False)


custom_gradient = register(  # (outputs..., inputs...)
    Primitive("custom_gradient", _type, _numpy, _rule_for, "{backward}({all})", _samples, for_derivative=("backward",))
)
