"""`--class-weight`: "balanced", or the weight of each class by its name."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from ..data import TableEncoder
from ..data.target import NumberTarget, class_key
from ..data.weights import BALANCED, as_table
from ..errors import ConfigurationError, unknown_name
from .problem import Problem
from .settings import Settings

NOT_COUNTED = (
    "--class-weight balanced needs to count the classes first, which a table that is read as it is trained on doesn't "
    "allow: give the weights by class, such as cat=2,dog=0.5, or train in another --mode"
)


def class_weight_of(settings: Settings, problem: Problem) -> str | dict[Any, float] | None:
    """What `fit` is to be told: classes by their place among those of the encoder."""
    if not settings.class_weight:
        return None
    target = problem.encoder.target if isinstance(problem.encoder, TableEncoder) else problem.encoder
    if isinstance(target, NumberTarget):
        raise ConfigurationError("--class-weight is for classes; the target here is a number")
    if settings.class_weight == BALANCED:
        if problem.streamed is not None:
            raise ConfigurationError(NOT_COUNTED)
        return BALANCED
    places = {class_key(label): place for place, label in enumerate(target.classes)}
    return as_table(dict(_entry(words, places) for words in _words(settings.class_weight)))


def _words(text: str) -> Sequence[str]:
    return [field for row in csv.reader([text], skipinitialspace=True) for field in row if field.strip()]


def _entry(words: str, places: dict[str, int]) -> tuple[int, float]:
    name, equals, number = words.rpartition("=")
    try:
        weight = float(number)
    except ValueError:
        equals = ""
    if not equals:
        raise ConfigurationError(
            f"--class-weight is balanced, or weights by class such as cat=2,dog=0.5; {words!r} is neither"
        )
    key = class_key(name.strip())
    if key not in places:
        raise unknown_name("class", name.strip(), places)
    return places[key], weight
