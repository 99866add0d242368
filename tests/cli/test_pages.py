"""Pages of results: what is on them, and that they fit the screen."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from chainrule.cli.pages import mistakes, result_page
from chainrule.cli.results import class_result, number_result


def _page(*arguments: object, show: object = result_page) -> str:
    screen = Console(file=io.StringIO(), width=80, markup=False, highlight=False, emoji=False)
    show(screen, *arguments)  # type: ignore[operator]
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def _classes(names: list[str], answers: list[int], labels: list[int]) -> str:
    counts = np.bincount(labels, minlength=len(names))
    result = class_result(np.eye(len(names))[answers], np.array(labels), tuple(names), counts)
    return _page(result, "Test", "rows")


def test_the_matrix_has_rows_of_true_classes_and_columns_of_answers() -> None:
    lines = _classes(["cat", "[dog]"], [0, 1, 1, 1], [0, 0, 1, 1]).splitlines()
    assert "Test accuracy  75.00 %   3 of 4 rows" in lines
    cells = [line.split() for line in lines if line.endswith("%")]
    assert ["cat", "1", "1", "50.0", "%"] in cells and ["[dog]", "·", "2", "100.0", "%"] in cells
    assert "  cat taken for [dog]  1 time" in lines


def test_many_classes_are_listed_the_weakest_first() -> None:
    names = [f"a class with a rather long name {number}" for number in range(30)]
    page = _classes(names, [*range(29), 0], list(range(30)))
    assert "Confusion matrix" not in page and max(map(len, page.splitlines())) <= 80
    listed = [line for line in page.splitlines() if line.startswith("  a class") and "%" in line]
    assert len(listed) == 20 and listed[0].startswith("  a class with a rather long name 29")


def test_no_mistakes_are_said_to_be_none() -> None:
    assert "No mistakes at all." in _classes(["a", "b"], [0, 1], [0, 1])


def test_an_error_no_better_than_the_mean_is_said_to_be_so() -> None:
    wanted = np.array([1.0, 2.0, 3.0])
    better = _page(number_result(wanted + 0.1, wanted, "price", 2.0), "Test")
    assert "off by 0.10000 on average; the mean, 2.0000, by 0.66667" in better
    assert "No better than always answering 2.0000" in _page(number_result(wanted + 5, wanted, "price", 2.0), "Test")


def test_the_surest_mistakes_are_drawn_and_named() -> None:
    images = np.zeros((4, 1, 28, 28))
    images[:, 0, 4:6, 4] = 1
    outputs = np.array([[0.0, 9.0], [0.0, 1.0], [3.0, 0.0], [5.0, 0.0]])
    page = _page(images, outputs, np.array([0, 0, 0, 1]), show=mistakes)
    assert page.splitlines()[-1].split() == [
        "0,",
        "taken",
        "for",
        "1",
        "1,",
        "taken",
        "for",
        "0",
        "0,",
        "taken",
        "for",
        "1",
    ]
    assert page.count("█") == 3
    assert _page(images, outputs, np.array([1, 1, 0, 0]), show=mistakes) == ""


def test_a_screen_that_knows_ascii_alone_gets_ascii_alone() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")  # strict: any other character is an error
    screen = Console(file=file, width=80, markup=False, highlight=False)
    result = class_result(np.eye(2)[[0, 1, 1]], np.array([0, 0, 1]), ("a", "b"), np.array([2, 1]))
    result_page(screen, result, "Test", "rows")
    result_page(screen, number_result(np.array([1.0, 2.0]), np.array([1.0, 3.0]), "price", 2.0), "Test")
    mistakes(screen, np.zeros((1, 1, 28, 28)), np.array([[0.0, 1.0]]), np.array([0]))
    file.flush()
    assert isinstance(file.buffer, io.BytesIO) and b"variance explained (R2)" in file.buffer.getvalue()
