"""Vectors that overlap at the end of a row cover it, and nothing behind it."""

from __future__ import annotations

import pytest

from chainrule.compiler.nests.ragged import ragged


@pytest.mark.parametrize("most", [4, 8, 16])
def test_all_of_a_row_and_nothing_else_is_covered(most: int) -> None:
    for size in range(1, 4 * most):
        found = ragged(size, most)
        if found is not None:
            assert set(found.places) == set(range(size)), size
