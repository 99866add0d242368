"""A training run from beginning to end: prepare, introduce, learn, judge, show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from .. import nn, random
from ..autocast import FLOAT32
from ..data import loader
from ..files import write_json
from ..train import EarlyStopping, History, Metric, Recorder, fit, predict
from ..train.progress import Display
from . import directories, display, pages
from .baseline import Baseline, judge
from .class_weight import class_weight_of
from .defaults import Wishes, choose_network, choose_settings
from .failures import EXIT_INTERRUPTED
from .introduction import introduction
from .losses import loss_of
from .networks import build, weight_count
from .optimisers import make_optimizer, make_schedule
from .problem import Encoder, Problem, load, number_target
from .progress import TrainingProgress
from .record import Record
from .recording import Records, recorders
from .runs import judged_by, load_unchanged
from .settings import Settings
from .source import Source

RESULT_FILE = "result.json"
NOTHING = Records()


@dataclass(frozen=True)
class How:
    """How a run is made: what moves no bit of it, and may differ when it is resumed."""

    quiet: bool = False
    watch: bool = False
    threads: int | None = None
    check_finite: bool = False


@dataclass(frozen=True, eq=False)
class Training:
    """A run about to begin or to go on, its network with the first weights of its seed."""

    record: Record
    problem: Problem
    module: nn.Module
    path: Path
    how: How
    recorders: Sequence[Recorder] = ()


def start(
    source: Source,
    wishes: Wishes,
    directory: Path | None,
    how: How,
    records: Records = NOTHING,
) -> None:
    """A new run. Its directory is made only when all has been understood, so that a mistake leaves nothing behind."""
    directories.check_free(directory)
    problem = load(source)
    network, settings = choose_network(wishes, problem), choose_settings(wishes, problem)
    record = Record(source, settings, network, problem.encoder, Baseline.of(problem), problem.fingerprint())
    module = _seeded(record)
    make_optimizer(settings, module)  # these tell what is wrong with the settings
    class_weight_of(settings, problem)
    readers = recorders(records, problem, settings, weight_count(module))
    path = directories.make(directory, source.name)
    with directories.removed_if_nothing_began(path):
        record.write(path)
        records.write(path)
        _run(Training(record, problem, module, path, how, readers), resume=False)


def resume(path: Path, how: How) -> None:
    """Go on from the last checkpoint; from the beginning, where the run was stopped before the first."""
    record = Record.read(path)
    problem = load_unchanged(record)
    module = _seeded(record)
    readers = recorders(Records.read(path), problem, record.settings, weight_count(module))
    _run(Training(record, problem, module, path, how, readers), resume=True)


def _seeded(record: Record) -> nn.Module:
    random.manual_seed(record.settings.seed)
    return build(record.network)


def _run(training: Training, resume: bool) -> None:
    quiet = display.console(training.how.quiet)
    introduction(quiet, training.record, training.problem, weight_count(training.module), training.path)
    metric, heading = _metric(training.problem.encoder)
    headings = {"loss": "loss", metric.name if isinstance(metric, Metric) else metric: heading}
    if training.problem.validation is not None:
        headings |= {f"val_{name}": f"val. {text}" for name, text in headings.items()}
    progress = TrainingProgress(quiet, headings)
    with watched(training, progress, display.console()) as shown:
        history = _fitted(training, metric, shown, resume)
        if history.interrupted:
            _say_how_to_go_on(display.console(), training.path, len(history))
            raise SystemExit(EXIT_INTERRUPTED)
        if not progress.has_begun:
            display.console().print("\nThis run was finished already. Its result:")
        elif history.best_epoch is not None:
            why = "Stopped early" if history.stopped_early else "Done"
            quiet.print(f"  {why}: epoch {history.best_epoch} was the best, its weights are kept.", style="dim")
        _show_result(display.console(), training)


@contextmanager
def watched(training: Training, progress: TrainingProgress, screen: Console) -> Iterator[Display]:
    """The display to train with: the one given, or with --watch one that also fills a page."""
    if not training.how.watch:
        yield progress
        return
    from .watching import watching

    with watching(training.record, training.path, progress, screen) as watch:
        yield watch


def _fitted(training: Training, metric: str | Metric, progress: Display, resume: bool) -> History:
    problem, settings = training.problem, training.record.settings
    return fit(
        training.module,
        make_optimizer(settings, training.module),
        loss=loss_of(problem, settings),
        data=data_of(problem, settings),
        batch_size=None if settings.mode in ("batch", "stochastic") or problem.streamed else settings.batch_size,
        epochs=settings.epochs,
        mode=settings.mode,
        validation=problem.validation.pair if problem.validation else None,
        metrics=(metric,),
        schedule=make_schedule(settings),
        early_stopping=EarlyStopping(settings.patience) if settings.patience else None,
        clip_norm=settings.clip_norm or None,
        accumulate=settings.accumulate,
        class_weight=class_weight_of(settings, problem),
        seed=settings.seed,
        run_directory=training.path,
        resume=resume,
        checkpoint_steps=settings.checkpoint_every or None,
        threads=training.how.threads,
        check_finite=training.how.check_finite,
        memory_limit=settings.memory_limit or None,
        precision=None if settings.precision == FLOAT32 else settings.precision,
        progress=progress,
        recorders=training.recorders,
    )


def data_of(problem: Problem, settings: Settings) -> Any:
    """What `fit` is given: arrays, or rows as they are read."""
    if problem.streamed is None:
        return problem.training.pair
    return loader(problem.streamed.training, settings.batch_size)


def _metric(encoder: Encoder) -> tuple[str | Metric, str]:
    """What to watch beside the loss, and its heading: accuracy, or the mean error in the target's own units."""
    target = number_target(encoder)
    if target is None:
        return "accuracy", "accuracy"
    deviation = target.scale.deviation

    def total(outputs: Any, targets: Any) -> list[float]:
        return [float(np.abs(outputs.astype(np.float64) - targets).sum()) * deviation]

    return Metric("error", total, lambda sums, count: float(sums[0]) / count, larger_is_better=False), "error"


def _show_result(screen: Console, training: Training) -> None:
    record, kind = training.record, training.record.source.kind
    title, examples = judged_by(training.problem)
    outputs = predict(training.module, examples.inputs)
    result = judge(record.encoder, outputs, examples.targets, record.baseline)
    write_json(training.path / RESULT_FILE, {"measured_on": title.lower(), **result.to_dict()})
    pages.result_page(screen, result, title, pages.things(kind))
    if kind == "digits":
        pages.mistakes(screen, examples.inputs, outputs, examples.targets)
    _show_next_steps(screen, training)


def _show_next_steps(screen: Console, training: Training) -> None:
    path = training.path
    new = {"digits": "digits", "table": "NEW.csv", "images": "FOLDER"}[training.record.source.kind]
    steps = [
        (f"chainrule predict {path} {new} -o answers.csv", "answers one by one"),
        (f"chainrule evaluate {path}", "this test again"),
        (f"chainrule check {path}", "check its gradients"),
    ]
    display.heading(screen, f"Kept in {path}. What next?")
    display.commands(screen, steps)


def _say_how_to_go_on(screen: Console, path: Path, epochs: int) -> None:
    screen.print(f"\nStopped after {display.count(epochs, 'whole epoch')}. All is saved; to go on from here:")
    display.commands(screen, [(f"chainrule train --resume {path}", "")])
