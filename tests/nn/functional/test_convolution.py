"""Convolutions as functions: what they refuse. Their numbers are tested with the layers and with the primitives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import nn
from chainrule.errors import ConfigurationError, ShapeError

F = nn.functional
IMAGE = np.ones((1, 3, 6, 6))


def test_same_padding_keeps_sizes() -> None:
    for kernel, dilation in ((3, 1), (4, 1), (3, 2), (2, 3)):
        y = F.conv2d(IMAGE, np.ones((2, 3, kernel, kernel)), padding="same", dilation=dilation)
        assert y.shape == (1, 2, 6, 6)
    assert F.conv2d(IMAGE, np.ones((2, 3, 3, 3)), padding="valid").shape == (1, 2, 4, 4)


def test_same_padding_adds_the_odd_one_at_the_end() -> None:
    y = F.conv1d(np.array([[[1.0, 2.0, 3.0]]]), np.array([[[1.0, 10.0]]]), padding="same")
    assert y.tolist() == [[[21, 32, 3]]]


def test_the_transposed_convolution_is_the_adjoint() -> None:
    random = np.random.default_rng(0)
    x, y, weight = random.normal(size=(2, 3, 7)), random.normal(size=(2, 4, 3)), random.normal(size=(4, 3, 3))
    there = (F.conv1d(x, weight, stride=2).numpy() * y).sum()
    back = (x * F.conv_transpose1d(y, weight, stride=2).numpy()).sum()
    assert there == pytest.approx(back, rel=1e-12)


def layer(*arguments: Any, **options: Any) -> Any:
    return lambda: nn.Conv2d(*arguments, **options)


def transposed(weight: tuple[int, ...], **options: Any) -> Any:
    return lambda: F.conv_transpose2d(IMAGE, np.ones(weight), **options)


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (layer(1, 1, 0), ConfigurationError, "kernel_size must be at least 1"),
        (layer(1, 1, 3, stride=0), ConfigurationError, "stride must be at least 1"),
        (layer(1, 1, 3, padding=-1), ConfigurationError, "padding must be at least 0"),
        (layer(1, 1, 3, padding="full"), ConfigurationError, "'same' or 'valid', not 'full'"),
        (layer(3, 4, 3, groups=2), ConfigurationError, "groups=2"),
        (layer(1, 1, 3, padding_mode="reflect"), ConfigurationError, "functional.pad"),
        (layer(1, 1, (3, 3, 3)), ShapeError, "kernel_size"),
        (lambda: nn.Conv2d(1, 1, 3, stride=2, padding="same")(np.ones((1, 1, 5, 5))), ConfigurationError, "stride 1"),
        (lambda: nn.Conv2d(3, 1, 3)(np.ones((6, 6))), ShapeError, "batch, channels"),
        (lambda: nn.Conv2d(3, 1, 9)(IMAGE), ShapeError, "window reaches 9"),
        (lambda: nn.ConvTranspose1d(1, 1, 3, padding="same"), ConfigurationError, "a number or numbers"),
        (transposed((2, 1, 3, 3)), ShapeError, "for 3 channels"),
        (transposed((3, 1, 3, 3), output_padding=1), ConfigurationError, "smaller than stride"),
        (transposed((3, 1, 3, 3), padding=5), ShapeError, "leaves nothing"),
        (transposed((3, 1, 3, 3), groups=2), ConfigurationError, "groups=2"),
    ],
)
def test_what_is_refused(wrong: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        wrong()
