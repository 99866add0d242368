import numpy as np
import pytest

from chainrule.data.order import permutation, philox
from chainrule.errors import ConfigurationError

# The known answers that come with Random123, the authors' own implementation of Philox4x32-10.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(counter: str, key: str, answer: str) -> None:
    low, high = words(key)
    result = philox(np.array(words(counter), np.uint64)[:, None], (low, high))
    assert result[:, 0].tolist() == words(answer)


@pytest.mark.parametrize(
    ("seed", "epoch", "expected"),
    [
        (0, 0, [2, 8, 0, 5, 9, 7, 6, 3, 4, 1]),
        (1, 0, [5, 9, 2, 4, 6, 7, 1, 3, 8, 0]),
        (0, 1, [6, 7, 3, 0, 8, 2, 1, 4, 9, 5]),
    ],
)
def test_the_order_is_pinned(seed: int, epoch: int, expected: list[int]) -> None:
    assert permutation(10, seed, epoch).tolist() == expected


def test_a_long_order_is_pinned_and_is_a_permutation() -> None:
    order = permutation(10_000)
    assert order[:8].tolist() == [2942, 6922, 1719, 7397, 7971, 3542, 6992, 3611]
    assert np.array_equal(np.sort(order), np.arange(10_000))
    assert order.dtype == np.int64


def test_every_bit_of_seed_and_epoch_counts() -> None:
    seen = {tuple(permutation(20, seed=1 << bit)) for bit in range(64)}
    seen |= {tuple(permutation(20, epoch=1 << bit)) for bit in range(64)}
    assert len(seen) == 128


def test_each_place_gets_each_element_equally_often() -> None:
    places = np.array([permutation(5, seed=3, epoch=epoch) for epoch in range(2_000)])
    shares = np.stack([np.bincount(places[:, place], minlength=5) for place in range(5)]) / 2_000
    assert np.abs(shares - 0.2).max() < 0.04  # 4.5 standard errors


def test_short_orders() -> None:
    assert permutation(0).tolist() == []
    assert permutation(1).tolist() == [0]


@pytest.mark.parametrize("bad", [-1, 1.5, 2**64, "0", True, None])
def test_a_bad_seed_or_epoch_is_named(bad: object) -> None:
    with pytest.raises(ConfigurationError, match=r"seed is an integer from 0 to 2\*\*64 - 1"):
        permutation(3, seed=bad)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="epoch is an integer"):
        permutation(3, epoch=bad)  # type: ignore[arg-type]
