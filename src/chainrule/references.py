"""Who holds an object: CPython's count of references, against that of an object which only a list holds."""

from __future__ import annotations

import sys
from typing import Any


def counted(objects: list[Any]) -> list[int]:
    """References to each object of a list."""
    return list(map(sys.getrefcount, objects))


NOBODY = counted([object()])[0]
"""What `counted` says of something that only the list holds."""
