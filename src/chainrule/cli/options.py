"""Options of commands: grouped under headings in the help, with lists and names that explain their own errors."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import click

from ..errors import UnknownNameError, unknown_name

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Callback: TypeAlias = Callable[[click.Context, click.Parameter, Any], Any]

HELP_COLUMN = 26
RANGE = re.compile(r"\s*\[[^\]]*\bx[<>][^\]]*\]$")  # what click adds to limits, such as [0<=x<1]: not for people

SHARE = click.FloatRange(0, 1, max_open=True)
COUNT = click.IntRange(min=0)
POSITIVE = click.IntRange(min=1)
RATE = click.FloatRange(min=0, min_open=True)
NOT_NEGATIVE = click.FloatRange(min=0)


class SectionOption(click.Option):
    """An option that knows its heading in the help."""

    def __init__(self, *arguments: Any, section: str = "Options", **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.section = section


class SectionCommand(click.Command):
    """A command whose help has its options under headings, in the order they were declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                name, text = record
                sections.setdefault(getattr(parameter, "section", "Help"), []).append((name, RANGE.sub("", text)))
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records, col_max=HELP_COLUMN)


def option(section: str, *names: str, **keywords: Any) -> Callable[[Decorated], Decorated]:
    """`click.option` under a heading."""
    return click.option(*names, cls=SectionOption, section=section, **keywords)


def one_of(kind: str, known: Sequence[str]) -> Callback:
    """One of several names; a misspelt one is answered with the nearest."""

    def check(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value is None or value.lower().replace("_", "-") in known:
            return value if value is None else value.lower().replace("_", "-")
        try:
            raise unknown_name(kind, value, known)
        except UnknownNameError as error:
            raise click.BadParameter(str(error), ctx, parameter) from error

    return check


def names(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Names with commas between them, the option given once or more; one that holds a comma stands in double quotes."""
    fields = [field.strip() for row in csv.reader(values, skipinitialspace=True) for field in row]
    return tuple(dict.fromkeys(field for field in fields if field))


def sizes(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Whole numbers above 0 with commas between them: `64,64`."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        message = f"{value!r} is not a list of sizes: expected whole numbers above 0, such as 64 or 64,32"
        raise click.BadParameter(message, ctx, parameter)
    return tuple(int(part) for part in parts)


def dates(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str | None]:
    """`born`, or `born=%d.%m.%Y`: column name -> form."""
    parts = [entry.partition("=") for entry in names(ctx, parameter, values)]
    return {name: form if equals else None for name, equals, form in parts}
