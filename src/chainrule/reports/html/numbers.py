"""Numbers as pages show them; `show` of page.js writes the same digits."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from ...ir.types import NumpyArray

DIGITS = 6
SMALLEST, LARGEST = 1e-4, 1e7
"""Between these a number is written without an exponent."""


def show(number: float, digits: int = DIGITS) -> str:
    """Significant digits, without zeros at the end.

    >>> show(0.1), show(1234567.891), show(-2.5e-7), show(3.0)
    ('0.1', '1234568', '-2.5e-7', '3')
    """
    number = float(number)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    if number == 0:
        return "0"
    mantissa, _, exponent = f"{number:.{digits - 1}e}".partition("e")
    power = int(exponent)
    if SMALLEST <= abs(number) < LARGEST:
        text = f"{number:.{max(0, digits - 1 - power)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{mantissa.rstrip('0').rstrip('.')}e{power}"


def count(number: int) -> str:
    """With a thin space between thousands: 12 345."""
    return f"{number:,}".replace(",", "\u202f")


def size(number: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def percent(share: float) -> str:
    """0.9871 as `98.7 %`."""
    return "–" if math.isnan(share) else f"{100 * share:.1f} %"


def packed(array: Any) -> dict[str, Any]:
    """An array as JSON holds it for a page: its bits, so that the page shows what the engine has."""
    held = np.ascontiguousarray(array, _little(np.asarray(array).dtype))
    return {"type": held.dtype.name, "shape": list(np.shape(array)), "bytes": base64.b64encode(held.tobytes()).decode()}


def unpacked(data: dict[str, Any]) -> NumpyArray:
    """The inverse of `packed`."""
    kind = np.dtype(data["type"]).newbyteorder("<")
    return np.frombuffer(base64.b64decode(data["bytes"]), kind).reshape(data["shape"]).astype(data["type"])


def _little(kind: np.dtype[Any]) -> np.dtype[Any]:
    if kind.kind == "f" and kind.itemsize <= 4:
        return np.dtype("<f4")
    return np.dtype("<f8" if kind.kind == "f" else "<i4")


def plain(value: Any) -> Any:
    """Numbers and containers as JSON knows them; what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
