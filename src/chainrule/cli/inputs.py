"""Reading what a run is to be used on: rows, images or the digits, in the form its network was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import ImageEncoder, Table, TableEncoder, digits, read_image, read_image_folder, read_table
from ..data.cells import CellRules
from ..data.images import SUFFIXES
from ..errors import ConfigurationError, DataError
from .problem import Examples, digit_bytes
from .record import Record
from .source import DIGITS, kind_of

LIGHT = 127  # a picture of a digit brighter than this is dark ink on light paper


@dataclass(frozen=True, eq=False)
class Inputs:
    """What to predict: inputs (n, ...), and columns of text that say which is which, to stand beside the answers."""

    arrays: NDArray[np.float32]
    columns: Mapping[str, Sequence[str]]


def read_inputs(record: Record, sources: Sequence[str]) -> Inputs:
    """Unlabelled data for a run's network; raises DataError where it is of another kind."""
    if isinstance(record.encoder, TableEncoder):
        return _rows(record, record.encoder, sources)
    if tuple(sources) == (DIGITS,):
        images, labels = _test_digits(record)
        names = {"digit": [str(place) for place in range(len(labels))], "true": [str(label) for label in labels]}
        return Inputs(record.encoder.encode(images), names)
    files = [file for source in sources for file in _image_files(Path(source))]
    size = (record.encoder.height, record.encoder.width)
    images = np.stack([read_image(file, size, record.encoder.channels) for file in files])
    return Inputs(record.encoder.encode(_as_trained(record, images)), {"file": [str(file) for file in files]})


def read_examples(record: Record, given: str) -> Examples:
    """Labelled data for a run's network; raises DataError where it is of another kind or a label is unknown."""
    kind = kind_of(given)
    encoder = record.encoder
    if isinstance(encoder, TableEncoder):
        _check_kind(record, kind == "table", given)
        return Examples(*encoder.encode(read_table(given, **record.source.table.reading)))
    if kind == "digits":
        images, labels = _test_digits(record)
        return Examples(encoder.encode(images), labels)
    _check_kind(record, kind == "images", given)
    folder = read_image_folder(given, (encoder.height, encoder.width), encoder.channels)
    return Examples(encoder.encode(_as_trained(record, folder.images)), encoder.encode_labels(folder))


def _rows(record: Record, encoder: TableEncoder, sources: Sequence[str]) -> Inputs:
    if len(sources) > 1:
        raise ConfigurationError(f"expected one table to predict, got {len(sources)}: {', '.join(sources)}")
    _check_kind(record, kind_of(sources[0]) == "table", sources[0])
    table = read_table(sources[0], **record.source.table.reading)
    return Inputs(encoder.encode_features(table), _as_text(table))


def _as_text(table: Table) -> dict[str, list[str]]:
    """A table's cells as they stand in a text file."""
    return {name: CellRules().texts(cells) for name, cells in table.columns.items()}


def _test_digits(record: Record) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    encoder = record.encoder
    if not isinstance(encoder, ImageEncoder) or (encoder.channels, encoder.height, encoder.width) != (1, 28, 28):
        raise DataError(
            f"the digits are gray images of 28 x 28 pixels, but this run was trained on {_trained_on(record)}"
        )
    images, labels = digits()[1]
    return digit_bytes(images), labels


def _image_files(path: Path) -> list[Path]:
    """An image itself, or every image in a folder and below."""
    if not path.is_dir():
        if path.exists() and path.suffix.lower() not in SUFFIXES:
            kinds = " ".join(sorted(SUFFIXES))
            raise DataError(f"{path} is no image: this run was trained on images, expected one of {kinds}")
        return [path]
    files = sorted(
        file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )
    if not files:
        raise DataError(f"the folder {path} has no images")
    return files


def _as_trained(record: Record, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For the digits, ink is bright: photographs of dark ink on light paper are turned round, each by itself."""
    if record.source.kind != "digits":
        return images
    is_light = images.mean(axis=(1, 2, 3), keepdims=True) > LIGHT
    return np.where(is_light, 255 - images, images)


def _check_kind(record: Record, fits: bool, given: str) -> None:
    if not fits:
        expected = "a table" if record.source.kind == "table" else "images"
        raise DataError(f"this run was trained on {_trained_on(record)}: expected {expected}, got {given}")


def _trained_on(record: Record) -> str:
    encoder: Any = record.encoder
    if isinstance(encoder, TableEncoder):
        return f"the table {Path(record.source.path).name}"
    colour = "gray" if encoder.channels == 1 else "colour"
    what = "the digits, " if record.source.kind == "digits" else ""
    return f"{what}{colour} images of {encoder.height} x {encoder.width} pixels"
