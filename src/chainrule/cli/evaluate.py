"""`chainrule evaluate`: how good a trained network is, on its own test examples or on others."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .options import SectionCommand, option

HELP = """Measure the network of RUN, on the test examples kept out of its training, or on SOURCE.

SOURCE is of the kind the run was trained on, and has the answers in it: a table with the target column, a folder with
one subfolder for each class, or `digits` for the test digits.

\b
Examples:
  chainrule evaluate runs/houses-1
  chainrule evaluate runs/houses-1 sales-of-june.csv
  chainrule evaluate runs/digits-1 --json > result.json
"""


@click.command(cls=SectionCommand, help=HELP, short_help="Measure a trained network.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source", required=False)
@option("Output", "--json", "as_json", is_flag=True, help="Print the measures as JSON, for other programs.")
def evaluate(run: Path, source: str | None, as_json: bool) -> None:
    """Read, measure, show."""
    from . import display
    from .baseline import judge
    from .inputs import read_examples
    from .pages import result_page, things
    from .runs import open_run

    opened = open_run(run)
    record = opened.record
    title, examples = ("", read_examples(record, source)) if source else opened.held_out()
    result = judge(record.encoder, opened.outputs(examples.inputs), examples.targets, record.baseline)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
        return
    result_page(display.console(), result, title or f"{source}:", things(record.source.kind))
