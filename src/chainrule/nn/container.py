"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from ..errors import ChainruleError, OutOfRangeError
from ..tensor import Parameter
from .module import Module


def _require_module(part: Any, owner: str) -> Module:
    if not isinstance(part, Module):
        raise ChainruleError(f"{owner} holds modules, but was given {part!r} ({type(part).__name__})")
    return part


class _Indexed(Module):
    """Modules by number, under the names "0", "1", ..."""

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, place: int | slice) -> Any:
        named = list(self.named_children())
        if isinstance(place, slice):
            return type(self)._of(named[place])
        if not -len(named) <= place < len(named):
            raise OutOfRangeError(f"there is no module {place}: {type(self).__name__} holds {len(named)}")
        return named[place][1]

    def append(self, module: Module) -> Self:
        """One more module at the end."""
        self.add_module(str(len(self)), _require_module(module, type(self).__name__))
        return self

    @classmethod
    def _of(cls, named: Iterable[tuple[str, Module]]) -> Self:
        new = cls()
        for name, module in named:
            new.add_module(name, module)
        return new


class Sequential(_Indexed):
    """Modules one after another: each gets what the one before it gives. Also from an ordered dict of names.

    >>> from chainrule import nn
    >>> nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): Tanh()
    )
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], Mapping) else enumerate(modules)
        for name, module in named:
            self.add_module(str(name), _require_module(module, "Sequential"))

    def forward(self, x: Any) -> Any:
        for module in self.children():
            x = module(x)
        return x


class ModuleList(_Indexed):
    """A list of modules, found by `parameters()` and the like; it computes nothing itself."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def extend(self, modules: Iterable[Module]) -> Self:
        """More modules at the end."""
        for module in modules:
            self.append(module)
        return self


class ModuleDict(Module):
    """A dict of modules, found by `parameters()` and the like; it computes nothing itself."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, _require_module(module, "ModuleDict"))

    def __getitem__(self, name: str) -> Module:
        found: Module = dict(self.named_children())[name]
        return found

    def __contains__(self, name: str) -> bool:
        return name in dict(self.named_children())

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.named_children())

    def keys(self) -> Iterator[str]:
        """Names."""
        return iter(self)

    def values(self) -> Iterator[Module]:
        """Modules."""
        return self.children()

    def items(self) -> Iterator[tuple[str, Module]]:
        """Names and modules."""
        return self.named_children()


class ParameterList(Module):
    """A list of parameters, found by `parameters()` and the like."""

    def __init__(self, parameters: Iterable[Any] = ()) -> None:
        super().__init__()
        for place, each in enumerate(parameters):
            self.register_parameter(str(place), each if isinstance(each, Parameter) else Parameter(each))

    def __getitem__(self, place: int) -> Parameter:
        return list(self.parameters(recurse=False))[place]

    def __len__(self) -> int:
        return len(list(self.parameters(recurse=False)))

    def __iter__(self) -> Iterator[Parameter]:
        return self.parameters(recurse=False)
