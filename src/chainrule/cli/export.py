"""`chainrule export`: a trained network for programs without Chainrule, or without Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from ..errors import ConfigurationError
from .options import POSITIVE, SectionCommand, SectionOption, option

HELP = """Write the network of RUN in a form that other programs use.

\b
--onnx FILE  the network in ONNX, for other runtimes; batches of any size
--c DIR      an object file and its C header: a whole training step (forward
             pass, gradients, weight update) and the prediction, for devices
             without Python

Inputs are as the network sees them: tables and images scaled as in training. Outputs are the network's own, before
softmax.

\b
Examples:
  chainrule export runs/digits-1 --onnx digits.onnx
  chainrule export runs/digits-1 --c device
  chainrule export runs/digits-1 --c device --target aarch64
"""

C = "C"


@click.command(cls=SectionCommand, help=HELP, short_help="Write a network for ONNX, or for C.")
@click.pass_context
@click.argument("run", type=click.Path(path_type=Path))
@option("ONNX", "--onnx", "onnx", type=click.Path(path_type=Path), metavar="FILE", help="Write this file.")
@option(
    C,
    "--c",
    "c",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write NAME.o, NAME.h and an example.",
)
@option(C, "--name", default="network", metavar="NAME", help="Of the files and functions. Default network.")
@option(C, "--batch-size", type=POSITIVE, metavar="N", help="Examples an update. Default: as in the run.")
@option(
    C,
    "--target",
    default="host",
    metavar="NAME",
    help="host (the default), x86-64, x86-64-v2 to v4, aarch64, or a triple of LLVM's.",
)
@option(C, "--cpu", metavar="NAME", help="LLVM's name of the processor.")
@option(C, "--features", default="", metavar="LIST", help="LLVM's names: +avx2,+fma.")
@option(C, "--weights-apart", is_flag=True, help="Put the weights into NAME.state, not into the object file.")
def export(
    ctx: click.Context,
    run: Path,
    onnx: Path | None,
    c: Path | None,
    name: str,
    batch_size: int | None,
    target: str,
    cpu: str | None,
    features: str,
    weights_apart: bool,
) -> None:
    """Open the run, write what was asked for."""
    from ..interop import c as to_c
    from ..interop import onnx as to_onnx
    from .exported import c_routines, example
    from .runs import open_run

    if c is None and onnx is None:
        raise ConfigurationError("say what to write: --onnx FILE, --c DIR, or both")
    if c is None:
        _refuse_what_is_for_c(ctx)
    opened = open_run(run)
    if onnx is not None:
        _tell([to_onnx.export(opened.module, example(opened, 1), onnx, input_names=["inputs"])])
    if c is not None:
        routines = c_routines(opened, batch_size or opened.record.settings.batch_size)
        embed = not weights_apart
        _tell(to_c.export(c, routines, name=name, target=target, cpu=cpu, features=features, embed=embed))


def _refuse_what_is_for_c(ctx: click.Context) -> None:
    """Options that do nothing without --c are a mistake, which is told."""
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and isinstance(parameter, SectionOption) and parameter.section == C:
            raise ConfigurationError(f"{parameter.opts[0]} is for C, and means nothing without --c DIR")


def _tell(files: Sequence[Path]) -> None:
    for file in files:
        click.echo(f"{file}  ({file.stat().st_size:,} bytes)")
