import gzip
from pathlib import Path
from typing import Any

import pytest

from chainrule.data import read_table, stream_table
from chainrule.errors import ConfigurationError, DataError


def write(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def columns(path: Path, **options: Any) -> dict[str, list[Any]]:
    return {name: list(cells) for name, cells in read_table(path, **options).columns.items()}


PLAIN = {"name": ["ann", "bob"], "age": ["31", "4"]}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    text = "name,age\nann,31\nbob,4\n".replace(",", delimiter)
    assert columns(write(tmp_path, text)) == PLAIN


def test_a_semicolon_wins_over_decimal_commas(tmp_path: Path) -> None:
    path = write(tmp_path, "a;b\n1,5;2\n3;2,5\n1,25;7\n")
    assert columns(path) == {"a": ["1,5", "3", "1,25"], "b": ["2", "2,5", "7"]}


def test_runs_of_spaces_delimit_where_nothing_else_does(tmp_path: Path) -> None:
    assert columns(write(tmp_path, "name age\nann  31\nbob    4\n")) == PLAIN
    assert columns(write(tmp_path, "name\nann lee\nbob\n")) == {"name": ["ann lee", "bob"]}


def test_a_tsv_may_hold_commas(tmp_path: Path) -> None:
    assert columns(write(tmp_path, "a\tb\nx,y,z\t1\n", "t.tsv")) == {"a": ["x,y,z"], "b": ["1"]}


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffname,age\r\nann,31\r\nbob,4\r\n",
        "name,age\n\nann,31\n  \nbob,4",
        ' name , age\n"ann", 31\n"bob" ,4\n'.replace('" ,', '",'),
        "name,age\nann,31\nbob,4\n".encode("utf-16"),
    ],
)
def test_the_same_table_in_many_forms(tmp_path: Path, content: str | bytes) -> None:
    assert columns(write(tmp_path, content)) == PLAIN


def test_quoted_fields_hold_delimiters_quotes_and_lines(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\n"x, ""y""\nz",1\nlast,2\n')
    table = read_table(path)
    assert list(table.column("a")) == ['x, "y"\nz', "last"]
    assert table.lines.tolist() == [2, 4]


def test_gzip_is_read(tmp_path: Path) -> None:
    assert columns(write(tmp_path, gzip.compress(b"name,age\nann,31\nbob,4\n"), "t.csv.gz")) == PLAIN


def test_other_encodings_are_read_when_named(tmp_path: Path) -> None:
    path = write(tmp_path, "name,n\nJosé,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"table.csv, line 2: byte 0xe9 is no UTF-8 text; .*encoding='latin-1'"):
        read_table(path)
    assert columns(path, encoding="latin-1")["name"] == ["José"]
    with pytest.raises(ConfigurationError, match="no encoding 'klingon'"):
        read_table(path, encoding="klingon")


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        ("1,2\n3,4\n", ("column_1", "column_2"), 2),
        ("x,y\n3,4\n", ("x", "y"), 1),
        ("year,2019,2020\n5,1,2\n", ("year", "2019", "2020"), 1),
        ("red,1\nblue,2\n", ("column_1", "column_2"), 2),
        ("name,town\nann,Rome\n", ("name", "town"), 1),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", ("column_1", "column_2", "column_3"), 2),
        (",x\n1,2\n", ("column_1", "x"), 1),
    ],
)
def test_the_header_is_found(tmp_path: Path, content: str, names: tuple[str, ...], rows: int) -> None:
    table = read_table(write(tmp_path, content))
    assert table.names == names and len(table) == rows


def test_the_header_option_decides(tmp_path: Path) -> None:
    path = write(tmp_path, "red,blue\ngreen,blue\n")
    assert read_table(path).names == ("red", "blue")
    assert len(read_table(path, header=False)) == 2


def test_columns_are_picked(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,c\n1,2,3\n")
    assert read_table(path, columns=["c", "a"]).names == ("c", "a")
    with pytest.raises(DataError, match="has no column 'd'"):
        read_table(path, columns=["d"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "table.csv is empty"),
        ("\n \n", "table.csv is empty"),
        ("a,b\n", "table.csv has column names but no rows"),
        ("a,b\n1,2\n3\n", r"table.csv, line 3 has 1 fields, expected 2 as in the first line: '3'"),
        ("a,b\n1,2\n\n3,4,5\n", r"table.csv, line 4 has 3 fields, expected 2"),
        ("a,b,a\n1,2,3\n", r"column names must differ, but 'a' names columns 1, 3"),
        ('a,b\n1,"2\n3,4\n', "the row that starts on line 2: a quote is opened and never closed"),
        ('a,b\n1,"2"x\n', "the row that starts on line 2"),
        (b"a,b\n1,\x00\n", "is not text"),
        (b"PK\x03\x04rest", "an Excel or zip file, expected text"),
    ],
)
def test_what_cant_be_read_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, content))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*nowhere.csv$"):
        read_table(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="there is no folder"):
        read_table(tmp_path / "no" / "nowhere.csv")
    with pytest.raises(DataError, match="is a folder, expected a file"):
        read_table(tmp_path)


def test_a_bad_delimiter_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a delimiter is one character, not ', '"):
        read_table(write(tmp_path, "a, b\n1, 2\n"), delimiter=", ")


def test_a_stream_reads_rows_as_asked(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n" + "".join(f"{n},{n * n}\n" for n in range(7)) + "ragged\n")
    tables = stream_table(path, batch_size=3)
    first, second = next(tables), next(tables)
    assert list(first.column("b")) == ["0", "1", "4"] and second.lines.tolist() == [5, 6, 7]
    with pytest.raises(DataError, match="line 9 has 1 fields"):
        next(tables)


def test_a_stream_ends_with_what_is_left(tmp_path: Path) -> None:
    path = write(tmp_path, "a\n" + "1\n" * 250)
    assert [len(table) for table in stream_table(path, 100)] == [100, 100, 50]


def test_bad_streams_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read as Parquet"):
        next(stream_table(write(tmp_path, b"PAR1", "t.parquet")))
    with pytest.raises(ConfigurationError, match="batch_size"):
        stream_table(write(tmp_path, "a\n1\n"), 0)
    with pytest.raises(DataError, match="no file"):
        stream_table(tmp_path / "no.csv")
