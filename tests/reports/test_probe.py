"""A probe whose classes differ in size compiles a program for each size, silently; warnings are errors here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import nn
from chainrule.errors import TraceError
from chainrule.reports.probe import Probe, weights_of
from chainrule.reports.probe_rows import RowProbe


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


class Counting(nn.Linear):
    """Gives more with each call."""

    calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return super().forward(x) * self.calls


def test_a_network_that_counts_its_calls_is_looked_at_eagerly() -> None:
    data = np.ones((10, 3)), np.zeros(10, int)
    probe = Probe(Counting(3, 2), nn.functional.cross_entropy, *data, [np.arange(10)])
    rows = RowProbe(probe)
    weights = weights_of(probe.network)
    rows.follow(weights, weights)
    assert rows.look(np.arange(4), np.zeros(4))[0].shape == (4,)
    assert probe.network.calls == 4
    with pytest.raises(TraceError, match="'calls' of Counting"):
        RowProbe(probe, compile=True)
