"""Weights that are computed from other parameters each time they are read: PyTorch's `nn.utils.parametrize`."""

from __future__ import annotations

from typing import Any

from ...errors import ConfigurationError, ShapeError
from ...tensor import Parameter, Tensor
from ..container import ModuleDict
from ..module import Module


class Parametrized(Module):
    """The steps that make one weight, and what they start from: `original`, or `original0`, `original1` of several."""

    def __init__(self, weight: Parameter, step: Module) -> None:
        super().__init__()
        start = step.right_inverse(weight) if hasattr(step, "right_inverse") else weight
        self._count = len(start) if isinstance(start, tuple) else 0
        for name, part in zip(self._names(), start if self._count else (start,)):
            setattr(self, name, part if isinstance(part, Parameter) else Parameter(part.numpy()))
        self._shape = weight.shape
        self._steps: list[str] = []
        self.append(step)

    def _names(self) -> list[str]:
        return [f"original{place}" for place in range(self._count)] if self._count else ["original"]

    def append(self, step: Module) -> None:
        """Add a step. Raises ShapeError where the weight would change its shape."""
        setattr(self, str(len(self._steps)), step)
        self._steps.append(str(len(self._steps)))
        found = self().shape
        if found != self._shape:
            raise ShapeError(f"{type(step).__name__} must keep the shape {self._shape} of the weight, but made {found}")

    def forward(self) -> Tensor:
        """The weight."""
        value: Any = [getattr(self, name) for name in self._names()]
        for name in self._steps:
            value = [getattr(self, name)(*value)]
        found: Tensor = value[0]
        return found


def register_parametrization(module: Module, tensor_name: str, parametrization: Module) -> Module:
    """Compute `module.<tensor_name>` from now on by `parametrization`, a module; a further one goes on from the last.

    What is trained is `module.parametrizations.<tensor_name>.original`; where the parametrization has a method
    `right_inverse(weight)`, what that gives (a tuple: `original0`, `original1`, ...), so that the weight starts as it
    was. Make optimisers afterwards: they must get these parameters. Works in compiled functions, with cr.grad, and to
    any order. Gives the module. Raises ConfigurationError where there is no such parameter, ShapeError where the shape
    would change.

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> class Symmetric(nn.Module):
    ...     def forward(self, x):
    ...         return (x + x.T) / 2
    >>> layer = register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    if is_parametrized(module, tensor_name):
        _made(module)[tensor_name].append(parametrization)
        return module
    weight = module.__dict__.get(tensor_name)
    if not isinstance(weight, Parameter):
        raise ConfigurationError(f"{type(module).__name__} has no parameter {tensor_name!r} to parametrize")
    made = Parametrized(weight, parametrization)
    _become(module, [*_parametrized(module), tensor_name])
    del module.__dict__[tensor_name]  # what its class computes under that name shows instead
    if "parametrizations" not in module.__dict__:
        module.add_module("parametrizations", ModuleDict())
    _made(module)[tensor_name] = made
    return module


def _made(module: Any) -> Any:
    """The weights of the module that are computed, by name."""
    return module.parametrizations


def _parametrized(module: Module) -> list[str]:
    return list(getattr(type(module), "_parametrized_names", ()))


def _become(module: Module, names: list[str]) -> None:
    """Give the module a class of its own that computes `names`; the class it was made of where there are none."""
    plain = type(module).__mro__[1] if _parametrized(module) else type(module)
    if not names:
        module.__class__ = plain
        return
    computed: dict[str, Any] = {name: property(_reader(name)) for name in names}
    module.__class__ = type(
        f"Parametrized{plain.__name__}", (plain,), {**computed, "_parametrized_names": tuple(names)}
    )


def _reader(name: str) -> Any:
    return lambda module: module.parametrizations[name]()


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a weight of the module, or any, is computed."""
    names = _parametrized(module)
    return bool(names) if tensor_name is None else tensor_name in names


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make the weight a parameter again: with the value it has now, or with that of its `original`. Gives the module.

    Raises ConfigurationError where the weight isn't computed, or has several originals and none can be left.
    """
    if not is_parametrized(module, tensor_name):
        raise ConfigurationError(f"{type(module).__name__}.{tensor_name} is not parametrized")
    made = _made(module)[tensor_name]
    if not leave_parametrized and made._count:
        raise ConfigurationError(f"{tensor_name!r} is made of {made._count} tensors: none of them can be left as it")
    weight = Parameter((made() if leave_parametrized else made.original).detach().numpy().copy())
    names = [name for name in _parametrized(module) if name != tensor_name]
    del _made(module)[tensor_name]
    if not names:
        del module.__dict__["parametrizations"]
    _become(module, names)
    setattr(module, tensor_name, weight)
    return module
