"""`dataclass`, as Python's own but made in a seventh of the time: hundreds of them lie on the way to a first step.

Python writes and compiles six methods for each class, whoever may call them. Here those that every class can share are
shared, and `__init__` is written when the first object is made. Type checkers see Python's own. It is for classes
inside the house: those that users make stay with Python's, whose signature `help` and editors show.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(made=None, /, *, frozen=False, eq=True, slots=False):
        """The options of Python's that are in use here, with its meaning."""

        def plain(given):
            given.__doc__ = given.__doc__ or given.__name__  # Python's own would find out the signature for it
            return dataclasses.dataclass(given, init=False, repr=False, eq=False, slots=slots)

        if made is None:
            return lambda given: _with_methods(plain(given), frozen, eq)
        return _with_methods(plain(made), frozen, eq)


def _with_methods(made: type, frozen: bool, eq: bool) -> type:
    own = vars(made)
    if "__init__" not in own:
        _set(made, __init__=_first_init(made, frozen))
    if "__repr__" not in own:
        _set(made, __repr__=_repr)
    if frozen:
        _set(made, __setattr__=_no_change, __delattr__=_no_removal)
    if frozen and "__slots__" in own:
        _set(made, __getstate__=_state, __setstate__=_set_state)
    if eq and "__eq__" not in own:
        _compare_fields(made, frozen and own.get("__hash__") is None)
    return made


def _set(made: type, **methods: Any) -> None:
    for name, method in methods.items():
        setattr(made, name, method)


def _first_init(made: type, frozen: bool) -> Callable[..., None]:
    """Writes `__init__` in its own place, and calls it."""

    def __init__(self: Any, *values: Any, **named: Any) -> None:
        written = _written_init(made, frozen)
        _set(made, __init__=written)
        written(self, *values, **named)

    return __init__


def _written_init(made: type, frozen: bool) -> Callable[..., None]:
    known: dict[str, Any] = {"set_": object.__setattr__, "MISSING_": dataclasses.MISSING}
    parameters, lines = ["self"], []
    for field in dataclasses.fields(made):
        if not field.init:
            continue
        name, value = field.name, field.name
        if field.default_factory is not dataclasses.MISSING:
            known[f"{name}_made"] = field.default_factory
            parameters.append(f"{name}=MISSING_")
            value = f"{name}_made() if {name} is MISSING_ else {name}"
        elif field.default is not dataclasses.MISSING:
            known[f"{name}_default"] = field.default
            parameters.append(f"{name}={name}_default")
        else:
            parameters.append(name)
        lines.append(f"set_(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(made, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"]), known)
    written: Callable[..., None] = known["__init__"]
    written.__qualname__ = f"{made.__qualname__}.__init__"
    return written


def _compare_fields(made: type, hashed: bool) -> None:
    names = [field.name for field in dataclasses.fields(made)]
    values: Callable[[Any], Any] = attrgetter(*names) if len(names) > 1 else _few(names)

    def __eq__(self: Any, other: object) -> bool:
        return bool(values(self) == values(other)) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(values(self))

    _set(made, __eq__=__eq__, __hash__=__hash__ if hashed else None)


def _few(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    return lambda self: tuple([getattr(self, name) for name in names])


@recursive_repr()
def _repr(self: Any) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self))
    return f"{type(self).__qualname__}({shown})"


def _no_change(self: Any, name: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _no_removal(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state):
        object.__setattr__(self, field.name, value)
