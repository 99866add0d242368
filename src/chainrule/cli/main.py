"""The command `chainrule`: what it offers, and how its errors are told."""

from __future__ import annotations

import sys
from typing import Any

import click

from .. import __version__
from .bench import bench
from .cache import cache
from .check import check
from .evaluate import evaluate
from .explain import explain
from .export import export
from .failures import EXIT_INTERRUPTED, told_plainly
from .learn import learn
from .predict import predict
from .replay import replay
from .report import report
from .train import train

TOUR = """Train neural networks by backpropagation, and see what they learned.

\b
A first run, on 10,000 handwritten digits that come with the package:
  chainrule train digits

\b
Your own data, a table or a folder with one subfolder of images a class:
  chainrule train houses.csv --target price
  chainrule train photos/

\b
Each run is kept in a folder of its own, so that you can use it later:
  chainrule evaluate runs/houses-1                how good is it?
  chainrule predict runs/houses-1 new.csv         what about these?
  chainrule train --resume runs/houses-1          go on where it stopped
  chainrule report runs/houses-1                  what did it learn, and how? a page
  chainrule explain runs/houses-1                 which weights contributed, and how much?
  chainrule check runs/houses-1                   are its gradients right?
  chainrule export runs/houses-1 --c device       train and predict in C
  chainrule bench runs/houses-1                   how fast does it train on this machine?

\b
Backpropagation itself, every number worked out on a page:
  chainrule learn

`chainrule COMMAND --help` explains a command and each of its options.
"""


class Commands(click.Group):
    """A group whose commands tell errors plainly."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with told_plainly():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            raise SystemExit(EXIT_INTERRUPTED) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of use, not of the alphabet


@click.group(cls=Commands, help=TOUR, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="chainrule", message="%(prog)s %(version)s")
def chainrule() -> None:
    """The command line's root."""


for command in (train, evaluate, predict, report, explain, check, export, learn, bench, replay, cache):
    chainrule.add_command(command)


def main() -> None:
    """Entry point of the installed command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without some character shows `?` instead of failing
    chainrule(prog_name="chainrule")
