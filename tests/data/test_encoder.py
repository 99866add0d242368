import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data import TableEncoder, read_table, table_from_columns
from chainrule.errors import CheckpointError, ConfigurationError, DataError


def table(**columns: Any) -> Any:
    return table_from_columns(columns, "people.csv")


LABELS = list("abab")


def one_feature(values: list[Any], **options: Any) -> TableEncoder:
    return TableEncoder.fit(table(x=values, label=[str(n % 2) for n in range(len(values))]), "label", **options)


def test_numbers_are_standardised() -> None:
    values = [3.0, 7.0, 11.0, 2.5]
    x, y = one_feature(values).encode(table(x=values, label=["0", "1", "0", "1"]))
    np.testing.assert_allclose(x[:, 0], (np.array(values) - np.mean(values)) / np.std(values), rtol=1e-6)
    assert x.dtype == np.float32 and y.dtype == np.int64 and y.tolist() == [0, 1, 0, 1]


def test_huge_numbers_are_standardised_too() -> None:
    encoder = one_feature([1e300, -1e300, 1e300, -1e300])
    assert encoder.encode_features(table(x=[1e300, -1e300])).tolist() == [[1], [-1]]


@pytest.mark.parametrize("word", ["", "NA", "nan", "NaN", "null", "?", "n/a", "None", "-"])
def test_a_missing_number_becomes_the_median_and_is_marked(word: str) -> None:
    encoder = one_feature(["1", "2", word, "30"])
    x = encoder.encode_features(table(x=["2", word, "30"]))
    assert encoder.features == ("x", "x is missing")
    assert x[0, 0] == x[1, 0]  # 2 is the median
    assert x[:, 1].tolist() == [0, 1, 0]


def test_missing_only_at_prediction_becomes_the_median() -> None:
    encoder = one_feature([1.0, 2.0, 3.0, 9.0])
    x = encoder.encode_features(table(x=[None, 2.5]))
    assert x.shape == (2, 1) and x[0, 0] == x[1, 0]


def test_categories_are_one_hot_with_missing_and_unknown() -> None:
    encoder = one_feature(["red", "blue", "", "red"])
    assert encoder.features == ("x = blue", "x = red", "x is missing")
    x = encoder.encode_features(table(x=["red", "blue", "NA", "purple"]))
    assert x.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_rare_and_too_many_categories_become_another() -> None:
    words = ["common"] * 300 + ["second"] * 200 + ["once"]
    encoder = one_feature(words)
    assert encoder.features == ("x = common", "x = second", "x is another")
    assert encoder.encode_features(table(x=["once", "never"])).tolist() == [[0, 0, 1], [0, 0, 1]]
    limited = one_feature(words, category_limit=1)
    assert limited.features == ("x = common", "x is another")


def test_numbers_can_be_categories() -> None:
    encoder = one_feature([3.0, 4.0, 3.0, 4.0], categories=["x"])
    assert encoder.features == ("x = 3", "x = 4")
    assert encoder.encode_features(table(x=["4", "3.0"])).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["2024-01-01", "2024-01-31", "2024-02-29", "2024-01-01"], "iso"),
        (["2024-01-01T12:00:00", "2024-01-31", "2024-02-29 01:02", "2024-01-01"], "iso"),
        (["31.12.2023", "01.01.2024", "05.01.2024", "05.01.2024"], "%d.%m.%Y"),
        (["12/31/2023", "1/1/2024", "1/5/2024", "1/5/2024"], "%m/%d/%Y"),
        (["31/12/2023", "1/1/2024", "5/1/2024", "5/1/2024"], "%d/%m/%Y"),
    ],
)
def test_dates_are_found(cells: list[str], form: str) -> None:
    encoder = one_feature(cells)
    assert f"date ({form})" in encoder.describe()[1]
    assert encoder.encode_features(table(x=cells)).shape == (4, 5)


def test_dates_become_days_and_points_on_circles() -> None:
    cells = ["2024-01-01", "2024-01-08", "", "2024-01-15"]
    x = one_feature(cells).encode_features(table(x=cells))
    days, year, week, missing = x[:, 0], x[:, 1:3], x[:, 3:5], x[:, 5]
    np.testing.assert_allclose(days[1] - days[0], days[3] - days[1], rtol=1e-5)
    np.testing.assert_allclose(week[0], week[1], atol=1e-5)
    np.testing.assert_allclose((year[[0, 1, 3]] ** 2).sum(axis=1), 1, rtol=1e-5)
    assert missing.tolist() == [0, 0, 1, 0] and year[2].tolist() == [0, 0]


