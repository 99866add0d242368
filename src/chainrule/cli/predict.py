"""`chainrule predict`: what a trained network says of new rows or images."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ..data import Predictions
from ..data.predictions import Label
from ..errors import ConfigurationError
from .options import SectionCommand, option

HELP = """Predict with the network of RUN what it was trained to predict, for new data.

\b
SOURCE is of the kind the run was trained on:
  a table        with the columns it was trained on (the target is not needed)
  images         files, or folders of them
  digits         the 1,500 test digits that come with the package

The answer is CSV, a line for each row or image: first the row itself or the file's name, then the prediction, for
classes with the probability of each. It is printed, or with -o put into a file, whole or not at all.

\b
Examples:
  chainrule predict runs/houses-1 new.csv -o prices.csv
  chainrule predict runs/photos-1 holiday/*.jpg
  chainrule predict runs/houses-1 new.csv --only-predictions
"""

OUTPUT = "Output"


@click.command(cls=SectionCommand, help=HELP, short_help="Say what a trained network makes of new data.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@option(
    OUTPUT, "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write here, not to the screen."
)
@option(OUTPUT, "--only-predictions", is_flag=True, help="Leave out the columns of the table given.")
def predict(run: Path, sources: tuple[str, ...], output: Path | None, only_predictions: bool) -> None:
    """Read, predict, write."""
    from ..files import write_text
    from .inputs import read_inputs
    from .runs import open_run

    opened = open_run(run)
    _check_output(output, sources)
    inputs = read_inputs(opened.record, sources)
    predictions = opened.record.encoder.decode(opened.outputs(inputs.arrays))
    columns = {} if only_predictions and "file" not in inputs.columns else inputs.columns
    text = _as_csv(list(columns), list(zip(*columns.values())), predictions)
    if output is None:
        click.echo(text.encode("utf-8"), nl=False)
        return
    write_text(output, text)
    click.echo(f"{len(predictions):,} predictions written to {output}")


def _check_output(output: Path | None, sources: Sequence[str]) -> None:
    if output is not None and any(
        Path(source).exists() and output.resolve() == Path(source).resolve() for source in sources
    ):
        raise ConfigurationError(f"{output} is the data itself: write the predictions to another file")


def _as_csv(names: Sequence[str], rows: Sequence[Sequence[str]], predictions: Predictions) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    answers = _answers(predictions)
    heads = next(answers)
    writer.writerow([*names, *(_free(head, names) for head in heads)])
    for number, answer in enumerate(answers):
        writer.writerow([*(rows[number] if rows else ()), *answer])
    return text.getvalue()


def _answers(predictions: Predictions) -> Iterator[list[str]]:
    """The heads, then each row's cells."""
    heads = ["prediction", *(f"probability {name}" for name in predictions.classes)]
    yield heads
    for row in predictions.rows():
        value, *probabilities = row.values()
        yield [_cell(value, predictions.classes), *(f"{share:.6g}" for share in probabilities)]


def _cell(value: Label, classes: Sequence[Label]) -> str:
    """A class as it was named; a number to seven digits, which is what float32 outputs hold."""
    return str(value) if classes else f"{value:.7g}"


def _free(head: str, taken: Sequence[str]) -> str:
    """A column name the table doesn't have."""
    while head in taken:
        head = f"{head} (network)"
    return head
