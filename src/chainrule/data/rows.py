"""The rows of a text table, one by one as they are read, each with the line it starts on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..errors import ConfigurationError, DataError
from .sniff import find_delimiter, has_header

if TYPE_CHECKING:
    from typing import TextIO

Row: TypeAlias = tuple[int, list[str]]  # the line it starts on, its fields

SAMPLE_CHARACTERS = 64_000
SAMPLE_ROWS = 100
BYTE_ORDER_MARKS_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
UTF_8 = "utf-8-sig"  # takes UTF-8 with and without a byte order mark
MAGIC_NUMBERS = (
    (b"PK\x03\x04", "an Excel or zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"%PDF", "a PDF"),
)


@contextmanager
def open_rows(
    file: Path, delimiter: str | None, header: bool | None, encoding: str | None
) -> Iterator[tuple[tuple[str, ...], Iterator[Row], bool]]:
    """The column names, and the rows below them one by one, each checked to have as many fields."""
    encoding = encoding or _find_encoding(file)
    try:
        with _open_text(file, encoding) as text:
            sample = text.read(SAMPLE_CHARACTERS)
            _check_sample(file, sample)
            delimiter = delimiter or find_delimiter(sample, file.suffix)
            text.seek(0)
            rows = _rows(file, text, delimiter)
            head = [row for _, row in zip(range(SAMPLE_ROWS), rows)]
            if header is None:
                header = has_header([fields for _, fields in head])
            names = _names(file, head[0][1], header)
            below = head[1:] if header else head
            yield names, _checked(file, names, _chain(below, rows), delimiter), header
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file.name}{_undecodable_line(file, encoding)}: byte {error.object[error.start]:#04x} is no "
            f"{'UTF-8' if encoding == UTF_8 else encoding} text; "
            "give the file's encoding, such as encoding='latin-1' or 'cp1252', or save it as UTF-8"
        ) from error
    except (OSError, EOFError) as error:
        raise DataError(f"{file.name} can't be read: {error}") from error


def _open_text(file: Path, encoding: str) -> TextIO:
    try:
        if file.suffix.lower() == ".gz":
            import gzip

            return gzip.open(file, "rt", encoding=encoding, newline="")
        return file.open(encoding=encoding, newline="")
    except LookupError as error:
        raise ConfigurationError(f"there is no encoding {encoding!r}; try 'utf-8', 'latin-1' or 'cp1252'") from error


def _undecodable_line(file: Path, encoding: str) -> str:
    content = file.read_bytes()
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f", line {line}"
    return ""


def _find_encoding(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            start = opened.read(4)
    except OSError as error:
        raise DataError(f"{file.name} can't be read: {error}") from error
    for magic, kind in MAGIC_NUMBERS:
        if start.startswith(magic):
            raise DataError(f"{file.name} is {kind}, expected text (CSV, TSV) or Parquet: save it as CSV")
    return "utf-16" if start.startswith(BYTE_ORDER_MARKS_UTF_16) else UTF_8


def _check_sample(file: Path, sample: str) -> None:
    if not sample.strip():
        raise DataError(f"{file.name} is empty: expected a line of column names and rows below it")
    if "\0" in sample:
        raise DataError(f"{file.name} is not text (it holds zero bytes): expected CSV, TSV or Parquet")


def _rows(file: Path, text: TextIO, delimiter: str) -> Iterator[Row]:
    """Rows that are not blank, with their first line. `strict` makes an unclosed quote an error, not one huge field."""
    import csv

    try:
        reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True)
    except TypeError as error:
        raise ConfigurationError(f"a delimiter is one character, not {delimiter!r}") from error
    first_line = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield first_line, [field.strip() for field in fields]
            elif len(fields) > 1:
                yield first_line, [""] * len(fields)
            first_line = reader.line_num + 1
    except csv.Error as error:
        reason = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
        raise DataError(f"{file.name}, the row that starts on line {first_line}: {reason}") from error


def _names(file: Path, fields: list[str], header: bool) -> tuple[str, ...]:
    names = [name if header and name else f"column_{number}" for number, name in enumerate(fields, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        places = "; ".join(
            f"{name!r} names columns {', '.join(str(i) for i, other in enumerate(names, 1) if other == name)}"
            for name in twice
        )
        raise DataError(f"{file.name}: column names must differ, but {places}: rename them in the first line")
    return tuple(names)


def _checked(file: Path, names: tuple[str, ...], rows: Iterable[Row], delimiter: str) -> Iterator[Row]:
    for line, fields in rows:
        if len(fields) != len(names):
            shown = delimiter.replace("\t", "tab").join(fields)
            raise DataError(
                f"{file.name}, line {line} has {len(fields)} fields, expected {len(names)} as in the first line: "
                f"{shown[:80]!r}; a field that holds the delimiter {delimiter!r} must be quoted"
            )
        yield line, fields


def _chain(first: Iterable[Row], second: Iterable[Row]) -> Iterator[Row]:
    yield from first
    yield from second