def test_columns_without_use_are_ignored_and_said() -> None:
    n = 40
    encoder = TableEncoder.fit(
        table(
            customer_id=list(range(500, 500 + n)),
            row=list(range(1, n + 1)),
            constant=["same"] * n,
            empty=[""] * n,
            note=[f"text {i}" for i in range(n)],
            asked=[float(i % 3) for i in range(n)],
            kept=[float(i % 7) for i in range(n)],
            label=["yes", "no"] * (n // 2),
        ),
        "label",
        ignore=["asked"],
    )
    assert encoder.features == ("kept",)
    reasons = encoder.ignored
    assert "identifies the rows" in reasons["customer_id"] and "numbers the rows" in reasons["row"]
    assert "same in every row" in reasons["constant"] and "every cell is missing" in reasons["empty"]
    assert "40 different texts in 40 rows" in reasons["note"] and reasons["asked"] == "as asked"
    assert any(line.startswith("note: ignored") for line in encoder.describe())


@pytest.mark.parametrize(
    ("labels", "task", "outputs"),
    [
        (["yes", "no", "no", "yes"], "classification", 2),
        ([True, False, True, True], "classification", 2),
        ([0, 1, 1, 0], "classification", 2),
        (["7", "3", "3", "7"], "classification", 2),
        ([0.5, 1.5, 0.5, 1.5], "regression", 1),
        ([1, 2, 3, 4], "regression", 1),
        ([1, 2, 3] * 3, "classification", 3),
        (list(range(10)) * 10, "classification", 10),
        (list(range(50)) * 2, "regression", 1),
    ],
)
def test_the_task_is_chosen(labels: list[Any], task: str, outputs: int) -> None:
    encoder = TableEncoder.fit(table(x=[float(i * i) for i in range(len(labels))], label=labels), "label")
    assert encoder.task == task and encoder.outputs == outputs


def test_the_task_can_be_asked_for() -> None:
    data = table(x=[1.5, 2.0, 4.0, 3.0], label=[0, 1, 1, 0])
    assert TableEncoder.fit(data, "label", task="regression").encode(data)[1].shape == (4, 1)
    few = table(x=[1.5, 2.0, 4.0, 3.0, 7.0, 9.0], label=[1, 2, 3, 1, 2, 3])
    assert TableEncoder.fit(few, "label", task="classification").outputs == 3
    assert TableEncoder.fit(few, "label", categories=["label"]).outputs == 3
    with pytest.raises(ConfigurationError, match="'classification' or 'regression', not 'ranking'"):
        TableEncoder.fit(data, "label", task="ranking")  # type: ignore[arg-type]


def test_regression_is_decoded_in_the_users_units() -> None:
    prices = [100.5, 250.25, 3000.0, 75.0]
    data = table(x=[1.0, 2.5, 3.0, 4.0], price=prices)
    encoder = TableEncoder.fit(data, "price")
    _, y = encoder.encode(data)
    assert y.shape == (4, 1) and y.dtype == np.float32
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-6)
    np.testing.assert_allclose(encoder.decode(y).values, prices, rtol=1e-5)
    assert encoder.decode(y).confidence is None


def test_classes_are_decoded_with_probabilities() -> None:
    encoder = one_feature([1.0, 2.0, 4.0, 3.5])
    outputs = np.array([[0.0, np.log(3)], [1000.0, 0.0]])
    predictions = encoder.decode(outputs)
    assert predictions.values == ("1", "0")
    np.testing.assert_allclose(predictions.probabilities, [[0.25, 0.75], [1, 0]])  # type: ignore[arg-type]
    np.testing.assert_allclose(predictions.confidence, [0.75, 1])  # type: ignore[arg-type]
    first = next(predictions.rows())
    assert first["prediction"] == "1" and list(first) == ["prediction", "probability 0", "probability 1"]


@pytest.mark.parametrize("outputs", [np.zeros((2, 3)), np.zeros(2)])
def test_outputs_of_another_shape_are_refused(outputs: Any) -> None:
    with pytest.raises(DataError, match=r"expected outputs of shape \(rows, 2\)"):
        one_feature([1.0, 2.0, 4.0, 3.5]).decode(outputs)


