"""A limit on memory is kept, no bit moves, little is computed again; and what is said where it can not be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.compiler.rewrites.rematerialise import Forward
from chainrule.errors import ConfigurationError
from chainrule.ir.check import check_graph
from chainrule.reference import run
from chainrule.sizes import bytes_of

from ..random_graphs import graph_of, program

DEPTH = 8


def deep() -> nn.Module:
    """Layers whose activations are much larger than their weights."""
    cr.random.manual_seed(0)
    return nn.Sequential(*[each for _ in range(DEPTH) for each in (nn.Linear(32, 32), nn.Tanh(), nn.LayerNorm(32))])


def images() -> nn.Module:
    cr.random.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3, padding=1)]
    for _ in range(5):
        layers += [nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(8, 8, 3, padding=1)]
    return nn.Sequential(*layers, nn.Flatten())


def trained(make: Callable[[], nn.Module], x: Any, memory_limit: Any = None) -> tuple[list[bytes], Any]:
    """The bits of all tensors after three steps, and the forecast."""
    model = make()
    optimizer = cr.optim.Adam(model.parameters(), lr=1e-2)

    @cr.compile(memory_limit=memory_limit)
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        model.zero_grad()
        return loss

    forecast = step.memory(x)
    cr.random.manual_seed(1)
    losses = [step(x).numpy().tobytes() for _ in range(3)]
    return losses + [each.tobytes() for each in model.state_dict().values()], forecast


CASES: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "dense": (deep, np.random.default_rng(0).standard_normal((2048, 32)).astype(np.float32)),
    "convolutions": (images, np.random.default_rng(0).standard_normal((16, 1, 20, 20)).astype(np.float32)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_limit_is_kept_and_no_bit_moves(case: str) -> None:
    make, x = CASES[case]
    expected, free = trained(make, x)
    inner = free.activations + free.workspace
    for share in (0.9, 0.75):
        limit = int(free.total - inner * (1 - share))
        found, forecast = trained(make, x, limit)
        assert forecast.total <= limit
        assert found == expected
        same = ("arguments", "parameters", "moments", "state", "constants", "results")
        assert [getattr(forecast, name) for name in same] == [getattr(free, name) for name in same]


def test_a_limit_that_is_no_hindrance_changes_nothing() -> None:
    make, x = CASES["dense"]
    expected, free = trained(make, x)
    found, forecast = trained(make, x, free.total)
    assert found == expected and forecast == free


def test_what_can_not_be_kept() -> None:
    make, x = CASES["dense"]
    with pytest.raises(
        ConfigurationError, match=r"needs .* MiB or more.*memory_limit is 97\.7 KiB: take smaller batches"
    ):
        trained(make, x, "100 kB")
    for wrong in ("much", "5 XB", -3, 0, "0", "1.2.3 MB", True, 2.5):
        with pytest.raises(ConfigurationError, match="500 MB"):
            cr.compile(lambda x: x, memory_limit=wrong)


def test_sizes() -> None:
    assert [bytes_of(each) for each in ("500 MB", "1.5GiB", "2kb", " 7 ", 12, ".5 TB")] == [
        500_000_000,
        3 << 29,
        2000,
        7,
        12,
        500_000_000_000,
    ]


def test_fit_keeps_a_limit_in_native_code_only() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 2048, 32)).astype(np.float32)

    def weights(**options: Any) -> Any:
        model = deep()
        optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
        cr.train.fit(model, optimizer, "mse", (x, y), batch_size=1024, epochs=1, progress=False, **options)
        return np.concatenate([each.numpy().ravel() for each in model.parameters()])

    np.testing.assert_array_equal(weights(memory_limit="3.2 MB"), weights())
    with pytest.raises(ConfigurationError, match="or more, also with inner values computed again"):
        weights(memory_limit="1 MB")
    with pytest.raises(ConfigurationError, match="native code only"):
        weights(memory_limit="3.2 MB", compile=False)
    model = deep()
    with pytest.raises(ConfigurationError, match=r"L-BFGS can't be.*such as optim\.Adam"):
        cr.train.fit(model, cr.optim.LBFGS(model.parameters()), "mse", (x, y), memory_limit="1 GB", progress=False)


def test_what_is_computed_again_is_the_same_program() -> None:
    """Random graphs, any part of them done again, in NumPy: the same bits."""
    again = 0
    for seed in range(60):
        with np.errstate(all="ignore"):
            chosen = program(seed, 8)
            graph, _ = graph_of(chosen)
            expected = run(graph, chosen.inputs)
            for count in (1, 2, 4):
                forward = Forward(graph, count)
                for segments in (forward.segments, forward.segments[::2]):
                    found = forward.again(segments)
                    check_graph(found)
                    again += len(found.equations) > len(graph.equations)
                    for one, other in zip(run(found, chosen.inputs), expected, strict=True):
                        assert one.tobytes() == other.tobytes()
    assert again > 50
