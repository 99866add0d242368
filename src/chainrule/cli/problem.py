"""A data set made ready for a network: read, split, encoded.

The split follows from the data alone, never from the seed of a run, so that runs of different seeds can be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..data import ImageEncoder, ImageFolder, Table, TableEncoder, digits, read_image_folder, read_table, split
from ..data.target import NumberTarget
from ..errors import DataError
from .source import ImageOptions, Source
from .streamed import HEAD, Streamed, open_streamed
from .tables import fit_on_rows

Encoder: TypeAlias = TableEncoder | ImageEncoder
Rows: TypeAlias = NDArray[np.int64]

SPLIT_SEED = 0
PARTS = ("Training", "Validation", "Test")
DIGIT_CLASSES = tuple("0123456789")
DIGIT_MEAN, DIGIT_DEVIATION = 0.1307, 0.3081  # of MNIST's pixels, as everyone rounds them


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs float32 (n, ...), and targets: classes int64 (n,) or scaled numbers float32 (n, 1)."""

    inputs: NDArray[np.float32]
    targets: NDArray[Any]

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, chosen: Rows) -> Examples:
        return Examples(self.inputs[chosen], self.targets[chosen])

    @property
    def pair(self) -> tuple[NDArray[np.float32], NDArray[Any]]:
        return self.inputs, self.targets


@dataclass(frozen=True, eq=False)
class Problem:
    """Examples to learn from, to watch (validation) and to judge by (test); either of these may be None.

    tables: the rows of each part as they stand in the file, by "Training", "Validation", "Test"; empty for images.
    streamed: where the table is too large to hold; `training` is then the first rows of it, to look at.
    """

    source: Source
    encoder: Encoder
    training: Examples
    validation: Examples | None
    test: Examples | None
    notes: tuple[str, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    streamed: Streamed | None = None

    @property
    def is_classification(self) -> bool:
        return number_target(self.encoder) is None

    @property
    def outputs(self) -> int:
        return self.encoder.outputs

    @property
    def count(self) -> int:
        """Examples to learn from."""
        return len(self.training) if self.streamed is None else self.streamed.training.length or 0

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.training.inputs.shape[1:]

    def fingerprint(self) -> str:
        """A digest of every number trained on: two problems with the same one train the same.

        Of a streamed table, of its size, the number of its rows, all their labels, and the numbers of the rows that are
        held: inputs that change elsewhere in the file are not seen.
        """
        digest = hashlib.sha256()
        if self.streamed is not None:
            digest.update(f"{self.count} {self.streamed.checksum}".encode())
        for examples in (self.training, self.validation):
            for array in examples.pair if examples else ():
                digest.update(f"{array.dtype}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def number_target(encoder: Encoder) -> NumberTarget | None:
    """The number to predict; None where classes are to be told apart."""
    if isinstance(encoder, TableEncoder) and isinstance(encoder.target, NumberTarget):
        return encoder.target
    return None


def load(source: Source) -> Problem:
    """Read and split a data set; raises DataError on anything that can't be learnt from."""
    if source.streamed:
        return _load_streamed(source)
    return {"digits": _load_digits, "table": _load_table, "images": _load_images}[source.kind](source)


def _load_streamed(source: Source) -> Problem:
    streamed = open_streamed(source)
    parts = [None if table is None else _encoded(streamed.encoder, table) for table in streamed.held]
    if parts[0] is None:
        raise DataError(f"{source.name}: no rows are left for training: hold out less by --test and --validation")
    named = {title: table for title, table in zip(PARTS, streamed.held) if table is not None}
    notes = (f"read as it is trained on; up to {HEAD:,} rows are held for validation and for the test",)
    return Problem(source, streamed.encoder, parts[0], parts[1], parts[2], notes, named, streamed)


def digit_encoder() -> ImageEncoder:
    """Bytes 0 (paper) to 255 (ink), scaled as MNIST usually is."""
    return ImageEncoder(DIGIT_CLASSES, 28, 28, (DIGIT_MEAN,), (DIGIT_DEVIATION,))


def held_out(rows: Rows, fraction: float, classes: NDArray[np.int64] | None, purpose: str) -> tuple[Rows, Rows]:
    """(the rest, the held-out share) of rows, every class in proportion; nothing is held out of a fraction 0."""
    if fraction == 0:
        return rows, rows[:0]
    try:
        rest, held = split(rows, fraction, SPLIT_SEED, None if classes is None else classes[rows])
    except DataError as error:
        raise DataError(f"no {purpose} examples can be held out: {error} (--{purpose} 0 holds out none)") from error
    return rest, held


def _load_digits(source: Source) -> Problem:
    encoder = digit_encoder()
    training, test = (Examples(encoder.encode(digit_bytes(images)), labels) for images, labels in digits())
    every_row = np.arange(len(training))
    rest, watched = held_out(every_row, source.validation, training.targets, "validation")
    return Problem(source, encoder, training.rows(rest), _some(training.rows(watched)), test)


def digit_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Pixels from 0 to 1 as the bytes they were."""
    return np.rint(images * 255).astype(np.uint8)


def _load_table(source: Source) -> Problem:
    table = read_table(source.path, **source.table.reading)
    whole = TableEncoder.fit(table, source.target, **source.table.rules, **source.table.columns)
    labelled = whole.labelled(table)
    classes = None if isinstance(whole.target, NumberTarget) else whole.target.encode(labelled, whole.rules)
    rest, tested = held_out(np.arange(len(labelled)), source.test, classes, "test")
    trained, watched = held_out(rest, source.validation, classes, "validation")
    encoder = fit_on_rows(whole, labelled.rows(np.sort(trained)), source.table)
    tables = [labelled.rows(np.sort(rows)) for rows in (trained, watched, tested)]  # in the order of the file
    if source.test_file:
        tables[2] = read_table(source.test_file, **source.table.reading)
    training, watching, test = (_encoded(encoder, each) for each in tables)
    named = dict(zip(PARTS, tables))
    return Problem(source, encoder, training, _some(watching), _some(test), tables=named)


def _encoded(encoder: TableEncoder, table: Table) -> Examples:
    if len(table) == 0:
        return Examples(np.empty((0, len(encoder.features)), np.float32), np.empty(0, np.float32))
    return Examples(*encoder.encode(table))


def _load_images(source: Source) -> Problem:
    folder = read_folder(source.path, source.images)
    rest, tested = held_out(np.arange(len(folder)), source.test, folder.labels, "test")
    trained, watched = held_out(rest, source.validation, folder.labels, "validation")
    encoder = ImageEncoder.fit(folder, trained)
    parts = [Examples(encoder.encode(folder.images[rows]), folder.labels[rows]) for rows in (trained, watched, tested)]
    test = _other_folder(encoder, source.test_file) if source.test_file else _some(parts[2])
    return Problem(source, encoder, parts[0], _some(parts[1]), test, folder.notes)


def read_folder(path: str, options: ImageOptions) -> ImageFolder:
    """A folder of images, one subfolder a class."""
    return read_image_folder(path, options.size, 1 if options.gray else None)


def _other_folder(encoder: ImageEncoder, path: str) -> Examples:
    folder = read_image_folder(path, (encoder.height, encoder.width), encoder.channels)
    return Examples(encoder.encode(folder.images), encoder.encode_labels(folder))


def _some(examples: Examples) -> Examples | None:
    return examples if len(examples) else None
