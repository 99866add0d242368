"""Guards on the numbers an optimiser or a schedule is given; a ConfigurationError names the argument."""

from __future__ import annotations

from typing import Any

from ..counts import checked_count
from ..errors import ConfigurationError
from ..tensor import Tensor


def not_negative(**numbers: Any) -> None:
    """Every number given is 0 or more: `not_negative(lr=lr, eps=eps)`."""
    for name, number in numbers.items():
        if not _number(name, number) >= 0:
            raise ConfigurationError(f"{name} must be 0 or more, but is {number}")


def positive(**numbers: Any) -> None:
    """Every number given is more than 0."""
    for name, number in numbers.items():
        if not _number(name, number) > 0:
            raise ConfigurationError(f"{name} must be more than 0, but is {number}")


def fractions(name: str, *numbers: float) -> None:
    """Every number is at least 0 and less than 1: the weight of the past in a running mean."""
    for number in numbers:
        if not 0 <= _number(name, number) < 1:
            raise ConfigurationError(f"{name} must be at least 0 and less than 1, but holds {number}")


def between(name: str, number: float, low: float, high: float) -> None:
    """The number lies between two others, or is one of them."""
    if not low <= _number(name, number) <= high:
        raise ConfigurationError(f"{name} must be between {low:g} and {high:g}, but is {number}")


def whole_and_positive(**numbers: Any) -> None:
    """Every number given is an integer of at least 1."""
    for name, number in numbers.items():
        checked_count(name, number)


def one_of(name: str, given: Any, known: tuple[Any, ...]) -> None:
    """The option is one of those known."""
    if given not in known:
        raise ConfigurationError(f"{name} must be one of {', '.join(map(repr, known))}, but is {given!r}")


def _number(name: str, number: Any) -> float:
    if isinstance(number, Tensor) and number.size == 1:
        return float(number)
    if isinstance(number, bool | str) or not hasattr(number, "__float__"):
        raise ConfigurationError(f"{name} must be a number, but is {number!r}")
    return float(number)
