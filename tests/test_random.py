"""Random numbers: the words of the paper, distributions by their moments, and states that go on where they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.ops.philox import philox


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF,) * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_known_answers_of_random123(counter: list[int], key: tuple[int, int], words: list[int]) -> None:
    assert philox(np.array(counter, np.uint64).reshape(4, 1), key)[:, 0].tolist() == words


def test_bits_depend_on_seed_draw_and_place_alone() -> None:
    generator = cr.random.Generator(7)
    first, second = generator.draw_bits(10), generator.draw_bits(1000)
    again = cr.random.Generator(7)
    assert again.draw_bits(1000).numpy()[:10].tolist() == first.tolist()
    assert again.draw_bits(10).tolist() == second.numpy()[:10].tolist()
    assert first.tolist() != second.numpy()[:10].tolist()


DRAWS: list[tuple[Callable[..., Any], Any]] = [
    (lambda g: cr.random.uniform(20000, -1.0, 3.0, generator=g), stats.uniform(-1, 4)),
    (lambda g: cr.random.uniform(20000, dtype=cr.float64, generator=g), stats.uniform(0, 1)),
    (lambda g: cr.random.normal(20000, 1.0, 2.0, generator=g), stats.norm(1, 2)),
    (lambda g: cr.random.normal(20000, dtype=cr.float64, generator=g), stats.norm()),
    (lambda g: cr.random.truncated_normal(20000, low=-1.0, high=0.5, generator=g), stats.truncnorm(-1, 0.5)),
    (lambda g: cr.random.exponential(20000, rate=2.0, generator=g), stats.expon(scale=0.5)),
]


@pytest.mark.parametrize(("draw", "distribution"), DRAWS)
def test_distributions(draw: Callable[..., Any], distribution: Any) -> None:
    numbers = draw(cr.random.Generator(1)).numpy().astype(np.float64)
    assert np.isfinite(numbers).all()
    assert stats.kstest(numbers, distribution.cdf).pvalue > 1e-3


def test_integers_and_bools() -> None:
    generator = cr.random.Generator(2)
    counts = np.bincount(cr.random.randint(-3, 4, 70000, generator=generator).numpy() + 3, minlength=7)
    assert stats.chisquare(counts).pvalue > 1e-3
    assert cr.random.bernoulli(0.2, 50000, generator=generator).numpy().mean() == pytest.approx(0.2, abs=0.01)
    assert cr.random.bernoulli(np.array([0.0, 1.0]), generator=generator).tolist() == [False, True]


def test_a_permutation_holds_each_number_once() -> None:
    drawn = cr.random.permutation(1000, cr.random.Generator(3)).numpy()
    assert sorted(drawn.tolist()) == list(range(1000))
    assert abs(np.corrcoef(drawn, np.arange(1000))[0, 1]) < 0.1


def test_a_state_goes_on_where_it_was() -> None:
    generator = cr.random.Generator(5)
    cr.random.normal(3, generator=generator)
    state = generator.get_state()
    expected = cr.random.normal(4, generator=generator).tolist()
    other = cr.random.Generator(0)
    other.set_state(state)
    assert cr.random.normal(4, generator=other).tolist() == expected


def test_the_draw_number_carries_into_its_high_word() -> None:
    generator = cr.random.Generator(0)
    generator.set_state(np.array([1, 2, 2**32 - 1, 8], np.uint32))
    cr.random.uniform(1, generator=generator)
    assert generator.get_state().tolist() == [1, 2, 0, 9]


def test_values_that_never_change() -> None:
    """The same on every machine and in every version: a run of today can be repeated."""
    generator = cr.random.Generator(2026)
    assert cr.random.randint(0, 1000, 5, generator=generator).tolist() == [890, 137, 748, 167, 431]
    assert cr.random.uniform(2, generator=generator).tolist() == [0.7051945924758911, 0.11822593212127686]


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, True])
def test_seeds_that_are_refused(seed: Any) -> None:
    with pytest.raises(ChainruleError, match="seed"):
        cr.random.Generator(seed)


def test_other_states_are_refused() -> None:
    with pytest.raises(ChainruleError, match=r"uint32\[4\]"):
        cr.random.default_generator.set_state(np.zeros(3, np.uint32))
    with pytest.raises(ChainruleError, match="empty"):
        cr.random.randint(3, 3)


def test_kept_random_numbers_go_on_as_if_nothing_had_been() -> None:
    cr.random.manual_seed(3)
    expected = cr.random.uniform(8).tolist()
    cr.random.manual_seed(3)
    seen = cr.random.uniform(4).tolist()
    state = cr.random.default_generator.get_state()
    with pytest.raises(KeyError), cr.random.kept(seed=5):
        assert cr.random.uniform(4).tolist() == cr.random.uniform(4, generator=cr.random.Generator(5)).tolist()
        raise KeyError
    with cr.random.kept():
        assert (cr.random.default_generator.get_state() == state).all()
        cr.random.uniform(4)
    assert (cr.random.default_generator.get_state() == state).all()
    with pytest.raises(ChainruleError), cr.random.kept(seed=-1):
        pass
    assert seen == expected[:4] and (cr.random.default_generator.get_state() == state).all()
