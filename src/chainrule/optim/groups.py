"""What a user passes as parameters: a list of tensors, or of groups of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ConfigurationError
from ..ir.types import is_bfloat16
from ..tensor import Tensor


def as_groups(params: Any) -> list[Mapping[str, Any]]:
    """Parameter groups as they are, a list of parameters as one group."""
    if isinstance(params, Tensor | Mapping) or not isinstance(params, Iterable):
        raise ConfigurationError(
            f"an optimiser takes a list of parameters or of parameter groups (model.parameters()), not a "
            f"{type(params).__name__}; put a single one in a list"
        )
    listed = list(params)
    if not listed:
        raise ConfigurationError("an optimiser needs at least one parameter, but the list is empty")
    return listed if isinstance(listed[0], Mapping) else [{"params": listed}]


def parameter_list(params: Any) -> list[Tensor]:
    """The parameters of a group, each a float tensor that nothing computed."""
    listed = [params] if isinstance(params, Tensor) else list(params)
    for parameter in listed:
        _check_parameter(parameter)
    check_new([], listed)
    return listed


def _check_parameter(parameter: Any) -> None:
    if isinstance(parameter, tuple):
        raise ConfigurationError("optimisers take model.parameters(), not model.named_parameters()")
    if not isinstance(parameter, Tensor):
        raise ConfigurationError(
            f"an optimiser moves tensors (model.parameters()), but was given a {type(parameter).__name__}"
        )
    if is_bfloat16(parameter.dtype):
        raise ConfigurationError(
            "an optimiser moves float32 or float64: in bfloat16 most updates are lost in rounding. "
            'Keep the weights in float32 and take products in bfloat16, with cr.autocast or fit(precision="bfloat16")'
        )
    if parameter.dtype.kind != "f":
        raise ConfigurationError(f"an optimiser moves floats, but was given a parameter of type {parameter.dtype}")
    if not parameter.is_leaf:
        raise ConfigurationError(
            "an optimiser moves parameters, but was given a tensor that was computed from others; use detach() first"
        )


def check_new(before: list[Tensor], added: list[Tensor]) -> None:
    """No parameter is there twice."""
    seen = {id(parameter) for parameter in before}
    for position, parameter in enumerate(added):
        if id(parameter) in seen:
            raise ConfigurationError(
                f"parameter {position} of a group (shape {parameter.shape}) is given to the optimiser twice: "
                "it would move twice each step"
            )
        seen.add(id(parameter))
