"""Our `dataclass` against Python's own: the same class made by both behaves the same."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest

import chainrule as cr
from chainrule import records

OPTIONS: list[dict[str, Any]] = [
    {},
    {"frozen": True},
    {"eq": False},
    {"frozen": True, "eq": False},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "eq": False},
]


def point(dataclass: Callable[..., Any], options: dict[str, Any]) -> Any:
    class Point:
        """Fields of each kind."""

        x: int
        label: str = "none"
        parts: list[int] = dataclasses.field(default_factory=list)

        def __str__(self) -> str:
            return f"{self.label} at {self.x}"

    return dataclass(**options)(Point)


def told(action: Callable[[], Any]) -> Any:
    """What an action gives, or the kind of error it ends in."""
    try:
        return action()
    except (TypeError, AttributeError) as error:
        return type(error)


def answers(made: Any) -> list[Any]:
    """What one would ask of such a class."""
    return [
        told(action)
        for action in (
            lambda: repr(made(1)),
            lambda: str(made(1, label="a")),
            lambda: made(1) == made(1),
            lambda: made(1) == made(2),
            lambda: made(1) == 1,
            lambda: hash(made(1)) == hash(made(1)),
            lambda: hash(made(1, "a", ())) == hash(made(1, "a", ())),
            lambda: made(),
            lambda: made(1, 2, 3, 4),
            lambda: made(1, unknown=2),
            lambda: made(1).parts is made(1).parts,
            lambda: setattr(made(1), "x", 2),
            lambda: delattr(made(1), "x"),
            lambda: repr(dataclasses.replace(made(1), label="c")),
            lambda: dataclasses.asdict(made(1, "d", [5])),
            lambda: [field.name for field in dataclasses.fields(made)],
            lambda: repr(copy.deepcopy(made(1, "e", [6]))),
            lambda: made.__match_args__,
        )
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_class_behaves_as_one_of_pythons(options: dict[str, Any]) -> None:
    assert answers(point(records.dataclass, options)) == answers(point(dataclasses.dataclass, options))


@records.dataclass(frozen=True)
class Base:
    width: int
    height: int = 2

    @cached_property
    def area(self) -> int:
        return self.width * self.height


@records.dataclass(frozen=True)
class Deeper(Base):
    depth: int = 3

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Deeper) and other.depth == self.depth

    def __hash__(self) -> int:
        return 7


@records.dataclass(frozen=True, slots=True)
class Slotted:
    width: int
    height: int = 2


@records.dataclass
class Checked:
    width: int

    def __post_init__(self) -> None:
        self.width = abs(self.width)


def test_fields_are_inherited_and_methods_of_ones_own_stay() -> None:
    assert repr(Deeper(1)) == "Deeper(width=1, height=2, depth=3)"
    assert Deeper(1) == Deeper(5, 6) != Deeper(1, 2, 4) and hash(Deeper(1)) == 7
    assert Base(4, 5).area == 20 and Base(1) != Deeper(1)


def test_what_is_done_after_init_is_done() -> None:
    assert Checked(-3).width == 3
    assert dataclasses.replace(Checked(1), width=-2).width == 2


@pytest.mark.parametrize("made", [Base(4, 5), Deeper(1), Slotted(6), Checked(7)], ids=repr)
def test_objects_are_pickled(made: Any) -> None:
    assert repr(pickle.loads(pickle.dumps(made))) == repr(made)


def test_an_error_of_a_call_names_the_class() -> None:
    with pytest.raises(TypeError, match=r"Base\.__init__\(\) missing 1 required positional argument: 'width'"):
        Base()  # type: ignore[call-arg]


def public_classes() -> list[type]:
    folders = (cr, cr.data, cr.train, cr.explain, cr.optim, cr.nn, cr.interop)
    found = [getattr(folder, name) for folder in folders for name in folder.__all__]
    return [each for each in found if isinstance(each, type) and dataclasses.is_dataclass(each)]


def test_users_see_what_a_class_is_made_of():
    assert len(public_classes()) > 20
    for each in public_classes():
        expected = [field.name for field in dataclasses.fields(each) if field.init]
        assert list(inspect.signature(each).parameters) == expected, each


def test_a_class_without_a_text_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "signature", None)  # which Python's own asks for, and that takes longer than the rest

    @records.dataclass(frozen=True)
    class Plain:
        x: int

    assert Plain.__doc__ == "Plain" and Plain(3).x == 3
