"""Numbers as people read them, and lines that fit the screen."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from chainrule.cli import display


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (7513.42, "7,513.4"),
        (250_000.0, "250,000"),
        (0.98765, "0.98765"),
        (0.00123456, "0.0012346"),
        (1.5e-9, "1.5e-09"),
        (-12.3456, "-12.346"),
        (float("nan"), "-"),
        (float("inf"), "inf"),
    ],
)
def test_number_keeps_five_digits(value: float, text: str) -> None:
    assert display.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (41.7, "42 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7860, "2 h 11 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert display.duration(seconds) == text


def test_percent_and_count() -> None:
    assert display.percent(0.98765, 2) == "98.77 %"
    assert display.percent(float("nan")) == "-"
    assert [display.count(n, "row") for n in (0, 1, 1500)] == ["0 rows", "1 row", "1,500 rows"]
    assert display.count(2, "class", "classes") == "2 classes"


def _screen(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)


def _printed(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_commands_stay_whole_on_their_line_however_narrow_the_screen() -> None:
    screen = _screen(40)
    command = "chainrule predict runs/a-very-long-name-1 other-houses.csv -o prices.csv"
    display.commands(screen, [(command, "what about these?")])
    assert f"  {command}\n" in _printed(screen)


def test_names_with_brackets_are_shown_as_they_are() -> None:
    screen = _screen()
    made = display.table("class", left=("class",))
    made.add_row("[bold]x[/bold] :smile:")
    display.show(screen, made)
    assert "[bold]x[/bold] :smile:" in _printed(screen)


def test_nothing_leaves_blanks_at_the_end_of_a_line() -> None:
    screen = _screen()
    display.facts(screen, [("network", "dense 10"), ("run", "runs/digits-1")])
    assert all(line == line.rstrip() for line in _printed(screen).splitlines())


def test_long_names_are_shortened() -> None:
    assert display.label("x" * 40, 10) == "xxxxxxx..."
    assert display.label(3, 10) == "3"
