"""Whole numbers that users give: how many, how often, how long. One way to refuse what can't be one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ConfigurationError


def checked_count(name: str, given: Any, least: int = 1) -> int:
    """The number given as `name`; raises ConfigurationError where it is no whole number, or less than `least`."""
    return _checked(name, given, least, "")


def checked_count_or_none(name: str, given: Any, least: int = 1) -> int | None:
    """The same where None may be given too."""
    return None if given is None else _checked(name, given, least, " or None")


def _checked(name: str, given: Any, least: int, otherwise: str) -> int:
    if not _is_count(given, least):
        advice = _advice(given, least)
        raise ConfigurationError(f"{name} is an integer of at least {least}{otherwise}, not {given!r}{advice}")
    return int(given)


def _is_count(given: Any, least: int) -> bool:
    return isinstance(given, int | np.integer) and not isinstance(given, bool) and bool(given >= least)


def _advice(given: Any, least: int) -> str:
    """What was meant, where that is plain: 64.0, or "64" out of a file of settings."""
    try:
        meant = int(given) if float(given) == int(given) and not isinstance(given, bool) else least - 1
    except (TypeError, ValueError, OverflowError):
        return ""
    return f"; give {meant}" if meant >= least else ""
