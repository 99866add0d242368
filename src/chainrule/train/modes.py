"""The four modes of backpropagation: after how many examples the weights are updated."""

from __future__ import annotations

from ..counts import checked_count, checked_count_or_none
from ..errors import ConfigurationError, unknown_name
from ..records import dataclass

MODES = {
    "batch": "one update for the entire data set",
    "stochastic": "one update for each example, in random order",
    "mini-batch": "one update for each batch of a few examples, in random order",
    "online": "one pass, in the order in which data comes in, an update with each arrival",
}


@dataclass(frozen=True)
class Pace:
    """What a mode means for a data set. batch_size: examples an update; at_once: as many go through the network."""

    batch_size: int
    shuffle: bool
    epochs: int
    at_once: int

    @property
    def accumulate(self) -> int:
        """Passes through the network for one update."""
        return -(-self.batch_size // self.at_once)


def pace(
    mode: str, batch_size: int | None, epochs: int, length: int | None, shuffle: bool | None, accumulate: int = 1
) -> Pace:
    """Batch size, order and number of passes of a mode; raises ConfigurationError on options that contradict it."""
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    epochs, accumulate = checked_count("epochs", epochs), checked_count("accumulate", accumulate)
    batch_size = checked_count_or_none("batch_size", batch_size)
    if mode == "batch":
        return Pace(length or 1, bool(shuffle), epochs, -(-(length or 1) // accumulate))
    if mode == "stochastic":
        if batch_size not in (None, 1):
            raise ConfigurationError(
                f"mode 'stochastic' updates after each example, so batch_size={batch_size} can't be"
            )
        if accumulate != 1:
            raise ConfigurationError(
                f"mode 'stochastic' updates after each example, so accumulate={accumulate} can't be"
            )
        return Pace(1, shuffle is not False, epochs, 1)
    if mode == "online":
        if epochs != 1:
            raise ConfigurationError(f"mode 'online' sees each example once, so epochs={epochs} can't be; leave it out")
        return _gathered(batch_size or 1, bool(shuffle), 1, accumulate)
    return _gathered(batch_size or 64, shuffle is not False, epochs, accumulate)


def _gathered(batch_size: int, shuffle: bool, epochs: int, accumulate: int) -> Pace:
    """An update for so many batches together."""
    return Pace(batch_size * accumulate, shuffle, epochs, batch_size)
