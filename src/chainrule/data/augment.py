"""Random changes of images that keep what they show, drawn anew each epoch.

What an image's transforms draw follows from (seed, epoch, its number in the data): never from how batches are made,
from threads, or from where a run was resumed. Images are arrays (n, channels, height, width) of floats or bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError
from .nested import Nested
from .order import unit_numbers
from .warp import warped

Images = NDArray[Any]
Draws = NDArray[np.float64]  # (n, draws), uniform in [0, 1)
DRAWS_APART = 1024
"""Between the first random number of an example and that of the next: more than all its transforms draw."""


@dataclass(frozen=True)
class Transform:
    """Base of transforms: `apply` gets so many uniform numbers for each image."""

    draws: ClassVar[int] = 1

    def apply(self, images: Images, draws: Draws) -> Images:
        """The images, changed; new arrays."""
        raise NotImplementedError


@dataclass(frozen=True)
class Flip(Transform):
    """Mirror images left to right (or, with vertical, upside down) with a probability."""

    probability: float = 0.5
    vertical: bool = False

    def apply(self, images: Images, draws: Draws) -> Images:
        mirrored = images[:, :, ::-1] if self.vertical else images[..., ::-1]
        return np.where((draws[:, 0] < self.probability)[:, None, None, None], mirrored, images)


@dataclass(frozen=True)
class RandomCrop(Transform):
    """Put `padding` pixels of `fill` round images and cut out their size again anywhere; or `size` (height, width)."""

    padding: int
    size: tuple[int, int] | None = None
    fill: float = 0.0
    draws: ClassVar[int] = 2

    def apply(self, images: Images, draws: Draws) -> Images:
        edge = ((0, 0), (0, 0), (self.padding, self.padding), (self.padding, self.padding))
        wide = np.pad(images, edge, constant_values=np.asarray(self.fill, images.dtype))
        height, width = self.size or images.shape[2:]
        room = np.array([wide.shape[2] - height, wide.shape[3] - width])
        if (room < 0).any():
            raise ConfigurationError(f"a crop of {height} x {width} is larger than images of {wide.shape[2:]}")
        tops, lefts = (draws * (room + 1)).astype(np.int64).T
        rows = tops[:, None] + np.arange(height)
        columns = lefts[:, None] + np.arange(width)
        places = np.arange(len(wide))[:, None, None, None], np.arange(wide.shape[1])[None, :, None, None]
        return np.asarray(wide[(*places, rows[:, None, :, None], columns[:, None, None, :])])


@dataclass(frozen=True)
class Rotate(Transform):
    """Turn images about their centre by up to so many degrees either way; outside is `fill`."""

    degrees: float
    fill: float = 0.0

    def apply(self, images: Images, draws: Draws) -> Images:
        angle = np.deg2rad((2 * draws[:, 0] - 1) * self.degrees)
        cosine, sine = np.cos(angle), np.sin(angle)
        return warped(images, np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], 1), self.fill)


@dataclass(frozen=True)
class Scale(Transform):
    """Make what images show larger or smaller about their centre, by a factor from `low` to `high`."""

    low: float = 0.8
    high: float = 1.25
    fill: float = 0.0

    def apply(self, images: Images, draws: Draws) -> Images:
        if not 0 < self.low <= self.high:
            raise ConfigurationError(f"the factors are 0 < low <= high, not {self.low} and {self.high}")
        factor = self.low * (self.high / self.low) ** draws[:, 0]
        return warped(images, np.eye(2)[None] / factor[:, None, None], self.fill)


@dataclass(frozen=True)
class ColorJitter(Transform):
    """Change brightness, contrast and saturation by up to these shares either way; bytes stay within 0 to 255."""

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    draws: ClassVar[int] = 3

    def apply(self, images: Images, draws: Draws) -> Images:
        strengths = np.array([self.brightness, self.contrast, self.saturation])
        factors = (1 + (2 * draws - 1) * strengths).astype(np.float32)[:, :, None, None, None]
        changed = images.astype(np.float32) * factors[:, 0]
        mean = changed.mean(axis=(1, 2, 3), keepdims=True)
        changed = mean + (changed - mean) * factors[:, 1]
        if images.shape[1] == 3:
            gray = changed.mean(axis=1, keepdims=True)
            changed = gray + (changed - gray) * factors[:, 2]
        if images.dtype == np.uint8:
            changed = np.clip(np.rint(changed), 0, 255)
        return np.asarray(changed, images.dtype)


@dataclass(frozen=True)
class Cutout(Transform):
    """Cover a square of `size` pixels anywhere with `fill` (DeVries and Taylor 2017); at an edge it is cut off."""

    size: int
    fill: float = 0.0
    draws: ClassVar[int] = 2

    def apply(self, images: Images, draws: Draws) -> Images:
        sides = np.array(images.shape[2:])
        starts = (draws * sides).astype(np.int64) - self.size // 2
        inside = [
            (np.arange(side)[None] >= first[:, None]) & (np.arange(side)[None] < first[:, None] + self.size)
            for side, first in zip(sides, starts.T)
        ]
        covered = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
        return np.where(covered, np.asarray(self.fill, images.dtype), images)


@dataclass(frozen=True)
class Mixup(Transform):
    """Mix each example with the next of its batch, inputs and classes alike (Zhang et al. 2018).

    classes: how many there are; labels become probabilities (n, classes). alpha, at most 1: the share of the other is
    drawn from Beta(alpha, alpha).
    """

    classes: int
    alpha: float = 0.2
    draws: ClassVar[int] = 32

    def mix(self, images: Images, labels: NDArray[Any], draws: Draws) -> tuple[Images, NDArray[Any]]:
        """Mixed images, and probabilities of the classes."""
        if not 0 < self.alpha <= 1:
            raise ConfigurationError(f"alpha is above 0 and at most 1, not {self.alpha}")
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= self.classes:
            raise DataError(
                f"Mixup takes class indices from 0 to {self.classes - 1}, shape (n,), not {labels.dtype} {labels.shape}"
            )
        kept = _beta(self.alpha, draws).astype(np.float32)
        sure = np.eye(self.classes, dtype=np.float32)[labels]
        mixed = _mixed(images.astype(np.float32), kept[:, None, None, None])
        return mixed, _mixed(sure, kept[:, None])


def _mixed(values: NDArray[np.float32], kept: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(values * kept + np.roll(values, -1, axis=0) * (1 - kept), np.float32)


def _beta(alpha: float, draws: Draws) -> NDArray[np.float64]:
    """Beta(alpha, alpha) by Jöhnk's method: the first pair of powers of uniform numbers whose sum is at most 1."""
    powers = draws ** (1 / alpha)
    first, second = powers[:, 0::2], powers[:, 1::2]
    total = first + second
    chosen = np.argmax((total <= 1) & (total > 0), axis=1)[:, None]
    top, whole = (np.take_along_axis(each, chosen, 1)[:, 0] for each in (first, total))
    return np.where(whole > 0, top / np.where(whole > 0, whole, 1), 0.5)


