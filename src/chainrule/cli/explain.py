"""`chainrule explain`: how much each weight contributed to the error, and whether the error gets through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..errors import CheckpointError, OutOfRangeError
from .options import SectionCommand, option

if TYPE_CHECKING:
    from rich.console import Console

    from ..reports.contents import Trained
    from ..reports.credit_record import Credit
    from ..reports.flow_record import Flow, FlowRow

HELP = """Say of the network of RUN which layers and weights made the loss fall (credit), whether the error gets back to
every layer (gradient flow), or, with --sample, how the error of one example travels back to every weight.

Credit is Loss Change Allocation: the change of the loss divided among the weights, in parts that add up to it.

\b
Examples:
  chainrule explain runs/digits-1
  chainrule explain runs/digits-1 --sample 17
"""

WEIGHTS = 10


@click.command(cls=SectionCommand, help=HELP, short_help="Say which weights contributed to the error, and how.")
@click.argument("run", type=click.Path(path_type=Path))
@option(
    "Explain",
    "--sample",
    type=click.IntRange(0),
    metavar="N",
    help="Work out example N of those the run is judged on, counted from 0.",
)
@option("Explain", "--top", type=click.IntRange(1), default=WEIGHTS, metavar="N", help="So many weights. Default 10.")
def explain(run: Path, sample: int | None, top: int) -> None:
    """Read, explain, show."""
    from ..reports.run_explanations import credit_of, flow_of
    from . import display
    from .contents import read_contents

    contents = read_contents(run)
    trained = contents.trained
    if trained is None:
        raise CheckpointError(f"{run} has no trained network yet")
    if sample is not None:
        click.echo(_worked_out(trained, sample))
        return
    screen = display.console()
    found, how = credit_of(trained, run)
    if found is None:
        click.echo("The weights have not moved: nothing to explain yet.")
        return
    _show_credit(screen, found, how, top)
    _show_flow(screen, flow_of(trained, run)[0])


def _worked_out(trained: Trained, row: int) -> str:
    from ..reports.run_explanations import sample_of
    from . import display

    judged = trained.judged
    count = 0 if judged is None else len(judged.inputs)
    if judged is None or row >= count:
        known = display.count(count, "example")
        raise OutOfRangeError(f"--sample {row}: the run is judged on {known}, numbered from 0 to {count - 1}")
    return str(sample_of(trained, judged, row))


# -- credit


def _show_credit(screen: Console, credit: Credit, how: str, top: int) -> None:
    from . import display

    display.heading(screen, "How much each layer contributed: negative made the loss fall, positive made it rise")
    made = display.table("layer", "kind", "weights", "credit", "share", left=("layer", "kind"))
    for layer, part in credit.by_layer().items():
        made.add_row(*_layer_row(credit, layer, part))
    display.show(screen, made)
    display.facts(screen, _facts(credit))
    screen.print(how.format(rows=credit.probe_size).strip(), style="dim", highlight=False)
    display.heading(screen, "The weights that contributed most")
    made = display.table("weight", "place", "credit", left=("weight",))
    for name, place, part in _largest(credit, top):
        made.add_row(name, str(list(place)), f"{part:+.3g}")
    display.show(screen, made)


def _layer_row(credit: Credit, layer: str, part: float) -> tuple[str, ...]:
    own = [number for number, name in enumerate(credit.layers) if name == layer]
    size = sum(credit.weights[credit.names[number]].size for number in own)
    share = f"{part / credit.change:.1%}" if credit.change else "-"
    return layer or "(the network)", credit.kinds[own[0]], f"{size:,}", f"{part:+.5g}", share


def _facts(credit: Credit) -> list[tuple[str, str]]:
    every = np.concatenate([credit.weights[n].ravel() for n, kept in zip(credit.names, credit.trained) if kept])
    kinds = [(every < 0).mean(), (every > 0).mean(), (every == 0).mean()]
    return [
        ("loss", f"{credit.loss_before:.6g} to {credit.loss_after:.6g}, a change of {credit.change:+.6g}"),
        ("sum of credits", f"{credit.total:+.6g}; {credit.relative_residual:.1e} of the change is left over"),
        ("weights", "{:.1%} helped, {:.1%} hurt, {:.1%} did nothing".format(*kinds)),
    ]


def _largest(credit: Credit, top: int) -> list[tuple[str, tuple[int, ...], float]]:
    found: list[tuple[str, tuple[int, ...], float]] = []
    for name in credit.names:
        parts: Any = credit.weights[name]
        for flat in np.argsort(-np.abs(parts), axis=None, kind="stable")[:top]:
            place = tuple(map(int, np.unravel_index(flat, parts.shape)))
            found.append((name, place, float(parts[place])))
    return sorted(found, key=lambda each: -abs(each[2]))[:top]


# -- gradient flow


def _show_flow(screen: Console, flow: Flow) -> None:
    from . import display

    step = flow.steps[-1]
    display.heading(screen, "Does the error get through? Root mean square of each layer's cotangent; norms")
    made = display.table("layer", "kind", "cotangent", "gradient", "weights", "zero", "dead", left=("layer", "kind"))
    for row in flow.at(step):
        made.add_row(row.layer or "(the network)", row.kind, *map(_shown, _columns(row)))
    display.show(screen, made)
    for finding in flow.findings:
        screen.print(f"{finding.layer}: {finding.problem}. {finding.what}; {finding.advice}", highlight=False)
    if not flow.findings:
        screen.print("Nothing vanishes, explodes, is dead or saturated.", highlight=False)


def _columns(row: FlowRow) -> tuple[Any, ...]:
    return row.cotangent_size, row.gradient_norm, row.weight_norm, row.zero_share, row.dead_units


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
