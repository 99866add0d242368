"""Kinds of tiles: sums that are done in one have less code, unless the longer one is there already."""

from __future__ import annotations

import re

import numpy as np

import chainrule as cr


def tiles_of(*shapes: tuple[int, int, int]) -> set[str]:
    """The tiles of a program of products; what it computes is compared with NumPy."""
    random = np.random.default_rng(0)
    pairs = [(random.standard_normal((m, k)), random.standard_normal((k, n))) for m, k, n in shapes]
    given = [each.astype(np.float32) for pair in pairs for each in pair]

    @cr.compile
    def products(*arrays: cr.Tensor) -> list[cr.Tensor]:
        return [a @ b for a, b in zip(arrays[::2], arrays[1::2])]

    for found, (a, b) in zip(products(*given), pairs):
        np.testing.assert_allclose(found.numpy(), a @ b, rtol=1e-4, atol=2e-3)
    return set(re.findall(r"define void @(tile_\w+)", products.program(*given).compiled.lowered.text))


def test_only_tiles_of_long_sums_add_to_what_is_there() -> None:
    short, long = (140, 64, 64), (140, 8192, 64)
    alone, added = tiles_of(short), tiles_of(long)
    assert alone and all(name.endswith("_sums") for name in alone)
    assert added and not any(name.endswith("_sums") for name in added)


def test_a_program_that_has_the_longer_tile_has_no_other() -> None:
    found = tiles_of((140, 8192, 64), (140, 64, 64))
    assert not {name for name in found if name.removesuffix("_sums") != name and name.removesuffix("_sums") in found}


def test_programs_of_many_small_products_have_short_rounds() -> None:
    few, many = tiles_of((140, 64, 64)), tiles_of(*[(140, size, 64) for size in (48, 64, 80)])
    assert few and all("_by4_" in name for name in few)
    assert many and all("_by2_" in name for name in many)
