"""The options of `chainrule train` that change no bit of the result: what is kept, shown and recorded of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .options import POSITIVE, names, option

RUN = "Run"

RUN_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    option(
        RUN,
        "--run",
        "run_directory",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Where to keep the run. Default runs/NAME-N, with the next free N.",
    ),
    option(
        RUN,
        "--resume",
        type=click.Path(path_type=Path),
        metavar="RUN",
        help="Go on with a run that was stopped, from its last checkpoint and to the same bits as if it never had "
        "been. Takes no other options but --quiet, --watch, --threads and --check-finite.",
    ),
    option(
        RUN,
        "--checkpoint-every",
        type=POSITIVE,
        metavar="N",
        help="Save after every N weight updates. Default every 10 seconds; the end of each epoch is saved in any case.",
    ),
    option(
        RUN,
        "--watch",
        is_flag=True,
        help="Serve a page that shows the training as it goes, to this machine alone; its address is printed. It "
        "changes no bit of the result.",
    ),
    option(
        RUN,
        "--record",
        multiple=True,
        callback=names,
        metavar="WHAT",
        help="Record while it trains, for `explain` and `report`: credit (how much each weight contributed), "
        "flow (whether the error gets through), or both: credit,flow. Changes no bit of the result, but takes time: "
        "credit several times that of the training. --resume goes on recording.",
    ),
    option(
        RUN,
        "--tensorboard",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="FOLDER",
        help="Write event files for TensorBoard there. Needs chainrule[tensorboard].",
    ),
    option(
        RUN,
        "--check-finite",
        is_flag=True,
        help="Where the loss becomes NaN or infinite: tell the operation that made it and the example it comes from, "
        "and save a file for `chainrule replay`. Costs a few percent; it changes no bit of the result.",
    ),
    option(
        RUN,
        "--threads",
        type=POSITIVE,
        metavar="N",
        help="Cores to use at most. Default: as many as the work is worth. Changes no bit of the result, but of lbfgs.",
    ),
    option(RUN, "--quiet", "-q", is_flag=True, help="Print the results only."),
)
