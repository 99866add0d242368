import datetime
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from chainrule.data import TableEncoder, read_table
from chainrule.errors import DataError, MissingDependencyError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def write(folder: Path, columns: dict[str, object]) -> Path:
    path = folder / "table.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_each_type_becomes_number_text_or_date(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {
            "int": pyarrow.array([1, None, 3], pyarrow.int16()),
            "float": pyarrow.array([0.5, None, float("nan")], pyarrow.float32()),
            "decimal": [Decimal("1.25"), Decimal("2.50"), None],
            "bool": [True, None, False],
            "text": [" a", None, "b"],
            "dictionary": pyarrow.array(["x", "y", "x"]).dictionary_encode(),
            "date": [datetime.date(1970, 1, 2), None, datetime.date(2024, 2, 29)],
            "nothing": pyarrow.nulls(3),
        },
    )
    table = read_table(path)
    np.testing.assert_array_equal(table.column("int"), [1, np.nan, 3])
    np.testing.assert_array_equal(table.column("float"), [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(table.column("decimal"), [1.25, 2.5, np.nan])
    assert list(table.column("bool")) == ["True", "", "False"]
    assert list(table.column("text")) == ["a", "", "b"]
    assert list(table.column("dictionary")) == ["x", "y", "x"]
    assert table.column("date")[2] == np.datetime64("2024-02-29") and np.isnat(table.column("date")[1])
    assert list(table.column("nothing")) == ["", "", ""]


def test_other_types_are_left_out_and_said(tmp_path: Path) -> None:
    path = write(tmp_path, {"x": [1.0, 2.5, 3.0, 9.0], "y": list("abab"), "list": [[1], [2], [3], [4]]})
    table = read_table(path)
    assert table.names == ("x", "y")
    assert "it holds list" in TableEncoder.fit(table, "y").ignored["list"]
    with pytest.raises(DataError, match="column 'list' can't be used: it holds list"):
        read_table(path, columns=["list"])


def test_csv_and_parquet_give_the_same_arrays(tmp_path: Path) -> None:
    numbers, names, labels = [0.1, 2.5, 1e-3, 7.0], ["u", "v", "u", "w"], [0, 1, 1, 0]
    write(tmp_path, {"number": numbers, "name": names, "label": labels})
    rows = "".join(f"{n!r},{w},{k}\n" for n, w, k in zip(numbers, names, labels))
    (tmp_path / "table.csv").write_text("number,name,label\n" + rows)
    binary, text = read_table(tmp_path / "table.parquet"), read_table(tmp_path / "table.csv")
    encoder = TableEncoder.fit(binary, "label")
    x, y = encoder.encode(binary)
    text_x, text_y = encoder.encode(text)
    assert np.array_equal(x, text_x) and np.array_equal(y, text_y)
    assert encoder.decode(np.eye(2)).values == (0, 1)
    assert TableEncoder.fit(text, "label").decode(np.eye(2)).values == ("0", "1")


def test_damaged_and_empty_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"PAR1 no parquet PAR1")
    with pytest.raises(DataError, match=r"table.parquet can't be read as Parquet"):
        read_table(path)
    write(tmp_path, {"x": pyarrow.array([], pyarrow.int64())})
    with pytest.raises(DataError, match="no rows"):
        read_table(path)


def test_double_names_are_named(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    parquet.write_table(pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["x", "x"]), path)
    with pytest.raises(DataError, match="'x' comes more than once"):
        read_table(path)


def test_without_pyarrow_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, {"x": [1]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'chainrule\[parquet\]'"):
        read_table(path)
