"""Modules that hold parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from ..errors import OutOfRangeError, unknown_name
from ..tensor import Parameter
from .module import Module


def _as_parameter(given: Any) -> Parameter:
    return given if isinstance(given, Parameter) else Parameter(given)


class _Parameters(Module):
    def _held(self) -> dict[str, Parameter]:
        return {name: part for name, part in self._parts() if isinstance(part, Parameter)}

    def __len__(self) -> int:
        return len(self._held())

    def extra_repr(self) -> str:
        return ", ".join(f"({name}): Parameter {part.dtype}{list(part.shape)}" for name, part in self._held().items())


class ParameterList(_Parameters):
    """A list of parameters, found by `parameters()` and the like; arrays become parameters."""

    def __init__(self, parameters: Iterable[Any] = ()) -> None:
        super().__init__()
        self.extend(parameters)

    def append(self, parameter: Any) -> Self:
        """One more parameter at the end."""
        self.register_parameter(str(len(self)), _as_parameter(parameter))
        return self

    def extend(self, parameters: Iterable[Any]) -> Self:
        """More parameters at the end."""
        for each in list(parameters):
            self.append(each)
        return self

    def __getitem__(self, place: int) -> Parameter:
        return self._held()[self._name(place)]

    def __setitem__(self, place: int, parameter: Any) -> None:
        setattr(self, self._name(place), _as_parameter(parameter))

    def _name(self, place: int) -> str:
        if not -len(self) <= place < len(self):
            raise OutOfRangeError(f"there is no parameter {place}: this ParameterList holds {len(self)}")
        return str(place % len(self))

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._held().values())


class ParameterDict(_Parameters):
    """A dict of parameters, found by `parameters()` and the like; arrays become parameters."""

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        for name, each in (parameters or {}).items():
            self[name] = each

    def __setitem__(self, name: str, parameter: Any) -> None:
        if name in self:
            setattr(self, name, _as_parameter(parameter))
        else:
            self.register_parameter(name, _as_parameter(parameter))

    def __getitem__(self, name: str) -> Parameter:
        held = self._held()
        if name not in held:
            raise unknown_name("parameter", name, held)
        return held[name]

    def __contains__(self, name: object) -> bool:
        return name in self._held()

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def keys(self) -> Iterator[str]:
        """Names."""
        return iter(self)

    def values(self) -> Iterator[Parameter]:
        """Parameters."""
        return iter(self._held().values())

    def items(self) -> Iterator[tuple[str, Parameter]]:
        """Names and parameters."""
        return iter(self._held().items())
