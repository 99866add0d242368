"""The table of lowerings: every primitive that is neither elementwise nor has a fast path of its own."""

from __future__ import annotations

from .lower_along import ALONG
from .lower_copy import COPIES
from .lower_gather import GATHERS
from .lower_kernel import Kernel, Lowering
from .lower_window import WINDOWS

LOWERINGS: dict[str, Lowering] = {**COPIES, **GATHERS, **ALONG, **WINDOWS}
"""By name of the primitive; "copy" is no primitive but a view made dense."""

__all__ = ["LOWERINGS", "Kernel", "Lowering"]
