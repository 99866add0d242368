"""Recomputation: a part of a program whose inner values are not kept for the gradient but computed anew for it.

    checkpoint(*inputs; body) -> what the body gives

Its pullback is a checkpoint too, of the body's pullback: that reads the inputs and cotangents alone, and runs the body
once more on its way. So the memory between the two runs holds the inputs, and derivatives of any order come by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.build import bind
from ..ir.graph import Graph, Value
from ..ir.primitive import JointRule, Primitive, Sample, every, register
from ..ir.types import ArrayType, NumpyArray, float32, float64
from . import elementwise as ew
from . import linear
from .batching import RULES, Flags, batched_graph
from .control import runner
from .control_samples import body_of
from .pullback import branches_rule
from .samples import spread, with_gaps


def _type(*kinds: ArrayType, body: Graph) -> Any:
    expected = tuple(value.type for value in body.inputs)
    if expected != kinds:
        listed = " and ".join(", ".join(map(str, each)) or "nothing" for each in (expected, kinds))
        raise ShapeError(f"checkpoint: the inputs of its body and what it is given differ: {listed}")
    outputs = tuple(value.type for value in body.outputs)
    return outputs[0] if len(outputs) == 1 else outputs


def _numpy(*arrays: NumpyArray, body: Graph) -> Any:
    results = runner(body)(arrays)
    return results[0] if len(results) == 1 else tuple(results)


def _rule(
    wanted: tuple[bool, ...],
    cotangents: tuple[Value | None, ...],
    outputs: tuple[Value, ...],
    inputs: tuple[Value, ...],
    *,
    body: Graph,
) -> list[Value | None]:
    return branches_rule(checkpoint, {"body": body}, wanted, cotangents, inputs)


def _wave(x: Value, y: Value) -> tuple[Value, ...]:
    """(2, 3), (2, 3) -> (2, 3), (2, 3)"""
    waves = ew.sin(x * y)
    return waves * x, ew.exp(waves)


def _layer(weights: Value, x: Value) -> tuple[Value, ...]:
    """(3, 4), (2, 3) -> (2, 4)"""
    return (ew.tanh(linear.matmul(x, weights)),)


SAMPLED = ((_wave, ((2, 3), (2, 3))), (_layer, ((3, 4), (2, 3))), (_wave, ((), ())), (_wave, ((0,), (0,))))


def _samples() -> Iterator[Sample]:
    for dtype in (float32, float64):
        smooth = dtype == float64
        for step, shapes in (
            (_wave, ((2, 3), (2, 3))),
            (_layer, ((3, 4), (2, 3))),
            (_wave, ((), ())),
            (_wave, ((0,), (0,))),
        ):
            arrays = tuple(spread(shape, -1, 1, seed).astype(dtype) for seed, shape in enumerate(shapes))
            body = body_of(step, *(ArrayType(shape, dtype) for shape in shapes))
            yield Sample(arrays, {"body": body}, smooth)
            yield Sample(tuple(map(with_gaps, arrays)), {"body": body}, smooth)
    special = np.array([1.0, np.nan, np.inf, -np.inf, 1e300, 0.0])
    kinds = (ArrayType((6,), float64),) * 2
    yield Sample((special, special[::-1].copy()), {"body": body_of(_wave, *kinds)}, smooth=False)


checkpoint = register(Primitive("checkpoint", _type, _numpy, JointRule(_rule), "recomputed({body}; {all})", _samples))


def _batched(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    body, _ = batched_graph(size, params["body"], flags, [True] * len(params["body"].outputs))
    return every(bind(checkpoint, *values, body=body))


RULES["checkpoint"] = _batched
