import json
from typing import Any, NamedTuple

import numpy as np
import pytest

from chainrule.data import Batches, Position, batches
from chainrule.errors import CheckpointError, ConfigurationError, DataError


class Pair(NamedTuple):
    image: Any
    label: Any


class FakeTensor:
    """Anything with `__array__`, such as a Tensor."""

    ndim = 1

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values


def test_every_example_comes_once_with_its_label() -> None:
    numbers = np.arange(23)
    taken = list(batches((numbers[:, None] * np.ones(3), numbers), batch_size=5, shuffle=True, seed=7))
    assert [len(labels) for _, labels in taken] == [5, 5, 5, 5, 3]
    assert all(np.array_equal(rows[:, 2], labels) for rows, labels in taken)
    assert sorted(np.concatenate([labels for _, labels in taken])) == list(range(23))


def test_the_shuffled_batches_are_pinned() -> None:
    assert [batch.tolist() for batch in batches(np.arange(10), 4, shuffle=True)] == [[2, 8, 0, 5], [9, 7, 6, 3], [4, 1]]


def test_without_shuffle_the_order_stays_and_views_are_read_only() -> None:
    data = np.arange(4.0)
    first = next(iter(batches(data, 2)))
    assert first.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        first += 1
    assert data.flags.writeable


def test_each_loop_is_the_next_epoch() -> None:
    loader = batches(np.arange(50), 50, shuffle=True, seed=4)
    first, second = ([batch.tolist() for batch in loader] for _ in range(2))
    assert first != second
    assert loader.position == Position(2, 0)
    assert [batch.tolist() for batch in batches(np.arange(50), 50, shuffle=True, seed=4, epoch=1)] == second


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_length_and_drop_last(drop_last: bool, sizes: list[int]) -> None:
    loader = batches(np.arange(10), 4, drop_last=drop_last)
    assert [len(batch) for batch in loader] == sizes
    assert len(loader) == len(sizes)


def test_nests_keep_their_structure() -> None:
    data = {"x": [np.arange(4), np.arange(4) + 10], "y": Pair(np.zeros((4, 2)), FakeTensor([0, 1, 2, 3]))}
    batch = next(iter(batches(data, 3)))
    assert list(batch) == ["x", "y"]
    assert isinstance(batch["x"], list) and batch["x"][1].tolist() == [10, 11, 12]
    assert isinstance(batch["y"], Pair) and batch["y"].label.tolist() == [0, 1, 2]


def test_a_list_of_lists_is_one_array() -> None:
    assert next(iter(batches([[1, 2], [3, 4], [5, 6]], 2))).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("stop", range(8))
def test_a_run_goes_on_in_mid_epoch(stop: int) -> None:
    def take(loader: Batches, count: int) -> list[list[int]]:
        taken: list[list[int]] = []
        while len(taken) < count:
            for batch in loader:
                taken.append(batch.tolist())
                if len(taken) == count:
                    break
        return taken

    whole = take(Batches(np.arange(10), 4, shuffle=True, seed=2), 8)
    before = Batches(np.arange(10), 4, shuffle=True, seed=2)
    head = take(before, stop)
    state = json.loads(json.dumps(before.state_dict()))
    after = Batches(np.arange(10), 4, shuffle=True, seed=2)
    after.load_state_dict(state)
    assert head + take(after, 8 - stop) == whole


def test_start_skips_batches() -> None:
    whole = [batch.tolist() for batch in batches(np.arange(10), 3, shuffle=True, seed=5, epoch=6)]
    rest = [batch.tolist() for batch in batches(np.arange(10), 3, shuffle=True, seed=5, epoch=6, start=2)]
    assert rest == whole[2:]
    assert list(batches(np.arange(10), 3, start=4)) == []


def test_after_the_last_batch_the_epoch_is_not_over_until_asked() -> None:
    loader = batches(np.arange(4), 2)
    for _ in loader:
        last_seen = loader.position
    assert last_seen == Position(0, 2)
    assert loader.position == Position(1, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((np.zeros(5), np.zeros(4)), r"data\[0\] has 5, data\[1\] has 4"),
        ({"x": np.zeros(5), "y": np.zeros(4)}, r"data\['x'\] has 5, data\['y'\] has 4"),
        (np.zeros((0, 3)), r"no examples: data has shape \(0, 3\)"),
        ((), "empty tuple"),
        (np.float32(3), "single value"),
        ([[1, 2], [3]], "not a rectangular array"),
        (np.array([1, "a", None], dtype=object), "not an array"),
    ],
)
def test_bad_data_is_named(data: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        batches(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is an integer of at least 1, not 0"),
        ({"batch_size": 2.0}, "batch_size"),
        ({"epoch": -1}, "epoch"),
        ({"start": 9}, "no batch 9 to start at: an epoch has 2 batches"),
        ({"seed": -3, "shuffle": True}, "seed"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        list(batches(np.arange(4), **{"batch_size": 2, **options}))


def test_drop_last_may_not_drop_everything() -> None:
    with pytest.raises(DataError, match="drop_last leaves no batch: 3 examples"):
        batches(np.arange(3), 4, drop_last=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": 9}, "length 9, but here it is 10"),
        ({"seed": 1}, "seed 1"),
        ({"batch_size": 8}, "batch_size 8"),
        ({"batch": 99}, "damaged"),
        ({"epoch": "x"}, "damaged"),
    ],
)
def test_a_foreign_position_is_refused(change: dict[str, Any], message: str) -> None:
    loader = batches(np.arange(10), 4)
    with pytest.raises(CheckpointError, match=message):
        loader.load_state_dict({**loader.state_dict(), **change})


@pytest.mark.parametrize("missing", ["length", "epoch"])
def test_a_position_that_lacks_something_is_refused(missing: str) -> None:
    loader = batches(np.arange(10), 4)
    state = {name: value for name, value in loader.state_dict().items() if name != missing}
    with pytest.raises(CheckpointError, match=missing):
        loader.load_state_dict(state)
