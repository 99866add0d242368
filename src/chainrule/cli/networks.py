"""The networks the command line offers: a name and sizes, saved with a run, become a module, the same every time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .. import nn
from ..errors import CheckpointError, ConfigurationError, unknown_name
from .shift import RandomShift

NAMES = ("conv", "mlp", "linear")
KERNEL = 5
CONV_HIDDEN = (128,)
CHANNELS = (8, 24, 48, 96)  # twice as many for colour
SIZES = re.compile(r"\d+(-\d+)+")
SMALLEST_MAP = 4  # pixels a side below which no further convolution fits well


@dataclass(frozen=True)
class NetworkSpec:
    """What a network looks like. `inputs` is (features,) of a table or (channels, height, width) of images."""

    name: str
    inputs: tuple[int, ...]
    outputs: int
    hidden: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()  # of each convolution
    dropout: float = 0.0
    shift: int = 0  # training images are moved by up to so many pixels

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise unknown_name("network", self.name, NAMES)
        if self.name == "conv" and len(self.inputs) != 3:
            raise ConfigurationError("the network 'conv' is for images; for a table take 'mlp' or 'linear'")
        if self.name == "linear" and self.hidden:
            raise ConfigurationError("the network 'linear' has no hidden layers: leave --hidden out, or take 'mlp'")
        if any(width < 1 for width in (*self.inputs, self.outputs, *self.hidden, *self.channels)):
            raise ConfigurationError(f"a layer has at least one unit: {self}")
        if not 0 <= self.dropout < 1:
            raise ConfigurationError(f"dropout is a share from 0 to below 1, not {self.dropout}")

    def to_dict(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> NetworkSpec:
        """The inverse of `to_dict`; raises CheckpointError on anything else."""
        try:
            values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in state.items()}
            return cls(**values)
        except (TypeError, ConfigurationError) as error:
            raise CheckpointError(f"the saved network description is damaged: {error}") from error

    def describe(self) -> str:
        """One line, in the order data flows: `convolution 16, convolution 32, dense 128, dense 10`."""
        layers = [f"convolution {channels} of {KERNEL} x {KERNEL}" for channels in self.channels]
        for width in self.hidden:
            layers += [f"dense {width}"] + ([f"dropout {self.dropout:g}"] if self.dropout else [])
        moved = [f"images moved by up to {self.shift} in training"] if self.shift else []
        return ", ".join([*moved, *layers, f"dense {self.outputs}"])


def build(spec: NetworkSpec) -> nn.Module:
    """The module, with fresh weights from the default random generator."""
    if spec.name == "conv":
        return nn.Sequential(*_shifted(spec), *_convolutions(spec), nn.Flatten(), *_dense(_flat_size(spec), spec))
    features = 1
    for size in spec.inputs:
        features *= size
    flatten = [nn.Flatten()] if len(spec.inputs) > 1 else []
    return nn.Sequential(*_shifted(spec), *flatten, *_dense(features, spec))


def weight_count(module: nn.Module) -> int:
    """How many numbers training adjusts."""
    return sum(parameter.size for parameter in module.parameters())


def conv_spec(
    inputs: Sequence[int], outputs: int, hidden: Sequence[int] | None, dropout: float, shift: int
) -> NetworkSpec:
    """Convolutions, each followed by 2 x 2 pooling, until the map is small; more channels each time."""
    side, stages = min(inputs[1:]), 0
    while stages < len(CHANNELS) and _pooled(side) >= 1 and (side > 2 * SMALLEST_MAP or stages == 0):
        side, stages = _pooled(side), stages + 1
    channels = tuple(count * (2 if inputs[0] > 1 else 1) for count in CHANNELS[:stages])
    if not channels:
        raise ConfigurationError(
            f"images of {inputs[1]} x {inputs[2]} pixels are too small for the network 'conv', which needs 6 x 6: "
            "take --network mlp, or a larger --image-size"
        )
    return NetworkSpec(
        "conv",
        tuple(inputs),
        outputs,
        tuple(CONV_HIDDEN if hidden is None else hidden),
        channels,
        dropout,
        shift,
    )


def dense_spec(given: str) -> NetworkSpec:
    """The network that sizes such as 784-256-10 describe; raises ConfigurationError on what is no network's name."""
    if not SIZES.fullmatch(given):
        raise ConfigurationError(
            f"there is no run directory {given}, and it is no network either: expected a run such as runs/digits-1, "
            "'conv', or sizes of dense layers such as 784-256-10"
        )
    inputs, *hidden, outputs = map(int, given.split("-"))
    return NetworkSpec("mlp", (inputs,), outputs, tuple(hidden))


def _shifted(spec: NetworkSpec) -> list[nn.Module]:
    return [RandomShift(spec.shift)] if spec.shift else []


def _convolutions(spec: NetworkSpec) -> list[nn.Module]:
    layers: list[nn.Module] = []
    before = spec.inputs[0]
    for channels in spec.channels:  # pooling before the ReLU gives the same as after it, on a quarter of the numbers
        layers += [nn.Conv2d(before, channels, KERNEL), nn.MaxPool2d(2), nn.ReLU()]
        before = channels
    return layers


def _flat_size(spec: NetworkSpec) -> int:
    height, width = spec.inputs[1:]
    for _ in spec.channels:
        height, width = _pooled(height), _pooled(width)
    return spec.channels[-1] * height * width


def _dense(features: int, spec: NetworkSpec) -> list[nn.Module]:
    layers: list[nn.Module] = []
    before = features
    for width in spec.hidden:
        layers += [nn.Linear(before, width), nn.ReLU()]
        layers += [nn.Dropout(spec.dropout)] if spec.dropout else []
        before = width
    return [*layers, nn.Linear(before, spec.outputs)]


def _pooled(size: int) -> int:
    """Pixels a side after a convolution and pooling."""
    return (size - KERNEL + 1) // 2
