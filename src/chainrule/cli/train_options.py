"""The options of `chainrule train`: what each does, when to change it, an example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autocast import PRECISIONS
from .networks import NAMES as NETWORKS
from .options import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    RATE,
    SHARE,
    Decorated,
    dates,
    names,
    one_of,
    option,
    sizes,
)
from .run_options import RUN_OPTIONS
from .settings import MODES, OPTIMISERS, SCHEDULES

DATA, TABLES, IMAGES = "Data", "Tables", "Images"
NETWORK, LEARNING = "Network", "Learning"

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    option(
        DATA, "--target", default="", metavar="COLUMN", help="The column of the table to predict. Needed for tables."
    ),
    option(
        DATA,
        "--test",
        type=SHARE,
        metavar="SHARE",
        help="Share of the examples kept out of training, to measure the result by at the end. Default 0.2; 0 keeps "
        "none. The digits have a fixed test set. The split depends on the data alone, so that runs can be compared.",
    ),
    option(DATA, "--test-file", default="", metavar="PATH", help="A table or folder to test on instead of --test."),
    option(
        DATA,
        "--validation",
        type=SHARE,
        metavar="SHARE",
        help="Share of the training examples only watched during training, to stop in time and keep the best weights. "
        "Default 0.1.",
    ),
    option(
        TABLES,
        "--categories",
        multiple=True,
        callback=names,
        metavar="COLUMNS",
        help="Columns that hold names though they look like numbers, such as postal codes: --categories zip,type",
    ),
    option(TABLES, "--numbers", multiple=True, callback=names, metavar="COLUMNS", help="Columns that hold numbers."),
    option(
        TABLES,
        "--dates",
        multiple=True,
        callback=dates,
        metavar="COLUMNS",
        help="Columns that hold dates, with their form where it isn't clear: --dates sold=%d/%m/%Y",
    ),
    option(
        TABLES,
        "--ignore",
        multiple=True,
        callback=names,
        metavar="COLUMNS",
        help="Columns to leave out: identifiers, remarks, and what is only known after the target is: --ignore "
        "id,notes",
    ),
    option(
        TABLES,
        "--missing",
        multiple=True,
        callback=names,
        metavar="WORDS",
        help="More words that stand for an empty cell, beside NA, null, ? and the like: --missing -999,unknown",
    ),
    option(
        TABLES,
        "--drop-missing-labels",
        is_flag=True,
        help="Leave out rows without a target, instead of asking you to fill them in.",
    ),
    option(
        TABLES,
        "--task",
        callback=one_of("task", ("classification", "regression")),
        metavar="TASK",
        help="classification or regression, where the target's cells mislead: text and few whole numbers are taken for "
        "classes, other numbers for amounts.",
    ),
    option(TABLES, "--separator", metavar="SIGN", help="What separates the columns; found out where not given."),
    option(TABLES, "--decimal", default=".", metavar="SIGN", help="The decimal mark, '.' or ','. Default '.'."),
    option(TABLES, "--thousands", default="", metavar="SIGN", help="The mark between thousands, if there is one."),
    option(TABLES, "--header/--no-header", default=None, help="Whether the first line names the columns; found out."),
    option(TABLES, "--encoding", metavar="NAME", help="The file's encoding, such as latin-1. Default UTF-8."),
    option(
        IMAGES,
        "--image-size",
        type=POSITIVE,
        metavar="PIXELS",
        help="Bring all images to this height and width. Default: the size most of them have, at most 64. Larger shows "
        "the network more and takes longer.",
    ),
    option(IMAGES, "--gray", is_flag=True, help="Leave out the colours, where they tell nothing."),
    option(
        IMAGES,
        "--shift",
        type=COUNT,
        metavar="PIXELS",
        help="Move training images about at random by up to so many pixels, so that the place doesn't matter. Default "
        "1, 0 for networks other than conv.",
    ),
    option(
        NETWORK,
        "--network",
        callback=one_of("network", NETWORKS),
        metavar="NAME",
        help="conv (convolutions, the default for images), mlp (dense layers, the default for tables), or linear (no "
        "hidden layer: a good first comparison).",
    ),
    option(
        NETWORK,
        "--hidden",
        callback=sizes,
        metavar="SIZES",
        help="Units in each hidden dense layer: --hidden 64,64 is two layers. More units learn finer detail, and need "
        "more data. Default by the number of rows.",
    ),
    option(
        NETWORK,
        "--dropout",
        type=SHARE,
        metavar="SHARE",
        help="Share of hidden units switched off at random in each update. Raise it where the network does much "
        "better in training than in validation. Default 0.25 for images, 0 for tables.",
    ),
    option(
        LEARNING,
        "--epochs",
        type=POSITIVE,
        metavar="N",
        help="Passes over the training examples. Default 8 for the digits, 20 for images, at most 200 for tables.",
    ),
    option(
        LEARNING,
        "--mode",
        callback=one_of("mode", MODES),
        metavar="NAME",
        help="How many examples a weight update looks at: mini-batch (some; the default), batch (all of them), "
        "stochastic (one), or online (as they come, in one pass).",
    ),
    option(
        LEARNING,
        "--batch-size",
        type=POSITIVE,
        metavar="N",
        help="Examples in a mini-batch. Larger ones make steadier, fewer updates; then raise --lr too.",
    ),
    option(
        LEARNING,
        "--accumulate",
        type=POSITIVE,
        metavar="N",
        help="Add up the gradients of N batches for each update: as one batch N times as large, in the memory of one. "
        "Default 1.",
    ),
    option(
        LEARNING,
        "--class-weight",
        metavar="WEIGHTS",
        help="Let classes count differently: balanced makes rare ones count as much as common ones, and so are weights "
        "of your own: --class-weight sick=5,healthy=1",
    ),
    option(
        LEARNING,
        "--optimizer",
        callback=one_of("optimizer", OPTIMISERS),
        metavar="NAME",
        help=f"The rule of the weight update: {', '.join(OPTIMISERS)}. Default adam; sgd for stochastic and online.",
    ),
    option(
        LEARNING,
        "--lr",
        type=RATE,
        metavar="RATE",
        help="The learning rate, how far an update moves the weights. Lower it where the loss jumps about or grows, "
        "raise it where it hardly falls.",
    ),
    option(
        LEARNING,
        "--schedule",
        callback=one_of("schedule", SCHEDULES),
        metavar="NAME",
        help="How the learning rate goes over the run: one-cycle (up, then down; the default for images), cosine "
        "(down), step (a tenth after each third), plateau (a fifth when validation stands still), warm-up, constant.",
    ),
    option(LEARNING, "--weight-decay", type=NOT_NEGATIVE, metavar="X", help="Pull weights towards zero. Try 1e-4."),
    option(
        LEARNING,
        "--label-smoothing",
        type=SHARE,
        metavar="SHARE",
        help="Keep the network from being too sure of classes. Default 0.1 for images, 0 for tables.",
    ),
    option(
        LEARNING,
        "--clip-norm",
        type=NOT_NEGATIVE,
        metavar="X",
        help="Shorten gradients longer than this, where the loss leaps. Try 1. Default 0: never.",
    ),
    option(
        LEARNING,
        "--precision",
        callback=one_of("precision", PRECISIONS),
        metavar="NAME",
        help="What products are taken in. With bfloat16 what is multiplied keeps 8 bits of precision, sums and weights "
        "all of theirs: faster where the processor has an instruction for it. Default float32.",
    ),
    option(
        LEARNING,
        "--memory-limit",
        metavar="SIZE",
        help="Memory that an update may need, such as 500MB or 1.5GiB: its weights, their moments, a batch, all that "
        "is computed with it. As little as it takes is computed again for the gradients instead of being kept.",
    ),
    option(
        LEARNING,
        "--patience",
        type=COUNT,
        metavar="N",
        help="Stop after so many epochs without a better validation loss, and go back to the best weights. 0 never "
        "stops. Default 20 for tables, else 0.",
    ),
    option(
        LEARNING,
        "--seed",
        type=COUNT,
        metavar="N",
        help="Decides the first weights, the order of the examples and the dropout: the same seed gives the same "
        "network, bit by bit. Default 0.",
    ),
    *RUN_OPTIONS,
)


def train_options(command: Decorated) -> Decorated:
    """Put all options on a command."""
    for add in reversed(OPTIONS):
        command = add(command)
    return command
