"""docs/adding-a-primitive.md is true: its blocks run where it says, and the result passes a primitive's checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import functions
from chainrule.ir import primitive as registry
from chainrule.ops import elementwise

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-primitive.md"
BLOCKS = re.findall(r"```python (\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def cube_root() -> Iterator[registry.Primitive]:
    """What the page tells the reader to write, written into the modules it names, and taken out again."""
    places = {"elementwise": elementwise, "functions": functions}
    for name, block in BLOCKS:
        if name in places:
            exec(block, places[name].__dict__)
    cr.cbrt = functions.cbrt  # type: ignore[attr-defined]
    yield elementwise.cbrt  # type: ignore[attr-defined]
    del registry._REGISTRY["cbrt"], elementwise.__dict__["cbrt"], functions.__dict__["cbrt"], cr.__dict__["cbrt"]


def test_the_page_has_the_blocks_it_announces() -> None:
    assert [name for name, _ in BLOCKS] == ["elementwise", "functions", "user"]


def test_the_users_block_holds(cube_root: registry.Primitive) -> None:
    exec(dict(BLOCKS)["user"], {})


def test_the_new_primitive_agrees_with_central_differences(cube_root: registry.Primitive) -> None:
    assert registry.all_primitives()["cbrt"] is cube_root
    smooth = [sample for sample in cube_root.samples() if sample.smooth and sample.inputs[0].dtype == np.float64]
    assert len(smooth) >= 5
    for sample in smooth:
        (x,) = sample.inputs
        step = 1e-5 * np.abs(x)
        expected = (np.cbrt(x + step) - np.cbrt(x - step)) / (2 * step)
        given = cr.grad(lambda x: cr.sum(cr.cbrt(x)))(x)  # type: ignore[attr-defined]
        np.testing.assert_allclose(given.numpy(), expected, rtol=1e-8)
