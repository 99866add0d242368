"""One prediction explained, as data: how the error of one example travels back to every weight.

The words are those of Rumelhart, Hinton and Williams (1986): net input, activation, delta. Their delta of a unit is
*minus* the derivative of the error by its net input; `cotangent` here is the derivative itself (delta = -cotangent).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .html.document import Section, inline

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LayerPath:
    """One call of one module that holds no others, for one example; arrays float64 without the axis of examples.

    path, kind: of the module (`2`, "Linear"). inputs, outputs: its activations.
    cotangent: dE/d outputs. input_cotangent: dE/d inputs, None where nothing leads on (integers).
    local: d output / d input where each output depends on the input at its own place (activations), else None.
    gradients: parameter name (`2.weight`) -> dE/d parameter, from this example.
    """

    path: str
    kind: str
    inputs: NDArray[np.generic]
    outputs: Floats
    cotangent: Floats | None
    input_cotangent: Floats | None
    local: Floats | None
    gradients: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class WeightPlace:
    """One term of the gradient of a weight of a convolution: cotangent * activation.

    output, input: where in its channel of the output and of the input (outside of it in the padding; () for a bias).
    """

    output: tuple[int, ...]
    input: tuple[int, ...]
    cotangent: float
    activation: float


@dataclass(frozen=True)
class WeightChange:
    """A weight that this example would change: change = -learning_rate * gradient.

    gradient = cotangent * activation for a weight of a dense layer (`index` = (unit, input)), whose `cotangent` (dE/d
    net input of the unit) and `activation` (of the input) are given then, else None. For a bias the activation is 1.
    A weight of a convolution works at `place_count` places; `places` has the largest terms of the sum over them.
    """

    parameter: str
    index: tuple[int, ...]
    value: float
    gradient: float
    change: float
    cotangent: float | None = None
    activation: float | None = None
    places: tuple[WeightPlace, ...] = ()
    place_count: int = 0


@dataclass(frozen=True, eq=False)
class SampleExplanation:
    """The path of the error of one example, and what a single update from it alone would do.

    layers: in the order of the forward pass. weights: parameter name -> value. gradients: parameter name -> dE/dw.
    loss, loss_after: of this example before and after every weight moved by -learning_rate * gradient.
    expected_change: -learning_rate * |gradient|^2, what the first derivative promises; the true change is
        loss_after - loss. changes: the weights that change most, largest first.
    row: which row of the data it is. target_name, answer_name: the class wanted and the class answered, for people.
    """

    inputs: NDArray[np.generic]
    target: NDArray[np.generic]
    outputs: Floats
    loss: float
    loss_after: float
    learning_rate: float
    expected_change: float
    layers: tuple[LayerPath, ...]
    weights: Mapping[str, Floats]
    gradients: Mapping[str, Floats]
    changes: tuple[WeightChange, ...]
    row: int | None = None
    target_name: str = ""
    answer_name: str = ""

    section: ClassVar[Callable[..., Section]]
    """How a page shows it: pages/sample.py puts it here."""

    __str__: ClassVar[Callable[..., str]]
    """All of it, for a terminal: `sample_text`."""

    @property
    def layer_norms(self) -> dict[str, float]:
        """Parameter name -> length of its gradient."""
        return {name: float(np.linalg.norm(each)) for name, each in self.gradients.items()}

    def _repr_html_(self) -> str:
        """In a notebook: the same view as on a page."""
        return inline([self.section()], "One example")
