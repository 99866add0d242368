"""Module: a part of a network that holds parameters, buffers and other modules, found by scanning its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from .. import tree
from ..errors import ChainruleError
from ..ir.types import NumpyArray, as_dtype
from ..tensor import Parameter, Tensor
from .state import checked_state


class Module:
    """Base of all layers and networks. A subclass makes its parts in `__init__` and computes in `forward`.

    Parameters, modules and buffers are plain attributes; the methods below find them, in the order they were made.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.slope = Parameter([2.0])
    ...     def forward(self, x):
    ...         return x * self.slope
    >>> Line()(3.0).tolist()
    [6.0]
    """

    training: bool

    def __init__(self) -> None:
        self.training = True
        self._buffers: dict[str, bool] = {}

    # -- computing

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes; a subclass says it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, ...): define what it computes")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    # -- making

    def __setattr__(self, name: str, part: Any) -> None:
        if isinstance(part, Parameter | Module) and "_buffers" not in self.__dict__:
            raise ChainruleError(f"call super().__init__() in {type(self).__name__}.__init__ before setting {name!r}")
        super().__setattr__(name, part)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """A tensor that belongs to the module but is not trained; persistent ones are in the state_dict."""
        self._check_free(name)
        self._buffers[name] = persistent
        setattr(self, name, tensor)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """A parameter under a name; None leaves the place empty (a layer without bias)."""
        self._check_free(name)
        setattr(self, name, parameter)

    def _check_free(self, name: str) -> None:
        if "_buffers" not in self.__dict__:
            raise ChainruleError(
                f"call super().__init__() in {type(self).__name__}.__init__ before registering {name!r}"
            )
        if "." in name or not name:
            raise ChainruleError(f"{name!r} can't name a part of a module: it must not be empty or hold a dot")
        if name in self.__dict__:
            raise ChainruleError(f"{type(self).__name__} already has an attribute {name!r}")

    def add_module(self, name: str, module: Module) -> None:
        """A module under a name."""
        self._check_free(name)
        setattr(self, name, module)

    # -- finding

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside, with their names."""
        return ((name, part) for name, part in self._parts() if isinstance(part, Module))

    def _parts(self) -> Iterator[tuple[str, Any]]:
        return iter(self.__dict__.items())

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Module]]:
        """This module and all inside it, each once, with their paths."""
        seen = set() if seen is None else seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(_join(prefix, name), seen)

    def modules(self) -> Iterator[Module]:
        """This module and all inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their paths; one that is shared comes once."""
        seen: set[int] = set()
        for path, parameter in self._named(Parameter, prefix, recurse):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield path, parameter

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters; one that is shared comes once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their paths."""
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name in module._buffers:
                if getattr(module, name) is not None:
                    yield _join(path, name), getattr(module, name)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(self, kind: type, prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, part in module._parts():
                if isinstance(part, kind):
                    yield _join(path, name), part

    # -- changing

    def train(self, mode: bool = True) -> Self:
        """Training behaviour (dropout drops, batch norm uses the batch) for this module and all inside it."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation behaviour for this module and all inside it."""
        return self.train(False)

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` on all modules inside and on this one, inner ones first."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def requires_grad_(self, wanted: bool = True) -> Self:
        """Whether the parameters are trained."""
        for parameter in self.parameters():
            parameter.requires_grad_(wanted)
        return self

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, dtype: Any) -> Self:
        """All floating parameters and buffers in another float type, in place."""
        for tensor in [*self.parameters(), *self.buffers()]:
            if tensor.dtype.kind == "f":
                tensor.recast(as_dtype(dtype))
        return self

    def double(self) -> Self:
        """All parameters and buffers in float64."""
        return self.to(np.float64)

    def float(self) -> Self:
        """All parameters and buffers in float32."""
        return self.to(np.float32)

    # -- saving and restoring

    def _state(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for path, module in self._all_places(""):
            for name, part in module._parts():
                if isinstance(part, Parameter) or (isinstance(part, Tensor) and module._buffers.get(name)):
                    found[_join(path, name)] = part
        return found

    def _all_places(self, prefix: str) -> Iterator[tuple[str, Module]]:
        """Every place a module stands in: a shared module comes once for each, as in PyTorch's state_dict."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child._all_places(_join(prefix, name))

    def state_dict(self) -> dict[str, NumpyArray]:
        """Copies of all parameters and persistent buffers by path, with PyTorch's names and shapes."""
        return {path: np.array(tensor.numpy()) for path, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over parameters and buffers; with strict=False names that are missing or unexpected are passed over.

        Raises ChainruleError that lists what is missing, unexpected or of another shape; then nothing is changed.
        """
        own = self._state()
        for path, array in checked_state(own, state, strict, type(self).__name__).items():
            own[path].assign(array)

    # -- how it looks

    def extra_repr(self) -> str:
        """What stands between the brackets of a layer's text form."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        inside = "\n  ".join(([self.extra_repr()] if self.extra_repr() else []) + children)
        return f"{type(self).__name__}(\n  {inside}\n)"


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _tree_children(module: Module) -> tree.Children:
    """For gradients by a whole module: its trainable parameters are the leaves."""
    named = [(path, each) for path, each in module.named_parameters() if each.requires_grad]
    paths = tuple(path for path, _ in named)
    replaced = {id(each): position for position, (_, each) in enumerate(named)}

    def rebuild(values: Any) -> Module:
        return _copy_with(module, replaced, list(values), {})

    return tree.Children(paths, tuple(each for _, each in named), rebuild)


def _copy_with(module: Module, replaced: dict[int, int], values: list[Any], done: dict[int, Module]) -> Module:
    if id(module) in done:
        return done[id(module)]
    copy = object.__new__(type(module))
    done[id(module)] = copy
    for name, part in module.__dict__.items():
        if isinstance(part, Module):
            part = _copy_with(part, replaced, values, done)
        elif id(part) in replaced:
            part = values[replaced[id(part)]]
        copy.__dict__[name] = part
    return copy


tree.register(Module, _tree_children)
