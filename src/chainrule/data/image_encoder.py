"""Images for networks: scaling fitted once, saved, and applied again at prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CheckpointError, DataError
from .images import FolderPath, ImageFolder, read_image
from .predictions import Predictions, predict_classes

FORMAT = 1


@dataclass(frozen=True)
class ImageEncoder:
    """Turns images into inputs of mean 0 and deviation 1 per channel, and outputs into class names; see `fit`."""

    classes: tuple[str, ...]
    height: int
    width: int
    mean: tuple[float, ...]  # per channel, of pixels scaled to 0..1
    deviation: tuple[float, ...]

    @classmethod
    def fit(cls, folder: ImageFolder, rows: ArrayLike | None = None) -> ImageEncoder:
        """Take mean and deviation of each channel over a folder's images, or the (training) rows of it alone."""
        images = folder.images if rows is None else folder.images[np.asarray(rows)]
        if len(images) == 0:
            raise DataError("there are no images to take the mean of: rows chooses none")
        _, channels, height, width = images.shape
        histograms = [np.bincount(images[:, channel].ravel(), minlength=256) for channel in range(channels)]
        moments = [_mean_and_deviation(histogram) for histogram in histograms]
        mean, deviation = zip(*moments)
        return cls(folder.classes, height, width, mean, deviation)

    @property
    def channels(self) -> int:
        return len(self.mean)

    @property
    def outputs(self) -> int:
        """How many outputs the network needs: one per class."""
        return len(self.classes)

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (n, channels, height, width) to float32 of the same shape; raises DataError on any other."""
        expected = (self.channels, self.height, self.width)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != expected:
            raise DataError(f"expected uint8 images of shape (n, *{expected}), got {images.dtype} {images.shape}")
        scale = np.array([1 / (255 * deviation) for deviation in self.deviation], np.float32)[:, None, None]
        shift = np.array([m / deviation for m, deviation in zip(self.mean, self.deviation)], np.float32)[:, None, None]
        return images * scale - shift

    def encode_labels(self, folder: ImageFolder) -> NDArray[np.int64]:
        """A folder's labels as places in this encoder's classes, int64 (n,); raises DataError on an unknown class."""
        unknown = [name for name in folder.classes if name not in self.classes]
        if unknown:
            raise DataError(
                f"the class folders {', '.join(map(repr, unknown))} are none of the {len(self.classes)} classes "
                f"trained on: {', '.join(map(repr, self.classes))}"
            )
        places = np.array([self.classes.index(name) for name in folder.classes], dtype=np.int64)
        return places[folder.labels]

    def load(self, paths: FolderPath | Sequence[FolderPath]) -> NDArray[np.float32]:
        """One image file, or several, as inputs (n, channels, height, width), resized to the size trained on."""
        several = list(paths) if isinstance(paths, (list, tuple)) else [paths]
        images = [read_image(path, (self.height, self.width), self.channels) for path in several]  # type: ignore[arg-type]
        return self.encode(np.stack(images))

    def decode(self, outputs: ArrayLike) -> Predictions:
        """A network's outputs (n, classes), before softmax, as class names and probabilities."""
        return predict_classes(outputs, self.classes)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values; JSON keeps every bit of the numbers."""
        return {"format": FORMAT, **{name: _plain(value) for name, value in asdict(self).items()}}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ImageEncoder:
        """The inverse of `to_dict`; raises CheckpointError on anything else."""
        if state.get("format") != FORMAT:
            raise CheckpointError(f"expected an image encoder of format {FORMAT}, got format {state.get('format')!r}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in state.items()
        }
        del values["format"]
        try:
            return cls(**values)
        except TypeError as error:
            raise CheckpointError(f"the saved image encoder is damaged: {error}") from error


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _mean_and_deviation(histogram: NDArray[np.int64]) -> tuple[float, float]:
    """From the exact count of each byte; a channel that never varies keeps deviation 1."""
    levels = np.arange(256) / 255
    total = histogram.sum()
    mean = float((histogram * levels).sum() / total)
    deviation = float(np.sqrt((histogram * (levels - mean) ** 2).sum() / total))
    return mean, deviation if deviation > 0 else 1.0
