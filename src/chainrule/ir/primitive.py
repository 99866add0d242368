"""The record of a primitive, and the registry that everything else reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar

from ..errors import ChainruleError
from ..records import dataclass
from .types import NumpyArray

TypeRule = Callable[..., Any]
"""(*input_types, **params) -> ArrayType, or a tuple of them for a primitive with several outputs."""
Rule = Callable[..., Any]
"""(cotangent, output, *inputs, **params) -> cotangent of one input. With several outputs the first two are tuples."""


def every(answer: Any) -> tuple[Any, ...]:
    """What a primitive or its type rule gives, as a tuple: a single output stands alone there."""
    return answer if isinstance(answer, tuple) else (answer,)


@dataclass(frozen=True)
class JointRule:
    """One rule for all inputs, where computing their cotangents together saves work: loops and branches.

    function: (wanted, cotangents, outputs, inputs, **params) -> the cotangent of each input. `wanted` says which of
    them are asked for; a cotangent that is None is zero.
    """

    function: Callable[..., Sequence[Any]]

    def at(self, position: int) -> Rule:
        """The rule of one input alone."""

        def rule(cotangent: Any, output: Any, *inputs: Any, **params: Any) -> Any:
            wanted = tuple(place == position for place in range(len(inputs)))
            return self.function(wanted, every(cotangent), every(output), inputs, **params)[position]

        return rule


@dataclass(frozen=True)
class NoGradient:
    """Says on purpose that no gradient flows, and why."""

    reason: str


PIECEWISE_CONSTANT = NoGradient("piecewise constant: its derivative is zero wherever it exists")
DISCRETE = NoGradient("its inputs or outputs are integers or booleans")


@dataclass(frozen=True)
class Sample:
    """Inputs on which the tests try a primitive.

    smooth: the derivative exists in a neighbourhood, so central differences must agree.
    """

    inputs: tuple[NumpyArray, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    smooth: bool = True


@dataclass(frozen=True, eq=False)
class Primitive:
    """One operation that is not made of others.

    derivative: one rule for each input (None where that input carries no gradient), or one function
        `rule_of(position, input_count)` for a primitive with any number of inputs, or a JointRule, or a NoGradient.
    formula: for people, with {0}, {1} for the inputs and {name} for parameters.
    for_derivative: parameters that only the derivative reads; what is computed does not depend on them.
    """

    name: str
    type_rule: TypeRule
    numpy: Callable[..., Any]
    derivative: tuple[Rule | None, ...] | Callable[[int, int], Rule | None] | JointRule | NoGradient
    formula: str
    samples: Callable[[], Iterator[Sample]]
    for_derivative: tuple[str, ...] = ()

    __call__: ClassVar[Callable[..., Any]]
    """Apply it to Values of exactly the types it takes: how derivatives are written. It is `bind` of build.py."""

    @property
    def differentiable(self) -> bool:
        """Whether gradients flow through it at all."""
        return not isinstance(self.derivative, NoGradient)

    def rule_for(self, position: int, input_count: int) -> Rule | None:
        """How a cotangent reaches the input at `position`; None where none does."""
        if isinstance(self.derivative, NoGradient):
            return None
        if isinstance(self.derivative, tuple):
            return self.derivative[position]
        if isinstance(self.derivative, JointRule):
            return self.derivative.at(position)
        return self.derivative(position, input_count)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


_REGISTRY: dict[str, Primitive] = {}


def register(primitive: Primitive) -> Primitive:
    """Add a primitive to the registry; its name must be new."""
    if primitive.name in _REGISTRY:
        raise ChainruleError(f"there are two primitives named {primitive.name!r}")
    _REGISTRY[primitive.name] = primitive
    return primitive


def all_primitives() -> Mapping[str, Primitive]:
    """Every registered primitive by name."""
    return dict(_REGISTRY)
