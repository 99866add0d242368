"""`chainrule replay`: run a step again in which something was not finite, value by value."""

from __future__ import annotations

from pathlib import Path

import click

from .options import SectionCommand, option

HELP = """Run a step again that was saved because something in it was NaN or infinite, and tell which operation made it.

FILE is what `chainrule train --check-finite`, `fit(..., check_finite=True)` or a function compiled with
check_finite=True saved: the program of the step, the examples, and the weights before it. It is run by NumPy, one
operation after the other.

\b
Examples:
  chainrule replay runs/houses-1/not-finite-1.npz
  chainrule replay not-finite-1.npz --program | less
"""


@click.command(cls=SectionCommand, help=HELP, short_help="Run a step again that was not finite, and tell why.")
@click.argument("file", type=click.Path(path_type=Path))
@option("Show", "--program", is_flag=True, help="Print every operation of the step, with the line it comes from.")
def replay(file: Path, program: bool) -> None:
    """Load, run, tell."""
    from ..finite import replay as run_again
    from ..finite.replay import described
    from .failures import in_command_words

    step, trail = run_again(file)
    if program:
        click.echo(str(step.graph))
        click.echo()
    click.echo(in_command_words(described(step, trail)))
