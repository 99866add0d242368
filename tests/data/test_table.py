import numpy as np
import pytest

from chainrule.data import Table, table_from_columns
from chainrule.errors import DataError

TABLE = table_from_columns(
    {
        "n": [1, None, 3],
        "flag": [True, False, None],
        "word": ["a ", "b", None],
        "day": np.array(["2024-01-01", "NaT", "2024-01-03"], dtype="datetime64[D]"),
        "array": np.arange(3, dtype=np.int8),
    },
    "people",
)


def test_sequences_become_cells() -> None:
    np.testing.assert_array_equal(TABLE.column("n"), [1, np.nan, 3])
    assert list(TABLE.column("flag")) == ["True", "False", ""]
    assert list(TABLE.column("word")) == ["a", "b", ""]
    assert TABLE.column("day").dtype.kind == "M" and TABLE.column("array").dtype == np.float64
    assert len(TABLE) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("N", "Did you mean 'n'"),
        ("wrod", "Did you mean 'word'"),
        ("zzzz", "columns 'n', 'flag', 'word', 'day', 'array'"),
    ],
)
def test_a_wrong_name_gets_near_ones(given: str, message: str) -> None:
    with pytest.raises(DataError, match=f"people has no column '{given}'.*{message}"):
        TABLE.column(given)


def test_rows_are_named_by_line_where_there_are_lines() -> None:
    table = Table({"x": np.arange(9.0)}, "t.csv", lines=np.arange(9) + 2)
    assert table.places([0]) == "line 2"
    assert table.places([1, 3]) == "lines 3, 5"
    assert table.places(range(8)) == "lines 2, 3, 4, 5, 6 and 3 more"
    assert table.rows(np.array([4, 6])).places([1]) == "line 8"
    assert TABLE.places([2]) == "row 3"


@pytest.mark.parametrize("columns", [{}, {"a": [1], "b": [1, 2]}])
def test_columns_must_be_of_one_length(columns: dict[str, list[int]]) -> None:
    with pytest.raises(DataError, match="columns of one length"):
        table_from_columns(columns)


def test_a_column_is_one_dimensional() -> None:
    with pytest.raises(DataError, match=r"column 'x' has shape \(2, 2\)"):
        table_from_columns({"x": np.zeros((2, 2))})


def test_a_guessed_missing_header_is_said() -> None:
    with pytest.raises(DataError, match="The first line holds data, no column names"):
        Table({"column_1": np.arange(2.0)}, header_found=False).column("price")
