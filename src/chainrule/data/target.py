"""The column to predict: classes or a number, and how it is encoded for the loss and decoded for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigurationError, DataError
from .cells import CellRules, number_text
from .columns import Scale
from .predictions import Label, Predictions, checked_outputs, predict_classes
from .table import Table
from .values import read_numbers, text_in_numbers

Task: TypeAlias = Literal["classification", "regression"]
TASKS = ("classification", "regression")
MOST_NUMBER_CLASSES = 20


@dataclass(frozen=True)
class ClassTarget:
    """Classes, encoded as their place in `classes`: int64 (rows,)."""

    name: str
    classes: tuple[Label, ...]

    task: Task = "classification"

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def encode(self, table: Table, rules: CellRules) -> NDArray[np.int64]:
        places = {class_key(label): place for place, label in enumerate(self.classes)}
        texts = [class_key(text) for text in rules.texts(table.column(self.name))]
        unknown = [row for row, text in enumerate(texts) if text not in places]
        if unknown:
            raise DataError(
                f"{table.source}, column {self.name!r}: {texts[unknown[0]]!r} in {table.places(unknown)} is none of "
                f"the {len(self.classes)} classes trained on: {', '.join(map(repr, map(str, self.classes)))}"
            )
        return np.array([places[text] for text in texts], dtype=np.int64)

    def decode(self, outputs: ArrayLike) -> Predictions:
        return predict_classes(outputs, self.classes)

    def describe(self) -> str:
        shown = ", ".join(map(str, self.classes[:6])) + (", ..." if len(self.classes) > 6 else "")
        return f"one of {len(self.classes)} classes: {shown}"


@dataclass(frozen=True)
class NumberTarget:
    """A number, scaled: float32 (rows, 1)."""

    name: str
    scale: Scale

    task: Task = "regression"

    @property
    def outputs(self) -> int:
        return 1

    def encode(self, table: Table, rules: CellRules) -> NDArray[np.float32]:
        values = read_numbers(table, self.name, rules)
        return self.scale.encode(values).astype(np.float32)[:, None]

    def decode(self, outputs: ArrayLike) -> Predictions:
        return Predictions(tuple(self.scale.decode(checked_outputs(outputs, 1))[:, 0].tolist()))

    def describe(self) -> str:
        return f"number, mean {self.scale.mean:.6g}, standard deviation {self.scale.deviation:.6g}"


Target: TypeAlias = ClassTarget | NumberTarget


def infer_target(table: Table, name: str, rules: CellRules, task: str | None, is_category: bool) -> Target:
    """Classes or a number, by the task asked for, else by the cells: text, or few whole numbers, are classes.

    The labels must be there (see `require_labels`). Raises DataError where there is nothing to tell apart.
    """
    if task is not None and task not in TASKS:
        raise ConfigurationError(f"the task is 'classification' or 'regression', not {task!r}")
    cells = table.column(name)
    if cells.dtype.kind == "M":
        raise DataError(
            f"{table.source}: the target {name!r} holds dates; make it a number, such as days, to predict it"
        )
    values, wrong = rules.numbers(cells)
    if task == "regression":
        return _number_target(table, name, rules)
    is_number = not wrong.any()
    if task is None and not is_category:
        _check_labels_are_one_kind(table, name, rules, wrong)
        if is_number and not few_whole_numbers(values):
            return _number_target(table, name, rules)
    return _class_target(table, name, rules, values if is_number and cells.dtype != object else None)


def few_whole_numbers(values: NDArray[np.float64]) -> bool:
    """Whether numbers look like classes: whole, and two different ones or at most min(20, root of the rows)."""
    if not np.isfinite(values).all() or not (values == np.round(values)).all():
        return False
    return len(np.unique(values)) <= min(MOST_NUMBER_CLASSES, max(2.0, math.sqrt(len(values))))


def require_labels(table: Table, name: str, rules: CellRules, drop: bool, is_part: bool = False) -> Table:
    """The rows that have a label: all of them, unless `drop`; raises DataError naming the rows that have none.

    is_part: of a longer table, so that it may be without any.
    """
    missing = rules.is_missing(table.column(name))
    if missing.all() and not is_part:
        raise DataError(f"{table.source}: the target column {name!r} is empty in every row")
    if not missing.any():
        return table
    if drop:
        return table.rows(~missing)
    rows = np.flatnonzero(missing)
    raise DataError(
        f"{table.source}: the target {name!r} is missing in {table.places(rows)} ({len(rows)} of {len(table)} rows): "
        "fill these in, or leave these rows out by drop_missing_labels=True"
    )


def target_to_dict(target: Target) -> dict[str, Any]:
    """JSON-ready values; floats keep every bit."""
    if isinstance(target, ClassTarget):
        return {"task": target.task, "name": target.name, "classes": list(target.classes)}
    scale = target.scale
    return {
        "task": target.task,
        "name": target.name,
        "scale": {"mean": scale.mean, "deviation": scale.deviation, "median": scale.median},
    }


def target_from_dict(state: Mapping[str, Any]) -> Target:
    """The inverse of `target_to_dict`."""
    if state["task"] == "classification":
        return ClassTarget(state["name"], tuple(state["classes"]))
    return NumberTarget(state["name"], Scale(**state["scale"]))


def class_key(label: Label) -> str:
    """What makes two labels the same: `1`, `1.0` and the number 1 are one class."""
    try:
        value = float(label)
    except ValueError:
        return str(label)
    return number_text(value) if math.isfinite(value) else str(label)


def _number_target(table: Table, name: str, rules: CellRules) -> NumberTarget:
    values = read_numbers(table, name, rules)
    if len(np.unique(values)) == 1:
        raise DataError(f"{table.source}: the target {name!r} is {values[0]:g} in every row: there is nothing to learn")
    return NumberTarget(name, Scale.fit(values))


def _class_target(table: Table, name: str, rules: CellRules, values: NDArray[np.float64] | None) -> ClassTarget:
    classes: tuple[Label, ...]
    if values is not None:
        classes = tuple(int(v) if v == int(v) else v for v in np.unique(values).tolist())
    else:
        texts = {class_key(text): text for text in reversed(list(rules.texts(table.column(name))))}
        classes = tuple(sorted(texts.values(), key=class_order))
    if len(classes) == 1:
        raise DataError(
            f"{table.source}: the target {name!r} has one single class, {str(classes[0])!r}: expected at least two"
        )
    if len(classes) > max(2, len(table) // 2):
        raise DataError(
            f"{table.source}: the target {name!r} has {len(classes)} different classes in {len(table)} rows: "
            "expected several rows of each class; is this the right column?"
        )
    return ClassTarget(name, classes)


def class_order(label: Label) -> tuple[int, float, str]:
    """Numbers by value, then text by alphabet: 2 before 10."""
    try:
        return (0, float(label), "")
    except ValueError:
        return (1, 0.0, str(label))


def _check_labels_are_one_kind(table: Table, name: str, rules: CellRules, wrong: NDArray[np.bool_]) -> None:
    count, wrong_count = len(table), int(wrong.sum())
    if 0 < wrong_count <= max(1, count // 10) and wrong_count < count / 2:
        raise DataError(text_in_numbers(table, name, rules, wrong))
