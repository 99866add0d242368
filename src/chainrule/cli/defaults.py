"""What is chosen for the user: a network and settings that fit the kind and size of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from ..autocast import FLOAT32
from ..errors import ConfigurationError
from .networks import NetworkSpec, conv_spec
from .problem import Problem
from .settings import RATES, Settings
from .source import Kind

Wish = TypeVar("Wish")

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
TABLE_WIDTHS = ((300, 16), (2_000, 32), (20_000, 64))  # up to so many rows, so many units in each of two layers
WIDEST = 128
FEW, BATCH_SIZES, LARGEST_BATCH = 8_000, ((20_000, 64), (50_000, 128)), 256


@dataclass(frozen=True)
class Wishes:
    """What the user said on the command line; None where nothing was said."""

    network: str | None = None
    hidden: tuple[int, ...] | None = None
    dropout: float | None = None
    shift: int | None = None
    epochs: int | None = None
    mode: str | None = None
    batch_size: int | None = None
    optimizer: str | None = None
    lr: float | None = None
    schedule: str | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    clip_norm: float | None = None
    patience: int | None = None
    seed: int | None = None
    checkpoint_every: int | None = None
    accumulate: int | None = None
    class_weight: str | None = None
    precision: str | None = None
    memory_limit: str | None = None


@dataclass(frozen=True)
class Recipe:
    """Settings that work for one kind of data."""

    epochs: int
    batch_size: int
    lr: float  # of Adam
    schedule: str
    patience: int
    dropout: float
    shift: int
    label_smoothing: float


RECIPES: dict[Kind, Recipe] = {
    "digits": Recipe(8, 64, 4e-3, "one-cycle", patience=0, dropout=0.25, shift=1, label_smoothing=0.1),
    "images": Recipe(20, 32, 2e-3, "one-cycle", patience=0, dropout=0.25, shift=1, label_smoothing=0.1),
    "table": Recipe(200, 32, 3e-3, "constant", patience=20, dropout=0.0, shift=0, label_smoothing=0.0),
}


def choose_settings(wishes: Wishes, problem: Problem) -> Settings:
    """Settings for a problem: the user's where there are any."""
    recipe = RECIPES[problem.source.kind]
    mode = wishes.mode or ("batch" if wishes.optimizer == "lbfgs" else "mini-batch")
    optimizer = wishes.optimizer or ("adam" if mode in ("mini-batch", "batch") else "sgd")
    _check_together(wishes, mode, problem)
    return Settings(
        epochs=1 if mode == "online" else _chosen(wishes.epochs, recipe.epochs),
        mode=mode,
        batch_size=_batch_size(wishes, recipe, mode, problem.count),
        optimizer=optimizer,
        lr=_chosen(wishes.lr, _rate(optimizer, recipe, mode)),
        schedule=_schedule(wishes, recipe, mode, optimizer),
        weight_decay=_chosen(wishes.weight_decay, 0.01 if optimizer == "adamw" else 0.0),
        label_smoothing=_chosen(wishes.label_smoothing, recipe.label_smoothing if problem.is_classification else 0.0),
        clip_norm=_chosen(wishes.clip_norm, 0.0),
        patience=_chosen(wishes.patience, 0 if problem.validation is None else recipe.patience),
        seed=_chosen(wishes.seed, 0),
        checkpoint_every=_chosen(wishes.checkpoint_every, 0),
        accumulate=_chosen(wishes.accumulate, 1),
        class_weight=_chosen(wishes.class_weight, ""),
        precision=_chosen(wishes.precision, FLOAT32),
        memory_limit=_chosen(wishes.memory_limit, ""),
    )


def choose_network(wishes: Wishes, problem: Problem) -> NetworkSpec:
    """A network for a problem: its kind, else the user's; its size by the data, else the user's."""
    recipe = RECIPES[problem.source.kind]
    is_table = problem.source.kind == "table"
    name = wishes.network or ("mlp" if is_table or wishes.hidden == () else "conv")
    shift = _chosen(wishes.shift, recipe.shift if name == "conv" else 0)
    if is_table and shift:
        raise ConfigurationError("--shift moves images about; a table has none")
    dropout = _chosen(wishes.dropout, recipe.dropout if name != "linear" else 0.0)
    if name == "conv" and not is_table:
        return conv_spec(problem.input_shape, problem.outputs, wishes.hidden, dropout, shift)
    hidden = _chosen(wishes.hidden, () if name == "linear" else _widths(problem))
    return NetworkSpec(name, problem.input_shape, problem.outputs, hidden, dropout=dropout, shift=shift)


def _widths(problem: Problem) -> tuple[int, ...]:
    if problem.source.kind != "table":
        return (WIDEST,)
    rows = problem.count
    width = next((width for most, width in TABLE_WIDTHS if rows <= most), WIDEST)
    return (width, width)


def _batch_size(wishes: Wishes, recipe: Recipe, mode: str, rows: int) -> int:
    if mode == "batch":
        return rows
    if mode in ("stochastic", "online"):
        return wishes.batch_size or 1
    if wishes.batch_size is not None:
        return wishes.batch_size
    return (
        next((size for most, size in BATCH_SIZES if rows <= most), LARGEST_BATCH) if rows > FEW else recipe.batch_size
    )


def _rate(optimizer: str, recipe: Recipe, mode: str) -> float:
    if optimizer in ("adam", "adamw"):
        return recipe.lr
    return RATES[optimizer] / 5 if optimizer == "sgd" and mode in ("stochastic", "online") else RATES[optimizer]


def _schedule(wishes: Wishes, recipe: Recipe, mode: str, optimizer: str) -> str:
    if wishes.schedule is not None:
        return wishes.schedule
    return "constant" if mode == "online" or optimizer == "lbfgs" else recipe.schedule


def _check_together(wishes: Wishes, mode: str, problem: Problem) -> None:
    """Refuse wishes that exclude each other."""
    if mode in ("batch", "stochastic") and wishes.batch_size is not None:
        what = "uses all examples for each update" if mode == "batch" else "updates after every single example"
        raise ConfigurationError(f"--mode {mode} {what}: leave --batch-size out, or take --mode mini-batch")
    if mode == "online" and (wishes.epochs or 1) != 1:
        raise ConfigurationError("--mode online is one pass over a stream: leave --epochs out, or take another mode")
    if mode == "stochastic" and (wishes.accumulate or 1) != 1:
        raise ConfigurationError("--mode stochastic updates after every single example: leave --accumulate out")
    if wishes.patience and problem.validation is None:
        raise ConfigurationError("--patience needs examples to watch: give --validation, such as --validation 0.1")
    if wishes.optimizer == "lbfgs" and wishes.weight_decay:
        raise ConfigurationError("the optimizer 'lbfgs' has no weight decay: leave --weight-decay out, or take 'adam'")
    if wishes.optimizer == "lbfgs" and wishes.memory_limit:
        raise ConfigurationError(
            "--memory-limit is kept by native code only, which the optimizer 'lbfgs' can't be: leave it out, or take "
            "'adam'"
        )
    if wishes.label_smoothing and not problem.is_classification:
        raise ConfigurationError("--label-smoothing is for classes; the target here is a number")


def _chosen(wish: Wish | None, default: Wish) -> Wish:
    return default if wish is None else wish
