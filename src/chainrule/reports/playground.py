"""The playground: one cycle of backpropagation on a network small enough to see whole, in the engine's own numbers.

Terms are those of Rumelhart, Hinton and Williams, 1986: a unit's net input, its output, its error signal delta, and the
squared error E = 1/2 (output - target)^2 of one example at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .. import nn, optim, random
from ..autodiff import gradients
from ..dispatch import compiled_function
from ..errors import ConfigurationError
from ..ir.build import splat
from ..ir.types import NumpyArray
from ..tensor import Tensor, unwrap
from .playground_data import planar_data

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}
MOST_UNITS, MOST_LAYERS, MOST_SWEEPS = 6, 3, 1000
GRID, EDGE = 48, 1.5
KEPT = 400
"""Cycles that can be taken back."""


@dataclass(frozen=True)
class Choice:
    """What the network is and what it learns. hidden: units in each hidden layer."""

    problem: str = "xor"
    hidden: tuple[int, ...] = (3,)
    activation: str = "tanh"
    rate: float = 0.5
    seed: int = 1

    def __post_init__(self) -> None:
        planar_data(self.problem)
        if self.activation not in ACTIVATIONS:
            raise ConfigurationError(f"a unit is one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        if len(self.hidden) > MOST_LAYERS or not all(1 <= units <= MOST_UNITS for units in self.hidden):
            raise ConfigurationError(f"up to {MOST_LAYERS} hidden layers of 1 to {MOST_UNITS} units, not {self.hidden}")
        if not 0 < self.rate <= 100:
            raise ConfigurationError(f"the learning rate is above 0 and at most 100, not {self.rate}")


@dataclass(frozen=True, eq=False)
class LayerCycle:
    """One layer in one cycle: arrays float64, (units,) or (units, inputs).

    net, output: forward. slope: the derivative of output by net. error_by_output, delta: the derivatives of E by output
    and by net. weight_gradient, bias_gradient: those by weights and biases. new_*: after the update.
    """

    function: str
    weight: NumpyArray
    bias: NumpyArray
    net: NumpyArray
    output: NumpyArray
    slope: NumpyArray
    error_by_output: NumpyArray
    delta: NumpyArray
    weight_gradient: NumpyArray
    bias_gradient: NumpyArray
    new_weight: NumpyArray
    new_bias: NumpyArray


@dataclass(frozen=True, eq=False)
class Cycle:
    """Forward, error, backward, update for one example; `error_after` is its error after the update."""

    inputs: NumpyArray
    target: NumpyArray
    layers: tuple[LayerCycle, ...]
    error: float
    error_after: float


class Playground:
    """A network, its problem, and where it stands."""

    def __init__(self, choice: Choice | None = None) -> None:
        self.choice = choice or Choice()
        self.data = planar_data(self.choice.problem)
        self.model = _network(self.choice)
        self.optimizer = optim.SGD(self.model.parameters(), lr=self.choice.rate)
        self._step = compiled_function(self._learn)
        self.example, self.updates = 0, 0
        self.errors: list[tuple[int, float]] = [(0, self.mean_error())]
        self._before: list[tuple[int, int, dict[str, NumpyArray]]] = []

    # -- one cycle

    def cycle(self) -> Cycle:
        """All numbers of the cycle for the present example; the weights stay as they are."""
        inputs, target = self.data.inputs[self.example], self.data.targets[self.example]
        kept = self.model.state_dict()
        nets, outputs = self._forward(Tensor(inputs))
        error = _error(outputs[-1], Tensor(target))
        backward = gradients([unwrap(error)], [unwrap(each) for each in (*nets, *outputs)])
        slopes = [_slope(net, output) for net, output in zip(nets, outputs)]
        self._update(error)
        new, error_after = self.model.state_dict(), self._error_here()
        self.model.load_state_dict(kept)
        found = [np.asarray(each.data) for each in backward if each is not None]
        layers = []
        for place, (name, linear) in enumerate(self._linears()):
            weight_gradient, bias_gradient = _gradients_of(linear)
            layers.append(
                LayerCycle(
                    self._function(place),
                    kept[f"{name}.weight"],
                    kept[f"{name}.bias"],
                    nets[place].numpy(),
                    outputs[place].numpy(),
                    slopes[place],
                    found[len(nets) + place],
                    found[place],
                    weight_gradient,
                    bias_gradient,
                    new[f"{name}.weight"],
                    new[f"{name}.bias"],
                )
            )
        return Cycle(inputs, target, tuple(layers), error.item(), error_after)

    def _linears(self) -> list[tuple[str, nn.Linear]]:
        return [(name, part) for name, part in self.model.named_children() if isinstance(part, nn.Linear)]

    def _function(self, place: int) -> str:
        return self.choice.activation if place < len(self.choice.hidden) else "sigmoid"

    def _forward(self, value: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Net inputs and outputs of every layer."""
        nets: list[Tensor] = []
        outputs: list[Tensor] = []
        for part in self.model.children():
            value = part(value)
            (nets if isinstance(part, nn.Linear) else outputs).append(value)
        return nets, outputs

    def _learn(self, inputs: Tensor, target: Tensor) -> Tensor:
        """Forward, error, backward, update: what `train` runs as native code."""
        error = _error(self._forward(inputs)[1][-1], target)
        self._update(error)
        return error

    def _update(self, error: Tensor) -> None:
        self.optimizer.zero_grad()
        error.backward()
        self.optimizer.step()

    # -- moving on

    def update(self) -> None:
        """Do the cycle's update, and take the next example."""
        self._remember()
        self._learn(Tensor(self.data.inputs[self.example]), Tensor(self.data.targets[self.example]))
        self.updates += 1
        self.example = (self.example + 1) % len(self.data.inputs)
        self._note_error()

    def undo(self) -> None:
        """Take the last update back."""
        if self._before:
            self.example, self.updates, weights = self._before.pop()
            self.model.load_state_dict(weights)
            self.errors = [each for each in self.errors if each[0] <= self.updates] or [(0, self.mean_error())]

    def train(self, sweeps: int) -> None:
        """So many times through all examples, an update each."""
        self._remember()
        count = len(self.data.inputs)
        for _ in range(min(sweeps, MOST_SWEEPS)):
            self._step.epoch(self.data.inputs, self.data.targets, batch_size=1)
            self.updates += count
            self._note_error()
        self.example = 0

    def look_at(self, example: int) -> None:
        """Take another example, without an update."""
        self.example = example % len(self.data.inputs)

    def set_rate(self, rate: float) -> None:
        """Another learning rate, from the next update on."""
        self.choice = replace(self.choice, rate=rate)
        self.optimizer.param_groups[0]["lr"] = rate

    def _remember(self) -> None:
        self._before = [*self._before[-KEPT:], (self.example, self.updates, self.model.state_dict())]

    def _note_error(self) -> None:
        self.errors.append((self.updates, self.mean_error()))

    # -- what there is to see

    def _error_here(self) -> float:
        """Of the present example."""
        output = self._forward(Tensor(self.data.inputs[self.example]))[1][-1]
        return float(_error(output, Tensor(self.data.targets[self.example])).item())

    def mean_error(self) -> float:
        """Of all examples."""
        outputs = self.model(Tensor(self.data.inputs)).numpy()
        return float((0.5 * (outputs - self.data.targets) ** 2).sum(axis=1).mean())

    def surface(self) -> NumpyArray:
        """What the network answers in each place of the plane, float64 (GRID, GRID), the highest row first."""
        line = np.linspace(-EDGE, EDGE, GRID)
        points = np.stack(np.meshgrid(line, line[::-1]), axis=-1).reshape(-1, 2)
        return np.asarray(self.model(Tensor(points)).numpy()).reshape(GRID, GRID)


def _network(choice: Choice) -> nn.Sequential:
    """Linear layers with their units between, in float64; the generator of the user's program is left as it was."""
    layers: list[nn.Module] = []
    before = 2
    with random.kept(choice.seed):
        for units in choice.hidden:
            layers += [nn.Linear(before, units), ACTIVATIONS[choice.activation]()]
            before = units
        return nn.Sequential(*layers, nn.Linear(before, 1), nn.Sigmoid()).double()


def _error(output: Tensor, target: Tensor) -> Tensor:
    """E = 1/2 sum (output - target)^2."""
    difference = output - target
    return (difference * difference * 0.5).sum()


def _gradients_of(linear: nn.Linear) -> tuple[NumpyArray, NumpyArray]:
    """Of weights and biases, after a backward pass."""
    found = {name: np.asarray(each.grad) for name, each in linear.named_parameters()}
    return found["weight"], found["bias"]


def _slope(net: Tensor, output: Tensor) -> NumpyArray:
    value = unwrap(output)
    found = gradients([value], [unwrap(net)], [splat(1, value.type)])[0]
    return np.zeros(net.shape) if found is None else np.asarray(found.data)
