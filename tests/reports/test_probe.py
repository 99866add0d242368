"""A probe whose classes differ in size compiles a program for each size, silently; warnings are errors here."""

from __future__ import annotations

import numpy as np

from chainrule import nn
from chainrule.reports.probe import Probe, weights_of


def test_groups_of_different_sizes_compile_without_a_warning() -> None:
    network = nn.Linear(3, 2)
    draw = np.random.default_rng(0)
    data = draw.normal(size=(5, 3)), draw.integers(0, 2, 5)
    groups = [np.arange(2), np.arange(2, 5)]
    loss = nn.functional.cross_entropy
    native, eager = (
        Probe(network, loss, *data, groups, compile=each).at(weights_of(network)) for each in (True, False)
    )
    np.testing.assert_allclose(native.losses, eager.losses, rtol=1e-13)
    np.testing.assert_allclose(native.gradients, eager.gradients, rtol=1e-12, atol=1e-15)
