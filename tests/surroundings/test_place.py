"""Places are put back as they were, whatever holds them."""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chainrule.surroundings.drawn import Position
from chainrule.surroundings.elements import Elements
from chainrule.surroundings.place import MISSING, Kind, Place, contents


class Counting:
    steps = 0


class Slotted:
    __slots__ = ("steps",)


Case = tuple[Place, Callable[[], Any], Callable[[], Any]]
"""A place, what changes it, and what shows all that there is."""


def item() -> Case:
    where = {"n": 1}
    return Place("", Kind.ITEM, where, "n", 1), lambda: where.pop("n"), lambda: where


def own_attribute() -> Case:
    where = SimpleNamespace(n=1)
    return Place("", Kind.ATTRIBUTE, where, "n", 1), lambda: setattr(where, "n", 2), lambda: vars(where)


def new_attribute() -> Case:
    where = SimpleNamespace()
    return Place("", Kind.ATTRIBUTE, where, "n", MISSING), lambda: setattr(where, "n", 2), lambda: vars(where)


def slot() -> Case:
    where = Slotted()
    where.steps = 1
    return Place("", Kind.ATTRIBUTE, where, "steps", 1), lambda: setattr(where, "steps", 2), lambda: where.steps


def inherited_attribute() -> Case:
    where = Counting()
    change = lambda: setattr(where, "steps", where.steps + 1)  # noqa: E731
    return Place("", Kind.INHERITED, where, "steps", 0), change, lambda: (vars(where), Counting.steps)


def attribute_of_the_class() -> Case:
    where = Counting()
    change = lambda: setattr(Counting, "steps", 7)  # noqa: E731
    return Place("", Kind.INHERITED, where, "steps", 0), change, lambda: (vars(where), Counting.steps)


def cell() -> Case:
    n = 1

    def change() -> None:
        nonlocal n
        n = 2

    (where,) = change.__closure__ or ()
    return Place("", Kind.CELL, where, None, 1), change, lambda: n


def _container(where: Any, change: Callable[[], Any]) -> Case:
    return Place("", Kind.CONTENTS, where, None, contents(where)), change, lambda: where


def items_of_a_list() -> Case:
    where = [1, 2, 3]
    return _container(where, lambda: (where.pop(0), where.append(4)))


def items_of_a_dict() -> Case:
    where = OrderedDict(b=1, a=2)
    return _container(where, lambda: (where.pop("b"), where.update(c=3)))


def items_of_a_set() -> Case:
    where = {1, 2}
    return _container(where, lambda: where.add(3))


def items_of_a_deque() -> Case:
    where = deque([1, 2], maxlen=2)
    return _container(where, lambda: where.append(3))


def _elements(where: Any) -> Case:
    return Place("", Kind.ARRAY, where, None, Elements(where)), lambda: where.__imul__(2), lambda: where


def elements() -> Case:
    return _elements(np.arange(6.0).reshape(2, 3).T)


def elements_of_a_large_array() -> Case:
    return _elements(np.arange(300_000.0).reshape(100, 3000).T)


def elements_of_a_large_view() -> Case:
    return _elements(np.arange(600_000.0).reshape(200, 3000)[::2, ::-1])


RANDOM, STATE, GENERATOR = random.Random(1), np.random.RandomState(2), np.random.default_rng(3)
TWISTER = np.random.Generator(np.random.MT19937(4))
DRAWS = {
    "Python's": (random, random.random),
    "of Python": (RANDOM, lambda: RANDOM.gauss(0, 1)),
    "NumPy's": (np.random, np.random.rand),
    "a RandomState": (STATE, STATE.normal),
    "a Generator": (GENERATOR, GENERATOR.normal),
    "a generator with words": (TWISTER, TWISTER.normal),
}
PLACES = [
    *(item, own_attribute, new_attribute, slot, inherited_attribute, attribute_of_the_class, cell),
    *(items_of_a_list, items_of_a_dict, items_of_a_set, items_of_a_deque),
    *(elements, elements_of_a_large_array, elements_of_a_large_view),
]


@pytest.mark.parametrize("make", PLACES, ids=lambda each: each.__name__)
def test_a_place_is_put_back(make: Callable[[], Any]) -> None:
    place, change, look = make()
    before, kept = repr(look()), np.array(look()) if place.kind is Kind.ARRAY else None
    assert place.holds
    change()
    assert not place.holds
    place.put_back()
    assert place.holds
    assert repr(look()) == before
    if kept is not None:
        np.testing.assert_array_equal(look(), kept)


@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_draws_the_same_again(name: str) -> None:
    where, draw = DRAWS[name]
    position = Position(where)
    assert position.hold and position.can_be_put_back
    drawn = [draw() for _ in range(3)]
    assert not position.hold
    position.put_back()
    assert position.hold
    assert [draw() for _ in range(3)] == drawn


def test_an_iterator_is_never_known_and_can_not_be_put_back() -> None:
    position = Position(iter([1, 2]))
    assert not position.hold and not position.can_be_put_back
