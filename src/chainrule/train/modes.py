"""The four modes of backpropagation: after how many examples the weights are updated."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigurationError, unknown_name

MODES = {
    "batch": "one update for the entire data set",
    "stochastic": "one update for each example, in random order",
    "mini-batch": "one update for each batch of a few examples, in random order",
    "online": "one pass, in the order in which data comes in, an update with each arrival",
}


@dataclass(frozen=True)
class Pace:
    """What a mode means for a data set."""

    batch_size: int
    shuffle: bool
    epochs: int


def pace(mode: str, batch_size: int | None, epochs: int, length: int | None, shuffle: bool | None) -> Pace:
    """Batch size, order and number of passes of a mode; raises ConfigurationError on options that contradict it."""
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    _check_positive("epochs", epochs)
    if batch_size is not None:
        _check_positive("batch_size", batch_size)
    if mode == "batch":
        return Pace(length or 1, bool(shuffle), epochs)
    if mode == "stochastic":
        if batch_size not in (None, 1):
            raise ConfigurationError(
                f"mode 'stochastic' updates after each example, so batch_size={batch_size} can't be"
            )
        return Pace(1, shuffle is not False, epochs)
    if mode == "online":
        if epochs != 1:
            raise ConfigurationError(f"mode 'online' sees each example once, so epochs={epochs} can't be; leave it out")
        return Pace(batch_size or 1, bool(shuffle), 1)
    return Pace(batch_size or 64, shuffle is not False, epochs)


def _check_positive(name: str, number: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(f"{name} is an integer of at least 1, not {number!r}")