def test_outputs_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="not finite in 1 of the rows, the first is row 2"):
        one_feature([1.0, 2.0, 4.0, 3.5]).decode([[0, 1], [np.nan, 0]])


def test_class_order_is_by_number_then_alphabet() -> None:
    data = table(x=[float(i * i) for i in range(8)], label=["10", "9", "x", "10", "9", "x", "a", "a"])
    assert TableEncoder.fit(data, "label", task="classification").decode(np.eye(4)).classes == ("9", "10", "a", "x")


def test_a_round_trip_through_json_keeps_every_bit() -> None:
    data = table(
        x=[0.1, 1 / 3, None, 2e-300, 5.0],
        word=["u", "v", "", "u", "w"],
        day=["2024-01-01", "2024-05-06", "NA", "2023-01-01", "2023-07-08"],
        same=["s"] * 5,
        price=[1 / 7, 2.2, 3.3, 1e17, 0.3],
    )
    for target in ("price", "word"):
        chosen = data if target == "price" else table(**{**data.columns, "word": ["u", "v", "v", "u", "u"]})
        encoder = TableEncoder.fit(chosen, target, missing=["-999"], thousands="'")
        again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
        assert again == encoder
        assert np.array_equal(again.encode(chosen)[0], encoder.encode(chosen)[0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e30, 1e30)), min_size=2, max_size=12))
def test_any_numbers_round_trip(values: list[float | None]) -> None:
    labels = [str(place % 2) for place in range(len(values))]
    data = table(x=values, other=[float(p * p) for p in range(len(values))], label=labels)
    encoder = TableEncoder.fit(data, "label")
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert np.array_equal(again.encode(data)[0], encoder.encode(data)[0])
    assert np.isfinite(encoder.encode(data)[0]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": 99}, "format 99"), ({"rules": {}}, "damaged"), ({"columns": [{"kind": "odd"}]}, "damaged")],
)
def test_a_damaged_state_is_refused(change: dict[str, Any], message: str) -> None:
    state = {**one_feature([1.0, 2.0, 4.0, 3.5]).to_dict(), **change}
    with pytest.raises(CheckpointError, match=message):
        TableEncoder.from_dict(state)


def write(folder: Path, text: str) -> Any:
    path = folder / "people.csv"
    path.write_text(text)
    return read_table(path)


ROWS = "".join(f"{age},{'ab'[age % 2]}\n" for age in range(30, 41))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "age,label\n" + ROWS + "old,a\n",
            r"people.csv, column 'age': expected numbers, got 'old' in line 13 \(1 of 12",
        ),
        (
            "age,label\n1.5,a\nx,b\n2.5,a\n",
            r"expected numbers, got 'x' in line 3 .*missing=\['x'\].*categories=\['age'\]",
        ),
        ("age,label\n1.5,a\ninf,b\n2.5,a\n", r"column 'age': infinite value in line 3.*missing=\['inf'\]"),
        (
            "age,label\n1.5,a\n2,\n3,b\n4,NaN\n",
            r"target 'label' is missing in lines 3, 5 \(2 of 4 rows\).*drop_missing_labels",
        ),
        ("age,label\n1.5,\n2,\n", "the target column 'label' is empty in every row"),
        ("age,label\n1.5,a\n2,a\n", r"the target 'label' has one single class, 'a'"),
        ("age,label\n1.5,2.5\n2,2.5\n", "2.5 in every row"),
        ("age,label\n1.5,a\n2,b\n3,c\n4,d\n", "4 different classes in 4 rows"),
        ("age,label\n1,1.5\n2,inf\n5,2.5\n", "column 'label': infinite value in line 3"),
        (
            "age,label\n" + "".join(f"{n},{n}.5\n" for n in range(20)) + "20,much\n",
            "column 'label': expected numbers, got 'much'",
        ),
        ("age,label\n7,a\n7,b\n", "no column to learn from beside the target 'label': 'age' ignored: it is the same"),
        ("label\na\nb\n", "there are no others"),
        (
            'age,label\n"1,234",a\n"5,600",b\n7,a\n',
            "If the comma marks decimals, train with decimal=','; if it marks thousands",
        ),
        ("age,label\n1/2/2020,a\n3/4/2020,b\n", r"fit %m/%d/%Y and %d/%m/%Y; say which: dates=\{'age': '%m/%d/%Y'\}"),
        ("age,label\n1.5,2020-01-01\n2,2020-01-02\n3,2020-01-03\n", "3 different classes in 3 rows"),
    ],
)
def test_each_fault_of_the_data_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TableEncoder.fit(write(tmp_path, text), "label")


