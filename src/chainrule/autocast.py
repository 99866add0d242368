"""Mixed precision for training: `with cr.autocast(cr.bfloat16)`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from .block import Block
from .errors import ConfigurationError
from .ir.build import products_in
from .ir.types import BFLOAT16

FLOAT32 = "float32"
PRECISIONS = (FLOAT32, BFLOAT16)


class autocast(Block):  # PyTorch's name
    """Inside the block, or the decorated function, products of float32 arrays are taken in bfloat16.

    Matrix products and convolutions (so dense layers, attention, recurrent layers) round their operands to bfloat16 and
    add up in float32; so do their gradients, also where the backward pass runs outside the block. Weights, softmax,
    norms, losses and updates stay float32, and so does every result. bfloat16 has the exponents of float32, so the loss
    need not be scaled.

    dtype: cr.bfloat16 or "bfloat16"; "float32" switches it off inside another block. float64 is left alone.

    >>> import chainrule as cr
    >>> x = cr.tensor([[1.001]])
    >>> with cr.autocast("bfloat16"):
    ...     product = x @ x.T
    >>> product.dtype, product.item(), round((x @ x.T).item(), 4)
    (dtype('float32'), 1.0, 1.002)
    """

    def __init__(self, dtype: Any = BFLOAT16) -> None:
        super().__init__()
        self.precision = as_precision(dtype)

    def _inside(self) -> AbstractContextManager[None]:
        return products_in(self.precision)

    def _recreate_cm(self) -> autocast:
        return autocast(self.precision)


def as_precision(given: Any) -> str:
    """The name of what products are taken in."""
    name = given if isinstance(given, str) else getattr(given, "name", getattr(given, "__name__", None))
    if name not in PRECISIONS:
        raise ConfigurationError(
            f"products are taken in {' or '.join(PRECISIONS)}, not in {given!r}; "
            "float16 has fewer exponents, and would need a scaled loss"
        )
    return str(name)
