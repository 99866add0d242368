"""`chainrule train`: learn from the digits, a table or a folder of images; or go on with a run."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigurationError, DataError
from .defaults import TEST_SHARE, VALIDATION_SHARE, Wishes
from .options import SectionCommand
from .source import ImageOptions, Source, TableOptions, check_fits, kind_of
from .train_options import train_options

HELP = """Train a network on SOURCE, and show what it has learned.

\b
SOURCE is one of:
  digits         10,000 real handwritten digits that come with the package
  FILE           a table (.csv, .tsv, .parquet); say which column to
                 predict with --target
  FOLDER/        images, one subfolder for each class

The network and all settings are chosen to fit the data; every option has a default that works, so start with none. What
is chosen is printed, and kept with the weights in the run directory.

\b
Examples:
  chainrule train digits
  chainrule train houses.csv --target price
  chainrule train houses.csv --target price --ignore id,notes --hidden 64,64
  chainrule train photos/ --image-size 48 --epochs 40
  chainrule train digits --record credit,flow
  chainrule train --resume runs/digits-1
"""


@click.command(
    cls=SectionCommand, help=HELP, short_help="Train a network on the digits, a table or a folder of images."
)
@click.argument("source", required=False)
@train_options
@click.pass_context
def train(
    ctx: click.Context,
    /,
    source: str | None,
    resume: Path | None,
    quiet: bool,
    watch: bool,
    threads: int | None,
    check_finite: bool,
    **given: Any,
) -> None:
    """Start a run, or resume one."""
    from . import training
    from .recording import Records

    how = training.How(quiet, watch, threads, check_finite)
    if resume is not None:
        _check_alone(ctx)
        training.resume(resume, how)
        return
    if source is None:
        raise click.UsageError("say what to train on, such as `chainrule train digits`", ctx)
    wishes = Wishes(**{entry.name: given[entry.name] for entry in fields(Wishes)})
    records = Records(given["record"], str(given["tensorboard"] or ""))
    training.start(_source(source, given), wishes, given["run_directory"], how, records)


def _source(given_source: str, given: dict[str, Any]) -> Source:
    from .streamed import is_streamed

    kind = kind_of(given_source)
    own_names = (
        "numbers",
        "categories",
        "dates",
        "ignore",
        "missing",
        "task",
        "decimal",
        "thousands",
        "header",
        "encoding",
    )
    table = TableOptions(
        **{name: given[name] for name in own_names},
        drop_missing_labels=given["drop_missing_labels"],
        delimiter=_unescaped(given["separator"]),
    )
    images = ImageOptions(given["image_size"], given["gray"])
    check_fits(kind, table, images, given["target"])
    if kind == "digits" and (given["test"] is not None or given["test_file"]):
        raise ConfigurationError("the digits have a fixed test set of 1,500: leave --test and --test-file out")
    if kind == "table" and not given["target"]:
        raise DataError(_which_target(given_source, table))
    if given["test_file"] and given["test"]:
        raise ConfigurationError("give either --test or --test-file, not both")
    test = 0.0 if kind == "digits" or given["test_file"] else TEST_SHARE if given["test"] is None else given["test"]
    return Source(
        kind,
        "" if kind == "digits" else str(Path(given_source).resolve()),
        given["target"],
        test,
        str(Path(given["test_file"]).resolve()) if given["test_file"] else "",
        VALIDATION_SHARE if given["validation"] is None else given["validation"],
        table,
        images,
        streamed=kind == "table" and is_streamed(given_source, given["mode"]),
    )


def _unescaped(separator: str | None) -> str | None:
    return {"tab": "\t", "\\t": "\t"}.get(separator, separator) if separator else separator


def _which_target(path: str, options: TableOptions) -> str:
    from ..data import read_table

    table = read_table(path, **options.reading)
    shown = ", ".join(map(repr, table.names[:30])) + (", ..." if len(table.names) > 30 else "")
    return f'say which column to predict, such as --target "{table.names[-1]}"; {table.source} has the columns {shown}'


def _check_alone(ctx: click.Context) -> None:
    """A resumed run keeps what it was started with: with other settings it would be another run."""
    kept = ("resume", "quiet", "watch", "threads", "check_finite")
    asked = [name for name in ctx.params if name not in kept and _was_given(ctx, name)]
    if asked:
        word = "SOURCE" if asked[0] == "source" else option_words(ctx, asked[0])
        raise ConfigurationError(
            f"--resume goes on with the data and settings of the run, so leave {word} out; "
            "to change settings, start a new run without --resume"
        )


def _was_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def option_words(ctx: click.Context, name: str) -> str:
    """The option as the user types it."""
    return next(parameter.opts[0] for parameter in ctx.command.params if parameter.name == name)
