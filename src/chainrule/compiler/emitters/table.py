"""The table of lowerings: every primitive that is not elementwise, fast paths aside."""

from __future__ import annotations

from .along import ALONG
from .copy import COPIES
from .gather import GATHERS
from .kernel import Kernel, Lowering
from .linear import LINEAR
from .random import RANDOM
from .reduce import REDUCTIONS
from .sort import SORTS
from .window import WINDOWS

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
