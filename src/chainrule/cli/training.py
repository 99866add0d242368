"""A training run from beginning to end: prepare, introduce, learn, judge, show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from .. import nn, random
from ..data import TableEncoder
from ..data.target import NumberTarget
from ..interop.atomic import write_json
from ..train import EarlyStopping, History, fit
from ..train.evaluate import predict
from ..train.metrics import Metric
from . import directories, display, pages
from .baseline import Baseline, judge
from .defaults import Wishes, choose_network, choose_settings
from .failures import EXIT_INTERRUPTED
from .introduction import introduction
from .networks import build, weight_count
from .optimisers import make_optimizer, make_schedule
from .problem import Encoder, Problem, load
from .progress import TrainingProgress
from .record import Record
from .runs import judged_by, load_unchanged
from .settings import Settings
from .source import Source

RESULT_FILE = "result.json"


def start(source: Source, wishes: Wishes, directory: Path | None, quiet: bool) -> None:
    """A new run. The directory is made only when everything has been understood."""
    directories.check_free(directory)
    problem = load(source)
    network, settings = choose_network(wishes, problem), choose_settings(wishes, problem)
    record = Record(source, settings, network, problem.encoder, Baseline.of(problem), problem.fingerprint())
    module = _seeded(record)
    make_optimizer(settings, module)  # tells what is wrong with the settings before anything is written
    run = directories.make(directory, source.name)
    record.write(run)
    introduction(display.console(quiet), record, problem, weight_count(module), run)
    _learn(record, problem, module, run, quiet, resume=False)


def resume(run: Path, quiet: bool) -> None:
    """Go on from the last checkpoint; from the beginning, where the run was stopped before the first."""
    record = Record.read(run)
    problem = load_unchanged(record)
    module = _seeded(record)
    introduction(display.console(quiet), record, problem, weight_count(module), run)
    _learn(record, problem, module, run, quiet, resume=True)


def _seeded(record: Record) -> nn.Module:
    """The network with the first weights of the run's seed."""
    random.manual_seed(record.settings.seed)
    return build(record.network)


def _learn(record: Record, problem: Problem, module: nn.Module, run: Path, quiet: bool, resume: bool) -> None:
    history = _fitted(record, problem, module, run, quiet, resume)
    screen = display.console()
    if history.interrupted:
        screen.print(f"\nStopped after {display.count(len(history), 'epoch')}. Everything so far is saved; to go on:")
        display.commands(screen, [(f"chainrule train --resume {run}", "")])
        raise SystemExit(EXIT_INTERRUPTED)
    if history.best_epoch is not None:
        why = "Stopped early" if history.stopped_early else "Done"
        screen.print(f"  {why}: epoch {history.best_epoch} was the best, its weights are kept.", style="dim")
    _judge(record, problem, module, run, screen)


def _fitted(record: Record, problem: Problem, module: nn.Module, run: Path, quiet: bool, resume: bool) -> History:
    settings = record.settings
    optimizer = make_optimizer(settings, module)
    metric, heading = _metric(problem.encoder)
    headings = {"loss": "loss", metric.name if isinstance(metric, Metric) else metric: heading}
    if problem.validation is not None:
        headings |= {f"val_{name}": f"val. {text}" for name, text in headings.items()}
    return fit(
        module,
        optimizer,
        loss=_loss(problem, settings),
        data=problem.training.pair,
        batch_size=None if settings.mode in ("batch", "stochastic") else settings.batch_size,
        epochs=settings.epochs,
        mode=settings.mode,
        validation=problem.validation.pair if problem.validation else None,
        metrics=(metric,),
        schedule=make_schedule(settings),
        early_stopping=EarlyStopping(settings.patience) if settings.patience else None,
        seed=settings.seed,
        run_directory=run,
        resume=resume,
        checkpoint_steps=settings.checkpoint_every or None,
        progress=TrainingProgress(display.console(quiet), headings),
        clip_norm=settings.clip_norm or None,
    )


def _loss(problem: Problem, settings: Settings) -> nn.Module:
    if problem.is_classification:
        return nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    return nn.MSELoss()


def _metric(encoder: Encoder) -> tuple[str | Metric, str]:
    """What to watch beside the loss: accuracy, or the mean error in the target's own units."""
    if not isinstance(encoder, TableEncoder) or not isinstance(encoder.target, NumberTarget):
        return "accuracy", "accuracy"
    deviation = encoder.target.scale.deviation

    def total(outputs: Any, targets: Any) -> list[float]:
        return [float(np.abs(outputs.astype(np.float64) - targets).sum()) * deviation]

    return Metric("error", total, lambda sums, count: float(sums[0]) / count, larger_is_better=False), "error"


def _judge(record: Record, problem: Problem, module: nn.Module, run: Path, screen: Console) -> None:
    title, examples = judged_by(problem)
    outputs = predict(module, examples.inputs)
    result = judge(record.encoder, outputs, examples.targets, record.baseline)
    write_json(run / RESULT_FILE, {"examples": title.lower(), **result.to_dict()})
    pages.result_page(screen, result, title, pages.things(record.source.kind))
    if record.source.kind == "digits":
        pages.mistakes(screen, examples.inputs, outputs, examples.targets)
    _next_steps(screen, record, run)


def _next_steps(screen: Console, record: Record, run: Path) -> None:
    new = {"digits": "digits", "table": "NEW.csv", "images": "FOLDER"}[record.source.kind]
    display.heading(screen, f"Kept in {run}. What next?")
    display.commands(
        screen,
        [
            (f"chainrule predict {run} {new} -o answers.csv", "answers one by one"),
            (f"chainrule evaluate {run}", "this test again"),
            (f"chainrule check {run}", "check its gradients"),
        ],
    )
