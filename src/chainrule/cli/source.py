"""What SOURCE on the command line means: the digits, a table or a folder of images, and how to read it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..data.images import SUFFIXES as IMAGE_SUFFIXES
from ..errors import CheckpointError, ConfigurationError, DataError

Kind: TypeAlias = Literal["digits", "table", "images"]
DIGITS = "digits"
NEAR = 0.75  # how alike a name must be to be offered; an equal ending alone is not enough


@dataclass(frozen=True)
class TableOptions:
    """How to read a table; the names are those of `read_table` and `TableEncoder.fit`."""

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    dates: Mapping[str, str | None] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    task: str | None = None
    decimal: str = "."
    thousands: str = ""
    drop_missing_labels: bool = False
    delimiter: str | None = None
    header: bool | None = None
    encoding: str | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """Arguments of `read_table`."""
        return {"delimiter": self.delimiter, "header": self.header, "encoding": self.encoding}

    @property
    def rules(self) -> dict[str, Any]:
        """Arguments of `TableEncoder.fit` that hold whatever the columns are."""
        names = ("missing", "task", "decimal", "thousands", "drop_missing_labels")
        return {name: getattr(self, name) for name in names}

    @property
    def columns(self) -> dict[str, Any]:
        """Arguments of `TableEncoder.fit` that say what single columns are."""
        return {name: getattr(self, name) for name in ("numbers", "categories", "dates", "ignore")}


@dataclass(frozen=True)
class ImageOptions:
    """How to read images: pixels a side (None: found out), and whether colour is left out."""

    size: int | None = None
    gray: bool = False


@dataclass(frozen=True)
class Source:
    """A data set by name, with the shares held out of training; `path` is absolute, empty for the digits."""

    kind: Kind
    path: str = ""
    target: str = ""
    test: float = 0.0
    test_file: str = ""
    validation: float = 0.0
    table: TableOptions = TableOptions()
    images: ImageOptions = ImageOptions()
    streamed: bool = False  # read as it is trained on, because it is too large for memory

    @property
    def name(self) -> str:
        """A short name for people and run directories."""
        return Path(self.path).name.split(".")[0] or "data" if self.path else DIGITS

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; tuples become lists in JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Source:
        """The inverse of `to_dict`; raises CheckpointError on anything else."""
        try:
            table = TableOptions(**{key: _tuple(value) for key, value in state["table"].items()})
            return cls(**{**state, "table": table, "images": ImageOptions(**state["images"])})
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"the saved description of the data is damaged: {error!r}") from error


def kind_of(given: str) -> Kind:
    """What a SOURCE is; raises DataError where there is nothing of that name, with near names."""
    if given == DIGITS:
        return "digits"
    path = Path(given)
    if path.is_dir():
        return "images"
    if not path.exists():
        raise DataError(_nothing_there(path))
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise DataError(
            f"{given} is a single image: expected a folder with one subfolder of images for each class, a table, "
            f"or {DIGITS!r}"
        )
    return "table"


def check_fits(kind: Kind, table: TableOptions, images: ImageOptions, target: str) -> None:
    """Refuse options that mean nothing for this kind of data."""
    what = {"digits": "the digits", "table": "a table", "images": "a folder of images"}[kind]
    if kind != "table" and target:
        raise ConfigurationError(f"--target is for tables; {what} has its classes already: leave it out")
    for options, wanted, told in ((table, "table", "tables"), (images, "images", "folders of images")):
        changed = [entry.name for entry in fields(options) if getattr(options, entry.name) != _default(options, entry)]
        if kind != wanted and changed:
            raise ConfigurationError(f"{option_name(changed[0])} is for {told}, and means nothing for {what}")


def option_name(field_name: str) -> str:
    """The command line's word for a field."""
    words = {"delimiter": "separator", "size": "image-size"}
    return "--" + words.get(field_name, field_name).replace("_", "-")


def _default(options: TableOptions | ImageOptions, entry: Any) -> Any:
    return getattr(type(options)(), entry.name)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _nothing_there(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no file or folder {path}; there is no folder {folder} either"
    names = [DIGITS, *(str(entry.relative_to(folder)) for entry in sorted(folder.iterdir()))]
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=NEAR)
    hint = (
        f"did you mean {' or '.join(str(folder / name) if name != DIGITS else name for name in near)}?"
        if near
        else (
            f"expected a table (.csv, .tsv, .parquet), a folder of images, or {DIGITS!r}, which come with the package"
        )
    )
    return f"there is no file or folder {path}; {hint}"
