"""Networks from a description: sizes, the same weights from the same seed, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.networks import NetworkSpec, build, conv_spec, weight_count
from chainrule.cli.shift import RandomShift
from chainrule.errors import CheckpointError, ConfigurationError

SPECS = [
    NetworkSpec("linear", (4,), 1),
    NetworkSpec("mlp", (4,), 3, (8, 5), dropout=0.5),
    NetworkSpec("mlp", (1, 6, 6), 3, (8,), shift=1),
    conv_spec((1, 28, 28), 10, None, 0.25, 1),
    conv_spec((3, 20, 14), 2, (), 0.0, 0),
    conv_spec((1, 6, 6), 2, (4,), 0.0, 0),
    conv_spec((3, 64, 64), 7, None, 0.0, 0),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_network_takes_its_inputs_and_gives_its_outputs(spec: NetworkSpec) -> None:
    module = build(spec)
    assert module(cr.zeros((2, *spec.inputs))).shape == (2, spec.outputs)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_description_survives_json_and_makes_the_same_weights(spec: NetworkSpec) -> None:
    again = NetworkSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    cr.random.manual_seed(3)
    first = build(spec).state_dict()
    cr.random.manual_seed(3)
    second = build(again).state_dict()
    assert all((first[name] == second[name]).all() for name in first) and first.keys() == second.keys()


def test_the_digits_network_has_its_published_size() -> None:
    spec = conv_spec((1, 28, 28), 10, None, 0.25, 1)
    assert spec.channels == (8, 24)
    by_hand = 8 * 25 + 8 + 24 * 8 * 25 + 24 + (24 * 16) * 128 + 128 + 128 * 10 + 10
    assert weight_count(build(spec)) == by_hand
    shown = (
        "images moved by up to 1 in training, convolution 8 of 5 x 5, convolution 24 of 5 x 5, dense 128, dropout 0.25"
    )
    assert spec.describe() == f"{shown}, dense 10"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "mpl", "inputs": (4,)}, "did you mean 'mlp'"),
        ({"name": "conv", "inputs": (4,)}, "'conv' is for images"),
        ({"name": "linear", "inputs": (4,), "hidden": (3,)}, "no hidden layers"),
        ({"name": "mlp", "inputs": (4,), "hidden": (0,)}, "at least one unit"),
        ({"name": "mlp", "inputs": (4,), "dropout": 1.0}, "dropout is a share"),
    ],
)
def test_what_can_not_be_built_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        NetworkSpec(outputs=2, **options)  # type: ignore[arg-type]


def test_images_too_small_for_a_convolution() -> None:
    with pytest.raises(ConfigurationError, match="5 x 9 pixels are too small"):
        conv_spec((1, 5, 9), 2, None, 0.0, 0)


def test_a_damaged_description_is_told() -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        NetworkSpec.from_dict({"name": "mlp", "inputs": [4], "outputs": 2, "depth": 3})


def test_shifted_images_are_windows_of_the_edge_padded_image() -> None:
    images = np.arange(2 * 2 * 4 * 5, dtype=np.float32).reshape(2, 2, 4, 5)
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    windows = {(y, x): padded[:, :, y : y + 4, x : x + 5] for y in range(3) for x in range(3)}
    cr.random.manual_seed(0)
    module = RandomShift(1)
    seen = set()
    for _ in range(40):
        moved = module(cr.tensor(images)).numpy()
        places = [place for place, window in windows.items() if (moved[0] == window[0]).all()]
        assert len(places) == 1, "both channels of an image move together, by up to one pixel"
        assert any((moved[1] == window[1]).all() for window in windows.values())
        seen.add(places[0])
    assert seen == set(windows)


def test_nothing_is_shifted_in_evaluation() -> None:
    images = cr.tensor(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4))
    assert RandomShift(2).eval()(images) is images
