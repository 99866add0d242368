"""Examples as they come in: batches of a stream that is never held in memory, for training in mode `online`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..counts import checked_count
from ..errors import DataError
from .nested import Array, Nested, is_container, leaves, map_children, to_arrays


def stream(examples: Iterable[Nested], batch_size: int = 1) -> Iterator[Nested]:
    """Stack each `batch_size` examples as they come: a nest like one example, with a batch axis in front.

    The last batch may be smaller. Raises DataError where an example differs from the first in structure, shape or
    dtype, and where the stream has none.

    >>> [x.tolist() for x, y in stream(((n, n * n) for n in range(3)), batch_size=2)]
    [[0, 1], [2]]
    """
    return _batches(examples, checked_count("batch_size", batch_size))


def _batches(examples: Iterable[Nested], batch_size: int) -> Iterator[Nested]:
    expected: dict[str, tuple[tuple[int, ...], np.dtype[np.generic]]] | None = None
    waiting: list[Nested] = []
    for number, example in enumerate(examples):
        arrays = to_arrays(example, "example")
        form = {path: (array.shape, array.dtype) for path, array in leaves(arrays, "example")}
        expected = form if expected is None else expected
        _check_form(number, form, expected)
        waiting.append(arrays)
        if len(waiting) == batch_size:
            yield stack_examples(waiting)
            waiting = []
    if expected is None:
        raise DataError("the stream has no examples")
    if waiting:
        yield stack_examples(waiting)


def _check_form(
    number: int,
    form: dict[str, tuple[tuple[int, ...], np.dtype[np.generic]]],
    expected: dict[str, tuple[tuple[int, ...], np.dtype[np.generic]]],
) -> None:
    if form.keys() != expected.keys():
        raise DataError(f"example {number} of the stream has parts {list(form)}, the first one has {list(expected)}")
    for path, (shape, dtype) in form.items():
        wanted_shape, wanted_dtype = expected[path]
        both_text = dtype.kind == wanted_dtype.kind == "U"
        if shape != wanted_shape or (dtype != wanted_dtype and not both_text):
            raise DataError(
                f"example {number} of the stream: {path} has shape {shape} and dtype {dtype}, "
                f"but in the first example shape {wanted_shape} and dtype {wanted_dtype}"
            )


def stack_examples(examples: list[Nested]) -> Nested:
    """Examples of one structure as a nest of arrays, with an axis of examples in front."""
    first = examples[0]
    if not is_container(first):
        stacked: Array = np.stack(examples)
        return stacked
    keys = list(first) if isinstance(first, dict) else list(range(len(first)))
    columns = iter([stack_examples([example[key] for example in examples]) for key in keys])
    return map_children(lambda child, key: next(columns), first)
