"""`chainrule check`: are a network's gradients right?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import COUNT, SectionCommand, option

if TYPE_CHECKING:
    from rich.console import Console

    from ..gradient_check import GradientReport
    from ..nn import Module
    from .networks import NetworkSpec

HELP = """Compare a network's gradients, which backpropagation computes by the chain rule, with central differences: the
loss a little to the right of a weight, less the loss a little to the left, over the distance. The two are found in ways
that have nothing in common, so where they agree, both are right.

\b
NETWORK is one of:
  RUN              a run directory: its network, with its weights
  conv             a small convolutional network (the default)
  4-8-3            dense layers with so many units

Every parameter is checked: all elements of small ones, random directions of large ones; second derivatives too. The
examples are random, the numbers float64.

\b
Examples:
  chainrule check runs/digits-1
  chainrule check 4-8-8-3 --order 1
"""

EXAMPLES = 2
STEP = 1e-5  # small, since ReLU and pooling have kinks that a larger step would cross


@click.command(cls=SectionCommand, help=HELP, short_help="Check a network's gradients against central differences.")
@click.argument("network", default="conv")
@option(
    "Check", "--order", type=click.IntRange(1, 2), default=2, metavar="N", help="Up to which derivative. Default 2."
)
@option(
    "Check", "--seed", type=COUNT, default=0, metavar="N", help="Decides the examples and the directions. Default 0."
)
def check(network: str, order: int, seed: int) -> None:
    """Build, check, show."""
    from .. import random
    from ..gradient_check import check_module
    from . import display

    random.manual_seed(seed)
    name, spec, module = _network(network)
    inputs, loss = _examples(spec)
    screen = display.console()
    display.heading(screen, f"Gradients of {name} against central differences, in float64")
    display.facts(screen, [("network", spec.describe())])
    module.train()
    report = check_module(module, inputs, loss, order=order, eps=STEP)
    _show(screen, report, module, order)


def _network(given: str) -> tuple[str, NetworkSpec, Module]:
    from .networks import NetworkSpec, build, dense_spec

    if Path(given).exists():
        from .runs import open_run

        opened = open_run(Path(given))
        return given, opened.record.network, opened.module
    small = NetworkSpec("conv", (1, 12, 12), 3, hidden=(8,), channels=(4,), dropout=0.25)
    spec = small if given == "conv" else dense_spec(given)
    return given, spec, build(spec)


def _examples(spec: NetworkSpec) -> tuple[Any, Any]:
    """Random inputs, and a loss with random targets."""
    from .. import random
    from ..dtypes import float64
    from ..nn import functional

    inputs = random.normal((EXAMPLES, *spec.inputs), dtype=float64)
    if spec.outputs == 1:
        numbers = random.normal((EXAMPLES, 1), dtype=float64)
        return inputs, lambda outputs: functional.mse_loss(outputs, numbers)
    classes = random.randint(0, spec.outputs, (EXAMPLES,))
    return inputs, lambda outputs: functional.cross_entropy(outputs, classes)


def _show(screen: Console, report: GradientReport, module: Module, order: int) -> None:
    """A line for each parameter, and the verdict."""
    from . import display

    heads = ("error, 1st order", "error, 2nd order")[:order]
    table = display.table("parameter", "shape", "derivatives", *heads, left=("parameter", "shape"))
    for name, parameter in module.named_parameters():
        parts = [part for part in report.parts if part.path.endswith(f".{name}")]
        shape = " x ".join(map(str, parameter.shape))
        counts = f"{sum(part.count for part in parts):,}"
        table.add_row(name, shape, counts, *(f"{part.max_relative_error:.1e}" for part in parts))
    screen.print()
    display.show(screen, table)
    screen.print()
    screen.print(f"All agree: the largest relative error is {report.max_relative_error:.1e}.", style="green")
