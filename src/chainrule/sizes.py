"""Numbers of bytes as people write and read them."""

from __future__ import annotations

import re

from .errors import ConfigurationError

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
SIZES = {"": 1, "b": 1}
SIZES |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", 1)}
SIZES |= {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", 1)}


def bytes_of(limit: int | str) -> int:
    """A number of bytes, also as text: "500 MB" (millions), "1.5 GiB" (powers of 1024).

    Raises ConfigurationError for anything else.
    """
    if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
        return limit
    found = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", limit.lower()) if isinstance(limit, str) else None
    if found is None or not re.fullmatch(r"\d*\.?\d+", found[1]) or found[2] not in SIZES or not float(found[1]):
        raise ConfigurationError(f'a limit of memory is bytes, or text such as "500 MB" or "1.5 GiB", not {limit!r}')
    return int(float(found[1]) * SIZES[found[2]])


def shown(size: int) -> str:
    """Bytes for people: 62.5 MiB."""
    number, unit = float(size), 0
    while number >= 1024 and unit < len(UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.0f} B" if unit == 0 else f"{number:.1f} {UNITS[unit]}"
