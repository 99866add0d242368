"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from ..errors import ChainruleError, OutOfRangeError, unknown_name
from .module import Module


def _require_module(part: Any, owner: str) -> Module:
    if isinstance(part, Module):
        return part
    given = f"{part!r} ({type(part).__name__})"
    if isinstance(part, type) and issubclass(part, Module):
        hint = f"; make one of it with {part.__name__}(...)"
    else:
        hint = f"; unpack it: {owner}(*layers)" if isinstance(part, list | tuple) else ""
    raise ChainruleError(f"{owner} holds modules, but was given {given}{hint}")


class Indexed(Module):
    """Modules by number, under the names "0", "1", ... or names of their own."""

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, place: int | slice) -> Any:
        named = list(self.named_children())
        return self._part(named[place]) if isinstance(place, slice) else named[self._place(place)][1]

    def _part(self, named: list[tuple[str, Module]]) -> Any:
        """A container of some of the modules."""
        raise NotImplementedError

    def _place(self, place: int) -> int:
        if not -len(self) <= place < len(self):
            raise OutOfRangeError(f"there is no module {place}: {type(self).__name__} holds {len(self)}")
        return place % len(self)

    def __setitem__(self, place: int, module: Module) -> None:
        name = [name for name, _ in self.named_children()][self._place(place)]
        setattr(self, name, _require_module(module, type(self).__name__))

    def __delitem__(self, place: int | slice) -> None:
        named = list(self.named_children())
        del named[place if isinstance(place, slice) else self._place(place)]
        self._hold(named)

    def _hold(self, named: list[tuple[str, Module]]) -> None:
        """These modules instead of the present ones; numbers are given anew, other names stay."""
        for name, _ in list(self.named_children()):
            delattr(self, name)
        for place, (name, module) in enumerate(named):
            self.add_module(str(place) if name.isdigit() else name, module)

    def insert(self, place: int, module: Module) -> None:
        """One more module before the one at `place`."""
        named = list(self.named_children())
        named.insert(place, ("0", _require_module(module, type(self).__name__)))
        self._hold(named)

    def append(self, module: Module) -> Self:
        """One more module at the end."""
        self._hold([*self.named_children(), ("0", _require_module(module, type(self).__name__))])
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """More modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, place: int = -1) -> Module:
        """The module at `place`, taken out."""
        module: Module = self[place]
        del self[place]
        return module


class Sequential(Indexed):
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

    def _part(self, named: list[tuple[str, Module]]) -> Sequential:
        return Sequential(dict(named))  # names stay, as in PyTorch

    def forward(self, x: Any) -> Any:
        for module in self.children():
            x = module(x)
        return x


class ModuleList(Indexed):
    """A list of modules, found by `parameters()` and the like; it computes nothing itself."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for place, module in enumerate(modules):
            self.add_module(str(place), _require_module(module, "ModuleList"))

    def _part(self, named: list[tuple[str, Module]]) -> ModuleList:
        return ModuleList(module for _, module in named)


class ModuleDict(Module):
    """A dict of modules, found by `parameters()` and the like; it computes nothing itself."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module]) -> None:
        """More modules; those of a name that is taken replace the ones before."""
        for name, module in modules.items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        _require_module(module, "ModuleDict")
        if name in self:
            setattr(self, name, module)
        else:
            self.add_module(name, module)

    def __getitem__(self, name: str) -> Module:
        found = dict(self.named_children())
        if name not in found:
            raise unknown_name("module", name, found)
        return found[name]

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str) -> Module:
        """The module of this name, taken out."""
        module = self[name]
        delattr(self, name)
        return module

    def __contains__(self, name: object) -> bool:
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
