"""Second order under compile: Hessian-vector products of every layer of the table, native code against eager.

`python tests/second_order_compiled.py` goes through all layers, recurrent ones and attention among them (some minutes);
the tests go through a few.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from tests.nn.test_layers import ROWS, apart, random_state

import chainrule as cr
from chainrule import nn, tree

SEQUENCES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("RNN", (3, 4), {"nonlinearity": "tanh"}, (5, 2, 3)),
    ("LSTM", (3, 4), {"num_layers": 2, "bidirectional": True}, (4, 2, 3)),
    ("GRU", (3, 4), {"batch_first": True}, (2, 5, 3)),
    ("TransformerEncoderLayer", (6, 2, 8), {"dropout": 0.0}, (4, 2, 6)),
    ("TransformerDecoderLayer", (6, 2, 8), {"dropout": 0.0}, (4, 2, 6)),
    ("MultiheadAttention", (6, 2), {}, (4, 2, 6)),
]
ALL = [*ROWS, *SEQUENCES]


def applied(layer: Any, x: Any) -> Any:
    """The output of a layer, whatever it takes and gives besides."""
    if isinstance(layer, nn.MultiheadAttention):
        return layer(x, x, x)[0]
    if isinstance(layer, nn.TransformerDecoderLayer):
        return layer(x, cr.flip(x, axis=0))
    result = layer(x)
    return result[0] if isinstance(result, tuple) else result


def difference(name: str, arguments: tuple[Any, ...], options: dict[str, Any], shape: tuple[int, ...]) -> float:
    """The largest difference between compiled and eager, relative to the largest number of each result."""
    layer = getattr(nn, name)(*arguments, **options).double()
    layer.load_state_dict(random_state(layer))
    x = apart(shape)
    weights = np.random.default_rng(3).normal(size=applied(layer, x).shape)

    def loss(layer: Any, x: Any) -> Any:
        return cr.sum(cr.sin(applied(layer, x)) * weights)

    def product(layer: Any, x: Any) -> Any:
        along = [cr.cos(each) for each in tree.leaves(layer)]
        return cr.hvp(loss, (layer, x), (tree.unflatten(tree.flatten(layer)[1], along), cr.cos(x)))

    before = layer.state_dict()
    eager = tree.leaves(product(layer, x))
    layer.load_state_dict(before)
    native = tree.leaves(cr.compile(product)(layer, x))
    return max(
        float(np.max(np.abs(one.numpy() - other.numpy()), initial=0) / (1e-9 + np.max(np.abs(one.numpy()), initial=0)))
        for one, other in zip(eager, native, strict=True)
    )


def main() -> int:
    start, failed = time.monotonic(), 0
    for row in ALL:
        cr.random.manual_seed(0)
        found = difference(*row)
        if not found < 1e-10:
            failed += 1
            print(f"{row}: {found:.2g}")
    print(f"{len(ALL) - failed} of {len(ALL)} layers agree to second order, in {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
