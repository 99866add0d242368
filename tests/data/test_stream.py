from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.data import stream
from chainrule.errors import ConfigurationError, DataError


def test_examples_are_stacked_and_the_rest_comes_last() -> None:
    taken = list(stream(((np.full(3, n, np.float32), n) for n in range(5)), batch_size=2))
    assert [labels.tolist() for _, labels in taken] == [[0, 1], [2, 3], [4]]
    assert [x.shape for x, _ in taken] == [(2, 3), (2, 3), (1, 3)]
    assert taken[0][0].dtype == np.float32


def test_dicts_and_single_arrays() -> None:
    (batch,) = stream([{"x": np.arange(2), "label": ("a", 1.5)}, {"x": np.arange(2) + 5, "label": ("bcd", 2.5)}], 4)
    assert batch["x"].tolist() == [[0, 1], [5, 6]]
    assert batch["label"][0].tolist() == ["a", "bcd"] and batch["label"][1].tolist() == [1.5, 2.5]
    assert [b.tolist() for b in stream(iter([np.array([1]), np.array([2])]))] == [[[1]], [[2]]]


def test_only_what_is_asked_for_is_read() -> None:
    read = []

    def examples() -> Iterator[int]:
        for number in range(1_000_000_000):
            read.append(number)
            yield number

    batches = stream(examples(), batch_size=3)
    assert next(batches).tolist() == [0, 1, 2]
    assert read == [0, 1, 2]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "the stream has no examples"),
        ([(np.zeros(3), 1), (np.zeros(4), 1)], r"example 1 of the stream: example\[0\] has shape \(4,\)"),
        ([(np.zeros(3), 1), (np.zeros(3), 1.0)], r"example\[1\] has shape \(\) and dtype float64"),
        ([(np.zeros(3), 1), (np.zeros(3),)], r"parts \['example\[0\]'\], the first one has"),
    ],
)
def test_bad_examples_are_named(examples: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(stream(examples, 4))


def test_a_bad_batch_size_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError, match="batch_size is an integer of at least 1, not 0"):
        stream([1], 0)
