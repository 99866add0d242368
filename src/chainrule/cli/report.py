"""`chainrule report`: all that is known of a run, as one page."""

from __future__ import annotations

from pathlib import Path

import click

from .options import SectionCommand, option

HELP = """Write a page about RUN: one HTML file that needs no server and no network.

It shows the curves, the confusion matrix or the residuals, the worst mistakes, whether the error gets through, which
weights did it, one example worked out back to every weight, the computation graph, memory and time of a training step,
and what repeats the run.

\b
Examples:
  chainrule report runs/digits-1
  chainrule report runs/digits-1 -o digits.html --open
"""


@click.command(cls=SectionCommand, help=HELP, short_help="Write a page that shows what a run learned, and how.")
@click.argument("run", type=click.Path(path_type=Path))
@option(
    "Output",
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it. Default: report.html in the run directory.",
)
@option("Output", "--open/--no-open", "show", default=False, help="Open it in your browser. Default: no.")
def report(run: Path, output: Path | None, show: bool) -> None:
    """Read, look, write."""
    from .. import __version__
    from ..reports.run_page import FILE, write_page
    from .contents import read_contents

    path = write_page(read_contents(run), output or run / FILE, __version__)
    click.echo(f"{path}  ({path.stat().st_size / 2**20:.1f} MB)")
    if show:
        click.launch(str(path.resolve()))