def test_the_ways_out_that_errors_name_work(tmp_path: Path) -> None:
    data = write(tmp_path, "age,label\n1.5,a\nx,b\n2.5,a\n")
    assert TableEncoder.fit(data, "label", missing=["x"]).features == ("age", "age is missing")
    assert TableEncoder.fit(data, "label", categories=["age"]).features == ("age = 1.5", "age = 2.5", "age = x")
    commas = write(tmp_path, 'age,label\n"1.234,5",a\n"5,6",b\n7,a\n')
    assert TableEncoder.fit(commas, "label", decimal=",", thousands=".").columns[0].scale.median == 7  # type: ignore
    dates = write(tmp_path, "age,label\n1/2/2020,a\n3/4/2020,b\n")
    assert len(TableEncoder.fit(dates, "label", dates={"age": "%d/%m/%Y"}).features) == 5


def test_rows_without_a_label_can_be_left_out(tmp_path: Path) -> None:
    data = write(tmp_path, "age,label\n1.5,a\n2,\n3,b\n4,a\n")
    encoder = TableEncoder.fit(data, "label", drop_missing_labels=True)
    x, y = encoder.encode(data)
    assert x.shape == (3, 1) and y.tolist() == [0, 1, 0]
    assert encoder.labelled(data).lines.tolist() == [2, 4, 5]
    assert encoder.encode_features(data).shape == (4, 1)
    assert TableEncoder.from_dict(encoder.to_dict()).drop_missing_labels


def test_a_wrong_target_gets_near_names(tmp_path: Path) -> None:
    data = write(tmp_path, "age,Price\n1.5,1\n2,3\n")
    with pytest.raises(DataError, match=r"people.csv has no column 'price'. Did you mean 'Price'\?"):
        TableEncoder.fit(data, "price")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"categories": ["x"], "numbers": ["x"]}, ConfigurationError, "'x' is named in both numbers and categories"),
        ({"ignore": ["y"]}, DataError, "no column 'y'"),
        ({"category_limit": 0}, ConfigurationError, "category_limit is an integer of at least 1"),
        ({"decimal": ";"}, ConfigurationError, "decimal is '.' or ','"),
        ({"dates": ["x"]}, DataError, "expected dates such as 2024-05-31, got '1'"),
    ],
)
def test_bad_wishes_are_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        one_feature([1.0, 2.0, 4.0, 3.5], **options)


def test_faults_at_prediction_are_named(tmp_path: Path) -> None:
    fitted = TableEncoder.fit(
        table(
            a=[1.5, 2.0, 4.0], b=[1.5, 2.0, 9.0], d=["2024-01-01", "2024-01-02", "2024-01-03"], label=["u", "v", "u"]
        ),
        "label",
    )
    with pytest.raises(DataError, match=r"lacks the columns 'a', 'd' that .* it has the columns 'b', 'c'"):
        fitted.encode_features(table(b=[1.0], c=[2.0]))
    day = ["2024-01-01", "soon"]
    with pytest.raises(DataError, match=r"column 'd': expected dates of the form iso, got 'soon' in row 2"):
        fitted.encode_features(table(a=[1.0, 1.0], b=[1.0, 1.0], d=day))
    with pytest.raises(DataError, match=r"column 'a': expected numbers, got 'x' in row 1"):
        fitted.encode_features(table(a=["x"], b=[1.0], d=day[:1]))
    with pytest.raises(DataError, match=r"row 1: 'b' is too large for float32"):
        fitted.encode_features(table(a=[1.0], b=[1e300], d=day[:1]))
    with pytest.raises(DataError, match=r"column 'label': 'w' in row 1 is none of the 2 classes trained on: 'u', 'v'"):
        fitted.encode(table(a=[1.0], b=[1.0], d=day[:1], label=["w"]))
    with pytest.raises(DataError, match="has no column 'label'"):
        fitted.encode(table(a=[1.0], b=[1.0], d=day[:1]))


def test_the_table_is_not_changed() -> None:
    values = np.array([1.0, np.nan, 3.0, 4.0])
    data = table(x=values, label=["a", "b", "a", "b"])
    TableEncoder.fit(data, "label").encode(data)
    np.testing.assert_array_equal(values, [1.0, np.nan, 3.0, 4.0])
    np.testing.assert_array_equal(data.column("x"), values)
