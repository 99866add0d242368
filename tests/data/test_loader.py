"""Loaders: every example once, in an order fixed by seed, little read ahead, and resumed at any batch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import data, nn, optim
from chainrule.errors import CheckpointError, ConfigurationError, DataError

LENGTHS = [3, 1, 7, 2, 8, 4, 4, 6, 5, 1, 3, 8, 2, 7, 5]


def numbers(count: int = 23) -> Iterator[int]:
    return iter(range(count))


def sequences() -> Iterator[tuple[np.ndarray, int]]:
    return ((np.full(length, place), place % 2) for place, length in enumerate(LENGTHS))


MAKERS: dict[str, Any] = {
    "in order": lambda: data.loader(numbers, 4),
    "a buffer": lambda: data.loader(numbers, 4, shuffle=5, seed=3),
    "a buffer larger than the data": lambda: data.loader(numbers, 4, shuffle=99, seed=3),
    "at random": lambda: data.loader([10 * n for n in range(23)], 4, shuffle=True, seed=3),
    "arrays, the last left out": lambda: data.loader(np.arange(23), 4, shuffle=True, seed=3, drop_last=True),
    "buckets": lambda: data.loader(sequences, 3, shuffle=6, seed=3, buckets=data.Buckets((2, 5, 8))),
}


def as_lists(batch: Any) -> Any:
    return [as_lists(each) for each in batch] if isinstance(batch, tuple) else batch.tolist()


def epochs(loader: Any, until: int) -> Iterator[Any]:
    while loader.position.epoch < until:
        yield from map(as_lists, loader)


@pytest.mark.parametrize("name", MAKERS)
def test_a_loader_resumed_after_any_batch_gives_the_batches_that_were_left(name: str) -> None:
    whole = list(epochs(MAKERS[name](), 2))
    for done in range(1, len(whole)):
        first, second = MAKERS[name](), MAKERS[name]()
        begun = list(itertools.islice(epochs(first, 2), done))
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        assert begun + list(epochs(second, 2)) == whole, f"after {done} batches"


@pytest.mark.parametrize("size", [1, 5, 99])
def test_a_buffer_gives_every_example_once_and_reads_no_further_ahead(size: int) -> None:
    read = [0]

    def counted() -> Iterator[int]:
        for number in range(200):
            read[0] = number + 1
            yield number

    seen: list[int] = []
    for batch in data.loader(counted, 1, shuffle=size, seed=1):
        seen += batch.tolist()
        assert read[0] <= len(seen) + size
    assert sorted(seen) == list(range(200))
    assert all(number < turn + size for turn, number in enumerate(seen))
    assert (seen == list(range(200))) == (size == 1)


def test_a_buffer_mixes_and_each_epoch_differently() -> None:
    loader = data.loader(lambda: range(2000), 2000, shuffle=500, seed=0)
    (first,), (second,) = list(loader), list(loader)
    assert (first != second).any()
    assert abs(np.corrcoef(first[:400], np.arange(400))[0, 1]) < 0.5  # in order it would be 1
    assert np.array_equal(first, next(iter(data.loader(lambda: range(2000), 2000, shuffle=500, seed=0))))


def test_arrays_come_as_batches_do() -> None:
    arrays = (np.arange(50).reshape(25, 2), np.arange(25))
    for mine, theirs in zip(
        data.loader(arrays, 4, shuffle=True, seed=2), data.batches(arrays, 4, True, 2), strict=True
    ):
        assert as_lists(mine) == as_lists(theirs)


def test_buckets_have_few_shapes_and_pad_within_them() -> None:
    loader = data.loader(sequences, 3, buckets=data.Buckets((2, 5, 8), value=-1, lengths=True))
    seen = []
    for (padded, lengths), labels in loader:
        assert padded.shape[1] in (2, 5, 8) and len(padded) <= 3
        for row, length, label in zip(padded, lengths, labels):
            place = int(row[0])
            assert length == LENGTHS[place] and label == place % 2
            assert row.tolist() == [place] * length + [-1] * (padded.shape[1] - length)
            seen.append(place)
        assert (data.mask(lengths, padded.shape[1]).sum(axis=1) == lengths).all()
    assert sorted(seen) == list(range(len(LENGTHS)))
    with pytest.raises(DataError, match="7 elements, more than the last bucket, 5"):
        list(data.loader(sequences, 3, buckets=data.Buckets((5,))))


def images(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    pixels = random.normal(size=(count, 1, 6, 6)).astype(np.float32)
    return pixels, (pixels[:, 0, :, :3].sum(axis=(1, 2)) > 0).astype(np.int64)


def fitted(directory: Path | None = None, stop: int | None = None, **options: Any) -> bytes:
    cr.random.manual_seed(2)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.Tanh(), nn.Dropout(0.2), nn.Linear(4, 2))
    loader = data.loader(
        lambda: zip(*images()), 6, shuffle=9, seed=4, augment=[data.Flip(), data.RandomCrop(1), data.Rotate(15)]
    )

    class Stop:
        def begin_epoch(self, *given: Any) -> None: ...

        def batch(self, done: int, figures: Any) -> None:
            nonlocal stop
            stop = None if stop is None else stop - 1
            if stop == 0:
                raise KeyboardInterrupt

        def end_epoch(self, row: Any) -> None: ...

        def close(self) -> None: ...

    optimizer = optim.Adam(model.parameters(), lr=0.01)
    given = {"epochs": 2, "run_directory": directory, "checkpoint_steps": 1, "progress": Stop(), **options}
    cr.train.fit(model, optimizer, data=loader, **given)
    return b"".join(each.tobytes() for each in model.state_dict().values())


@pytest.mark.parametrize("accumulate", [1, 4])
def test_training_from_a_stream_resumes_to_the_same_bits(tmp_path: Path, accumulate: int) -> None:
    given = {"accumulate": accumulate, "compile": accumulate == 1}
    whole = fitted(**given)
    for stop in (1, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            fitted(tmp_path, stop, resume=True, **given)
    assert fitted(tmp_path, resume=True, **given) == whole


def test_what_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="give the size of a buffer"):
        data.loader(numbers, shuffle=True)
    with pytest.raises(DataError, match="can't begin again"):
        once = data.loader(iter(range(3)))
        [list(once) for _ in range(2)]
    with pytest.raises(DataError, match="has no examples"):
        list(data.loader(lambda: []))
    with pytest.raises(DataError, match="a loader reads arrays"):
        data.loader(3)
    with pytest.raises(CheckpointError, match="seed=1"):
        data.loader(numbers, seed=2).load_state_dict(data.loader(numbers, seed=1).state_dict())
    model = nn.Linear(1, 1)
    with pytest.raises(ConfigurationError, match="say it to the loader"):
        cr.train.fit(model, optim.SGD(model.parameters(), lr=1), data=data.loader(np.ones((2, 1))), batch_size=2)
    with pytest.raises(DataError, match="pairs"):
        cr.train.fit(model, optim.SGD(model.parameters(), lr=1), "mse", data.loader(np.ones((2, 1))), progress=False)
