"""Module: a part of a network that holds parameters, buffers and other modules, found by scanning its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from ..capture_told import note_listed, note_module
from ..captured_module import CHANGES
from ..errors import ChainruleError, DtypeError, unknown_name
from ..ir.types import NumpyArray, as_dtype, is_real_float
from ..tensor import Parameter, Tensor
from .state import LoadedKeys, checked_state


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

    training: bool = True

    def __init__(self) -> None:
        self.training = True
        self._buffers: dict[str, bool] = {}

    # -- computing

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes; a subclass says it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, ...): define what it computes")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        note_module(self, Module)
        return self.forward(*inputs, **options)

    # -- making

    def __setattr__(self, name: str, part: Any) -> None:
        if isinstance(part, Parameter | Module) and "_buffers" not in self.__dict__:
            raise ChainruleError(f"call super().__init__() in {type(self).__name__}.__init__ before setting {name!r}")
        self._check_kept(name, part)
        super().__setattr__(name, part)
        CHANGES[0] += 1

    def _check_kept(self, name: str, part: Any) -> None:
        """What replaces a parameter or a buffer must be one too, or it would silently no longer be trained or saved."""
        before = self.__dict__.get(name)
        if isinstance(before, Parameter) and isinstance(part, Tensor) and not isinstance(part, Parameter):
            raise ChainruleError(
                f"{name!r} is a parameter of {type(self).__name__}, but a plain tensor was given: wrap it in "
                f"nn.Parameter(...), or use {name}.assign(...) to change its contents"
            )
        if name in self.__dict__.get("_buffers", ()) and not isinstance(part, Tensor | None):
            raise ChainruleError(f"{name!r} is a buffer of {type(self).__name__}: a tensor or None, not {part!r}")

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        CHANGES[0] += 1
        self.__dict__.get("_buffers", {}).pop(name, None)

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
        if hasattr(self, name):
            raise ChainruleError(f"{type(self).__name__} already has an attribute {name!r}; choose another name")

    def add_module(self, name: str, module: Module) -> None:
        """A module under a name."""
        self._check_free(name)
        setattr(self, name, module)

    # -- finding

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside, with their names."""
        return ((name, part) for name, part in self._parts() if isinstance(part, Module))

    def _parts(self) -> Iterator[tuple[str, Any]]:
        note_listed(self, Module)
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
            for name in module.__dict__.get("_buffers", ()):
                if getattr(module, name) is not None:
                    yield _join(path, name), getattr(module, name)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as `encoder.0`; the empty path is this module."""
        found: Module = _found("module", target, dict(self._all_places("")))
        return found

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as `encoder.0.weight`."""
        found: Parameter = _found("parameter", target, dict(self._named(Parameter, "", True)))
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as `encoder.1.running_mean`."""
        found: Tensor = _found("buffer", target, dict(self.named_buffers()))
        return found

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

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or with set_to_none=False make them zero."""
        for parameter in self.parameters():
            keep = not set_to_none and parameter.grad is not None
            parameter.grad = Tensor(np.zeros(parameter.shape, parameter.dtype)) if keep else None

    def to(self, dtype: Any) -> Self:
        """All floating parameters and buffers in another float type, in place."""
        if not is_real_float(as_dtype(dtype)):
            raise DtypeError(
                f"parameters are trained in floats: to() takes float32, float64 or bfloat16, not {as_dtype(dtype)}"
            )
        for tensor in [*self.parameters(), *self.buffers()]:
            if is_real_float(tensor.dtype):
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
                if isinstance(part, Parameter) or (
                    isinstance(part, Tensor) and module.__dict__.get("_buffers", {}).get(name)
                ):
                    found[_join(path, name)] = part
        return found

    def _all_places(self, prefix: str) -> Iterator[tuple[str, Module]]:
        """Every place a module stands in: a shared module comes once for each, as in PyTorch's state_dict."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child._all_places(_join(prefix, name))

    def state_dict(self, *, copy: bool = True) -> dict[str, NumpyArray]:
        """All parameters and persistent buffers by path, with PyTorch's names and shapes.

        copy: False for arrays that only look at what there is now, for who writes them down at once.
        """
        return {path: np.array(tensor.numpy()) if copy else tensor.numpy() for path, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadedKeys:
        """Take over parameters and buffers; with strict=False names that are missing or unexpected are passed over.

        state: tensors or arrays by path (PyTorch's too), of any float type where ours are floats.
        Gives the missing and the unexpected names.
        Raises CheckpointError that lists what is missing, unexpected or does not fit; then nothing is changed.
        """
        own = self._state()
        arrays, keys = checked_state(own, state, strict, type(self).__name__)
        for path, array in arrays.items():
            own[path].assign(array)
        return keys

    # -- how it looks

    def extra_repr(self) -> str:
        """What stands between the brackets of a layer's text form."""
        return ""

    def summary(self, example: Any = None) -> Any:
        """A table of the layers: output shapes, parameters; print it.

        example: the shape of one example, such as (784,), or a batch of examples (an array, or a tuple of them for
        several inputs); without it the layers are listed as they are held, without shapes.
        """
        from .summary import summary  # it looks at modules, so it comes after them

        return summary(self, example)

    def __repr__(self) -> str:
        children = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        inside = "\n  ".join(([self.extra_repr()] if self.extra_repr() else []) + children)
        return f"{type(self).__name__}(\n  {inside}\n)"


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _found(kind: str, path: str, known: Mapping[str, Any]) -> Any:
    if path not in known:
        raise unknown_name(kind, path, known)
    return known[path]