@dataclass(frozen=True)
class Augmentations:
    """Transforms one after another, of the images of a batch (images, labels, ...) or of images alone."""

    transforms: tuple[Transform, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        for each in self.transforms:
            if not isinstance(each, Transform):
                raise ConfigurationError(f"augment is a list of transforms such as data.Flip(), not of {each!r}")

    def __call__(self, batch: Nested, numbers: NDArray[np.int64], epoch: int) -> Nested:
        """The batch, changed. numbers: of its examples in the data."""
        if not self.transforms:
            return batch
        images, rest = (batch[0], tuple(batch[1:])) if isinstance(batch, tuple | list) else (batch, ())
        if np.ndim(images) != 4:
            raise DataError(
                f"augment changes images (n, channels, height, width), but was given shape {np.shape(images)}"
            )
        slot = 0
        for transform in self.transforms:
            counters = numbers.astype(np.int64)[:, None] * DRAWS_APART + np.arange(slot, slot + transform.draws)
            draws = unit_numbers(counters.ravel(), self.seed, epoch).reshape(counters.shape)
            slot += transform.draws
            if isinstance(transform, Mixup):
                if not rest:
                    raise DataError("Mixup mixes labels too: give batches (images, labels)")
                images, labels = transform.mix(images, rest[0], draws)
                rest = (labels, *rest[1:])
            else:
                images = transform.apply(images, draws)
        return (images, *rest) if isinstance(batch, tuple | list) else images
