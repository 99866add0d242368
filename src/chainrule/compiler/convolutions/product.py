"""Convolutions with one tap, stride 1 and nothing around the image: matrix products over all places and examples.

Images lie as (height, width, examples, channels): a matrix with a row for each place and example.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..planning.place import Place
from ..products.contraction import call_tiles
from ..products.product import Product, make_plan
from ..text.emit import element_type
from .window import Window

if TYPE_CHECKING:
    from ..planning.lowering import Lowering


LEAST_TURNED, LEAST = 64, 128
"""Columns from which on a product is faster than tiles of places; the first for weights that are turned when packed."""


def is_product(rows: Window, columns: Window) -> bool:
    """Whether each place of the output is made of the same place of the input."""
    return all(
        (window.kernel, window.stride, window.low, window.count) == (1, 1, 0, window.size) for window in (rows, columns)
    )


def suits_images(weight: Place) -> bool:
    """Whether a product is faster, given weights (o, c)."""
    return weight.shape[0] >= (LEAST_TURNED if weight.strides[1] == 1 else LEAST)


def suits_weights(weight: Place) -> bool:
    """Whether a product is faster, and the weights lie so that it can write them."""
    return weight.shape[1] >= LEAST and weight.strides[1] == 1


def lower_images(lowering: Lowering, x: Place, weight: Place, y: Place, label: str, source: str) -> None:
    """y[place, o] = Σ x[place, c] w[o, c]."""
    channels, out = x.shape[1], y.shape[1]
    product = Product(
        element=element_type(x.dtype),
        m=y.type.size // out,
        n=out,
        k=channels,
        a_m=channels,
        a_k=1,
        b_k=weight.strides[1],
        b_n=weight.strides[0],
        c_m=out,
    )
    plan = make_plan(product, lowering.target, lowering.is_fixed(weight))
    call_tiles(lowering, product, plan, (x, weight, y), label, source)


def lower_weights(lowering: Lowering, x: Place, g: Place, weight: Place, label: str, source: str) -> None:
    """w[o, c] = Σ g[place, o] x[place, c]."""
    channels, out = x.shape[1], g.shape[1]
    product = Product(
        element=element_type(x.dtype),
        m=out,
        n=channels,
        k=math.prod(g.shape) // out,
        a_m=1,
        a_k=out,
        b_k=channels,
        b_n=1,
        c_m=weight.strides[0],
    )
    plan = make_plan(product, lowering.target)
    call_tiles(lowering, product, plan, (g, x, weight), label, source)
