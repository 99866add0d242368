"""Jacobians with complex numbers on a side: a complex number is its real and its imaginary part, put together again.

Of an output f = u + i v by an input z = x + i y there are four real derivatives. Where only one side is complex, they
are one complex number. Where both are, they are two, ∂f/∂z and ∂f/∂z̄: the first is the derivative of a function that
has a complex one, and the second is 0 then. Source: W. Wirtinger (1927); K. Kreutz-Delgado, arXiv:0906.4835.
"""

from __future__ import annotations

from collections.abc import Sequence

from .errors import ConfigurationError, GradientError
from .ir.graph import Value
from .ir.types import Shape
from .ops.arrays import reshape
from .ops.complex_functions import imag, make, real
from .ops.structure import narrow
from .records import dataclass

CHOICES = (None, "z", "conjugate")
BOTH_COMPLEX = (
    'a complex function of complex numbers has two derivatives: say which by wirtinger: "z" for ∂f/∂z, which is the '
    'derivative where f has a complex one, or "conjugate" for ∂f/∂z̄'
)


def check_choice(wirtinger: str | None, inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
    """Raise ConfigurationError for a word that is none, GradientError where one is needed."""
    if wirtinger not in CHOICES:
        raise ConfigurationError(f'wirtinger is None, "z" or "conjugate", not {wirtinger!r}')
    if wirtinger is None and all(any(each.type.is_complex for each in side) for side in (inputs, outputs)):
        raise GradientError(BOTH_COMPLEX)


def real_shape(value: Value) -> Shape:
    """The shape of its real numbers: of complex ones all real parts come first, then all imaginary parts."""
    return (2, *value.shape) if value.type.is_complex else value.shape


def real_size(value: Value) -> int:
    """How many real numbers it has."""
    return value.size * (2 if value.type.is_complex else 1)


@dataclass(frozen=True)
class Partials:
    """Real derivatives of an output u + i v by an input x + i y; None for those of a part that isn't there."""

    u_x: Value
    u_y: Value | None
    v_x: Value | None
    v_y: Value | None

    def together(self, wirtinger: str | None) -> Value:
        """The derivative: of a real output by a complex number its gradient, unless wirtinger asks for another."""
        if self.u_y is None:
            return self.u_x if self.v_x is None else make(self.u_x, self.v_x)
        if wirtinger is None:
            return make(self.u_x, self.u_y)
        if self.v_x is None or self.v_y is None:
            return make(self.u_x / 2, (-self.u_y if wirtinger == "z" else self.u_y) / 2)
        if wirtinger == "z":
            return make((self.u_x + self.v_y) / 2, (self.v_x - self.u_y) / 2)
        return make((self.u_x - self.v_y) / 2, (self.v_x + self.u_y) / 2)


def of_gradients(found: Value, output: Value) -> Partials:
    """From the gradients of all real numbers of the output, (*real_shape(output), *input)."""
    if not output.type.is_complex:
        return Partials(*_parts(found), None, None)
    return Partials(*_parts(_half(found, 0)), *_parts(_half(found, 1)))


def of_tangents(found: Value, value: Value) -> Partials:
    """From what each real number of an input moves, (*real_shape(input), *output)."""
    if not value.type.is_complex:
        u_x, v_x = _parts(found)
        return Partials(u_x, None, v_x, None)
    (u_x, v_x), (u_y, v_y) = _parts(_half(found, 0)), _parts(_half(found, 1))
    return Partials(u_x, u_y, v_x, v_y)


def _parts(value: Value) -> tuple[Value, Value | None]:
    return (real(value), imag(value)) if value.type.is_complex else (value, None)


def _half(value: Value, place: int) -> Value:
    return reshape(narrow(value, 0, place, place + 1), value.shape[1:])
