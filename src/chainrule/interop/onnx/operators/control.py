"""Branches and loops. What is known before the network runs is decided then; else it is cond, scan, while_loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import functions as fn
from ....control import cond, scan, while_loop
from ....tensor import Tensor
from ..call import Call, OnnxError, operator, shape_of


def _decided(value: Any) -> bool | None:
    """A bool that is known now; None for one that a traced network computes."""
    if isinstance(value, Tensor) and value._value.data is None:
        return None
    return bool(np.asarray(value).reshape(()))


@operator("If")
def _if(call: Call, predicate: Any) -> Any:
    yes, no = call.bodies["then_branch"], call.bodies["else_branch"]
    decided = _decided(predicate)
    if decided is not None:
        return (yes if decided else no)(())
    chosen = fn.reshape(predicate, ())
    return cond(chosen, lambda: tuple(map(fn.asarray, yes(()))), lambda: tuple(map(fn.asarray, no(()))))


@operator("Loop")
def _loop(call: Call, most: Any, goes_on: Any = None, *carried: Any) -> Any:
    """Round after round, as long as it is known whether there is a next one; else a while_loop."""
    body, count = call.bodies["body"], len(carried)
    limit = None if most is None else _known_count(most)
    states, rows, goes = list(carried), [], True if goes_on is None else goes_on
    stacked = call.outputs - count
    number = 0
    while limit is None or number < limit:
        decided = _decided(goes)
        if decided is None:
            if number or stacked:
                raise OnnxError("a loop that ends by what it computes, and gives something of each round")
            return _open_loop(body, limit, goes, states)
        if not decided:
            break
        goes, *results = body([np.array(number, np.int64), np.array(True), *states])
        states, number = results[:count], number + 1
        rows.append(results[count:])
    if stacked and not rows:
        raise OnnxError("a loop of no round gives nothing of each round, so the shape of it is not known")
    return [*states, *(fn.stack([fn.asarray(row[place]) for row in rows]) for place in range(stacked))]


def _known_count(most: Any) -> int:
    if isinstance(most, Tensor) and most._value.data is None:
        raise OnnxError("how many rounds a loop makes must be known before the network runs")
    return int(np.asarray(most).reshape(()))


def _open_loop(body: Any, limit: int | None, goes: Any, states: list[Any]) -> list[Any]:
    def again(state: Any) -> Any:
        number, open_, *_ = state
        return open_ if limit is None else fn.logical_and(open_, number < limit)

    def one(state: Any) -> Any:
        number, open_, *values = state
        goes_on, *results = body([number, open_, *values])
        return (number + 1, fn.reshape(fn.asarray(goes_on), ()), *map(fn.asarray, results))

    first = (fn.asarray(np.array(0, np.int64)), fn.reshape(fn.asarray(goes), ()), *map(fn.asarray, states))
    return list(while_loop(again, one, first)[2:])


@operator("Scan")
def _scan(call: Call, *inputs: Any) -> Any:
    if call.opset < 9:
        return _scan_of_batches(call, *inputs)
    count = call.get("num_scan_inputs")
    states, xs = inputs[: len(inputs) - count], inputs[len(inputs) - count :]
    axes = call.get("scan_input_axes") or [0] * count
    directions = call.get("scan_input_directions") or [0] * count
    fronts = [
        _turned(fn.moveaxis(fn.asarray(x), axis, 0), backwards) for x, axis, backwards in zip(xs, axes, directions)
    ]
    lasts, ys = _scanned(call, states, fronts)
    out_axes = call.get("scan_output_axes") or [0] * len(ys)
    out_directions = call.get("scan_output_directions") or [0] * len(ys)
    laid = [fn.moveaxis(_turned(y, backwards), 0, axis) for y, axis, backwards in zip(ys, out_axes, out_directions)]
    return [*lasts, *laid]


def _turned(x: Any, backwards: int) -> Any:
    return fn.flip(x, axis=0) if backwards else x


def _scanned(call: Call, states: Any, xs: Any) -> tuple[list[Any], list[Any]]:
    body, count = call.bodies["body"], len(states)

    def step(carry: tuple[Any, ...], slices: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        results = list(map(fn.asarray, body([*carry, *slices])))
        return tuple(results[:count]), tuple(results[count:])

    lasts, ys = scan(step, tuple(map(fn.asarray, states)), tuple(xs))
    return list(lasts), list(ys)


def _scan_of_batches(call: Call, lengths: Any, *inputs: Any) -> Any:
    """Version 8: a batch of sequences, each scanned by itself."""
    if lengths is not None:
        raise OnnxError("Scan of version 8 with lengths of sequences")
    count = call.get("num_scan_inputs")
    directions = call.get("directions") or [0] * count
    examples = []
    for number in range(shape_of(inputs[0])[0]):
        given = [fn.asarray(x)[number] for x in inputs]
        xs = [_turned(x, backwards) for x, backwards in zip(given[len(given) - count :], directions)]
        lasts, ys = _scanned(call, given[: len(given) - count], xs)
        examples.append([*lasts, *ys])
    return [fn.stack(list(each)) for each in zip(*examples)]
