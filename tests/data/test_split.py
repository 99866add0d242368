from typing import Any

import numpy as np
import pytest

from chainrule.data import split
from chainrule.errors import ConfigurationError, DataError


def test_the_parts_are_the_whole_and_pairs_stay_together() -> None:
    x, y = np.arange(40), np.arange(40) * 3
    (rest_x, rest_y), (held_x, held_y) = split((x, y), 0.25, seed=1)
    assert len(rest_x) == 30 and len(held_x) == 10
    assert sorted([*rest_x, *held_x]) == list(range(40))
    assert np.array_equal(rest_y, rest_x * 3) and np.array_equal(held_y, held_x * 3)


def test_the_choice_is_pinned_and_follows_the_seed() -> None:
    assert sorted(split(np.arange(10), 0.3)[1].tolist()) == [0, 2, 8]  # the first three of permutation(10)
    assert sorted(split(np.arange(10), 0.3, seed=1)[1].tolist()) == [2, 5, 9]


def test_stratified_counts_are_in_proportion_in_both_parts() -> None:
    classes = np.repeat([0, 1, 2, 3], [100, 50, 40, 10])
    rest, held_out = split(classes, 0.2, stratify=classes)
    assert np.bincount(held_out).tolist() == [20, 10, 8, 2]
    assert np.bincount(rest).tolist() == [80, 40, 32, 8]


def test_stratified_parts_are_mixed() -> None:
    classes = np.repeat([0, 1], 500)
    rest, held_out = split(classes, 0.5, stratify=classes)
    for part in (rest, held_out):
        assert 0.35 < part[:100].mean() < 0.65


def test_text_classes() -> None:
    labels = np.array(["cat"] * 8 + ["dog"] * 2)
    _, held_out = split(labels, 0.5, stratify=labels)
    assert sorted(held_out.tolist()) == ["cat"] * 4 + ["dog"]


@pytest.mark.parametrize("fraction", [0, 1, 1.0, 0.0, -0.1, 2.5, "0.1", True])
def test_a_bad_fraction_is_named(fraction: Any) -> None:
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        split(np.arange(10), fraction)


@pytest.mark.parametrize(("fraction", "message"), [(0.1, "nothing would be left to hold out"), (0.9, "to train on")])
def test_an_empty_part_is_refused(fraction: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(np.arange(3), fraction)


def test_stratify_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(4,\), but has shape \(3,\)"):
        split(np.arange(4), 0.5, stratify=[0, 1, 0])
