"""The table of lowerings: every primitive that is not elementwise, fast paths aside."""

from __future__ import annotations

from .lower_along import ALONG
from .lower_copy import COPIES
from .lower_gather import GATHERS
from .lower_kernel import Kernel, Lowering
from .lower_linear import LINEAR
from .lower_random import RANDOM
from .lower_reduce import REDUCTIONS
from .lower_sort import SORTS
from .lower_window import WINDOWS

LOWERINGS: dict[str, Lowering] = {
    **COPIES,
    **GATHERS,
    **ALONG,
    **SORTS,
    **REDUCTIONS,
    **WINDOWS,
    **RANDOM,
    **LINEAR,
}
"""By name of the primitive; "copy" is no primitive but a view made dense."""

__all__ = ["LOWERINGS", "Kernel", "Lowering"]
