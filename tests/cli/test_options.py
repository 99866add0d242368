"""Lists, names and dates as the command line takes them."""

from __future__ import annotations

import click
import pytest

from chainrule.cli.options import dates, names, one_of, sizes

CONTEXT = click.Context(click.Command("x"))
OPTION = click.Option(["--x"])


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((), ()),
        (("a,b", "c"), ("a", "b", "c")),
        ((" a , b ",), ("a", "b")),
        (('"a, b",c',), ("a, b", "c")),
        (("a,a", "a,"), ("a",)),
    ],
)
def test_names(given: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert names(CONTEXT, OPTION, given) == found


def test_sizes() -> None:
    assert sizes(CONTEXT, OPTION, "64, 32") == (64, 32)
    assert sizes(CONTEXT, OPTION, None) is None
    for wrong in ("", "a", "3,", "-1", "0", "1.5", "²"):
        with pytest.raises(click.BadParameter, match="not a list of sizes"):
            sizes(CONTEXT, OPTION, wrong)


def test_dates_with_and_without_a_form() -> None:
    assert dates(CONTEXT, OPTION, ("a,b=%d.%m.%Y",)) == {"a": None, "b": "%d.%m.%Y"}


def test_names_of_a_list_in_any_case_and_with_underscores() -> None:
    check = one_of("mode", ("mini-batch", "batch"))
    assert check(CONTEXT, OPTION, "Mini_Batch") == "mini-batch"
    assert check(CONTEXT, OPTION, None) is None
    with pytest.raises(click.BadParameter, match="no mode named 'bach'; did you mean 'batch'"):
        check(CONTEXT, OPTION, "bach")
