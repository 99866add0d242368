"""No gradient goes through a compiled function from outside. Whoever asks for one is told so, and never given zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...captured import Captured, GradientCell, TensorCell
from ...ir.build import bind, is_recording, leaf
from ...ir.graph import Graph, Value
from ...ops.custom import Refusal, custom_gradient
from ...source import user_source
from ...tensor import Tensor
from ...tensor.contents import Content

ADVICE = (
    "no gradient goes through the compiled function {name}{place} from outside: its steps are not recorded. Compile "
    "what takes the gradient: cr.compile(cr.grad(f)), or a training step with backward() in it"
)


class Outside:
    """Makes results of a compiled function refuse gradients. tensors: those among its arguments that are tracked.

    A function that moves what is trained, or collects gradients, has taken its gradients itself: nothing is refused.
    """

    def __init__(self, captured: Captured, tensors: Sequence[Tensor]) -> None:
        self.advice = ADVICE.replace("{name}", captured.graph.name)
        self.tensors = list(tensors)
        results = captured.graph.outputs[: captured.result_count]
        trains = any(
            isinstance(cell, GradientCell) or (isinstance(cell, TensorCell) and cell.owner.requires_grad)
            for cell in captured.written
        )
        tracked = _led_to_by_tracked(captured.graph)
        self.refuses = [id(value) in tracked and value.type.is_float and not trains for value in results]
        self.any = any(self.refuses) and not captured.cleared
        self._unknown = leaf(np.zeros(()))  # stands for parameters: to hold these would be to look at them

    def guarded(self, values: Sequence[Value]) -> list[Value]:
        """The results, those that depend on something tracked as refusing values."""
        if not self.any or not is_recording():
            return list(values)
        rule = Refusal(self.advice, user_source())
        inputs = [self._unknown, *(tensor._value for tensor in self.tensors if tensor.requires_grad)]
        return [
            bind(custom_gradient, value, *inputs, count=1, backward=rule) if refuses else value
            for value, refuses in zip(values, self.refuses)
        ]


def _led_to_by_tracked(graph: Graph) -> set[int]:
    """Ids of the values that gradients outside could go through: where a tensor that requires one leads to them.

    In a trace arguments are tracked too, as the function may take gradients of them; but they are plain arrays.
    """
    found = {id(value) for value in graph.inputs if isinstance(value, Content) and value.tracked}
    for equation in graph.equations:
        if any(id(value) in found or (value.tracked and value.data is not None) for value in equation.inputs):
            found.update(id(value) for value in equation.outputs if value.tracked)
    return found
