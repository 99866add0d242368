"""The training loop: epochs of steps, figures, checkpoints. Everything that moves the bits is in `state_dict`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import random, tree
from ..errors import TraceError
from ..ir.types import NumpyArray
from ..optim.schedules.base import current_rate
from ..tensor import Tensor
from .compiled import CompiledSteps, warn_eager
from .diverged import diverged
from .early_stopping import Best
from .evaluate import explain, figures
from .feed import ArrayFeed, Feed
from .history import History, Row
from .interrupts import StopRequest
from .metrics import Metric, Totals, arrays_of
from .progress import Display
from .rates import Rate
from .recording import Recorded, Recorders
from .run_directory import RunDirectory
from .state import Callback, TrainingState
from .step import TrainingStep
from .threads import product_threads

VALIDATED = 256  # examples that go through the network at once in validation
SHORT_EPOCH = 1.0  # seconds: epochs that are shorter don't each write a checkpoint


@dataclass
class Loop:
    """One run, from where it stands to its end. step: takes one batch, where `compiled` doesn't take many.

    required: whether native code is asked for, so that a network that can't be traced (any more) is an error.
    check: raises NonFiniteError where weights are spoiled that no step has looked at yet.
    """

    training: TrainingStep
    step: Callable[..., tuple[Tensor, Any]]
    feed: Feed
    epochs: int
    metrics: Sequence[Metric]
    validation: tuple[NumpyArray, NumpyArray] | None
    rate: Rate
    best: Best | None
    callbacks: Sequence[Callback]
    display: Display
    directory: RunDirectory | None
    checkpoint_seconds: float
    checkpoint_steps: int | None
    threads: int | None
    description: dict[str, Any]
    compiled: CompiledSteps | None = None
    required: bool = False
    recorders: Recorders = field(default_factory=lambda: Recorders(()))
    check: Callable[[], None] = lambda: None
    check_finite: bool = False

    def __post_init__(self) -> None:
        self.state = TrainingState(self.training.model, self.training.optimizer, History())
        self.totals = Totals(self.metrics)
        self.best_weights: dict[str, NumpyArray] | None = None
        self.seconds = 0.0
        self.ended = False
        self._saved_at = self._resumed_at = time.monotonic()

    # -- running

    def begin_recording(self, run: Recorded, saved: Mapping[str, Any] | None) -> None:
        """Show recorders the run, from where it stands; saved: the checkpoint it goes on from."""
        self.recorders.begin(run, self.state.step)
        if saved is not None:
            self.recorders.load_state_dict(saved.get("recorders", {}))

    def run(self, *, new: bool = True) -> History:
        """Train until the last epoch, early stopping, a callback, or Ctrl-C; a new run saves where it starts from.

        From the first file to the last, signals wait for the end of a step: whoever sees a file may ask it to stop.
        """
        self._saved_at = self._resumed_at = time.monotonic()
        with StopRequest() as request, product_threads(self.threads or 1):
            try:
                if new:
                    self.save()
                while self.state.epoch < self.epochs and not self.ended:
                    if not self._finish_epoch(request):
                        return self._interrupted()
                return self._completed()
            finally:
                self.display.close()

    def _finish_epoch(self, request: StopRequest) -> bool:
        """The steps of this epoch that are still to do, and its end; False if a signal came first."""
        self.display.begin_epoch(self.state.epoch + 1, self.epochs, self.feed.batches, self.feed.done())
        self.training.model.train()
        for _ in self._steps():
            if request.asked:
                return False
            if self._checkpoint_is_due():
                self.save()
        self._end_epoch()
        return not request.asked or self.state.epoch >= self.epochs

    def _steps(self) -> Iterator[None]:
        """Those of this epoch that are still to do."""
        if self.compiled is not None:
            try:
                yield from self._native_steps()
                return
            except TraceError as error:  # something has changed, and now the network can't be traced
                if self.required:
                    raise
                warn_eager(error, stacklevel=5)
                self.compiled = None
        yield from self._single_steps()

    def _single_steps(self) -> Iterator[None]:
        """One step after the other; between them the run can be stopped or saved."""
        for arrays in self.feed.epoch():
            loss, outputs = self.step(*tree.map(Tensor, arrays))
            self._require_finite(loss.item())
            self.rate.after_step()
            self._count(loss.item(), arrays_of(outputs) if self.metrics else None, *arrays[1:])
            self.recorders.after(self.state.step - 1, self.state.step, self.state.epoch + 1, (loss.item(),))
            yield

    def _native_steps(self) -> Iterator[None]:
        """Many steps in one native call."""
        assert self.compiled is not None and isinstance(self.feed, ArrayFeed)
        while True:
            size = self.feed.next_size()
            order = self.feed.rows(self._steps_at_most(self.compiled.most(size)) if size else 0)
            if not len(order):
                return
            rows = min(size, len(order))
            losses, outputs = self.compiled.run(order, rows, self.rate.after_step if self.rate.each_step else None)
            before = self.state.step
            self._count_steps(losses, outputs, order, rows)
            self.recorders.after(before, self.state.step, self.state.epoch + 1, losses.tolist())
            yield

    def _count_steps(self, losses: NumpyArray, outputs: Any, order: NumpyArray, rows: int) -> None:
        """What `_count` does, for the steps of one native call."""
        finite = np.isfinite(losses)
        if not finite.all():
            first = int(np.argmin(finite))
            self.state.step += first
            self._require_finite(float(losses[first]))
        self.state.step += len(losses)
        wanted = None
        assert isinstance(self.feed, ArrayFeed)
        if outputs is not None:
            targets = self.feed.arrays[1]
            wanted = targets[order].reshape(len(losses), rows, *targets.shape[1:])
        amounts = self.feed.weights_of(order, rows)
        self.totals.add_batches(losses.tolist(), rows, outputs, wanted, amounts)
        self.display.batch(self.feed.done(), self.totals.figures())

    def _steps_at_most(self, most: int) -> int:
        """So many that nothing is passed over that is due after some number of steps: a checkpoint, a look."""
        most = self.recorders.steps_to_look(self.state.step, most)
        if self.directory is None or self.checkpoint_steps is None:
            return most
        return min(most, self.checkpoint_steps - self.state.step % self.checkpoint_steps)

    def _require_finite(self, error: float) -> None:
        if not math.isfinite(error):
            place = f"epoch {self.state.epoch + 1}, step {self.state.step + 1}"
            raise diverged(error, place, self.training.optimizer, self.directory)

    def _count(self, error: float, outputs: Any, targets: NumpyArray, weights: NumpyArray | None = None) -> None:
        self.state.step += 1
        self.totals.add(error, outputs, targets, None if weights is None else float(weights.sum(dtype=np.float64)))
        self.display.batch(self.feed.done(), self.totals.figures())

    def _end_epoch(self) -> None:
        self.check()
        row: Row = {"epoch": self.state.epoch + 1, "step": self.state.step, **self.totals.figures()}
        if self.validation is not None:
            step = self.training
            row |= figures(step.model, *self.validation, step.loss, self.metrics, VALIDATED, "val_")
            if self.check_finite and not math.isfinite(row["val_loss"]):
                folder = None if self.directory is None else self.directory.path
                explain(step.model, self.validation, step.loss, VALIDATED, folder)
        row["lr"] = current_rate(self.training.optimizer.param_groups[0])
        row["seconds"] = self._elapsed()
        self.state.row, self.state.epoch = row, self.state.epoch + 1
        self.state.history.rows.append(row)
        self.totals = Totals(self.metrics)
        self.rate.after_epoch(row["val_loss"] if self.validation is not None else row["loss"])
        self._judge(row)
        self.display.end_epoch(row)
        self.recorders.end_epoch(row)
        self._call_back()
        if self._epoch_is_worth_saving():
            self.save()

    def _judge(self, row: Row) -> None:
        if self.best is None:
            return
        if self.best.see(self.state.epoch, row):
            self.best_weights = self.training.model.state_dict()
        self.ended = self.ended or self.best.is_over

    def _call_back(self) -> None:
        for callback in self.callbacks:
            self.ended = callback(self.state) == "stop" or self.ended

    def _elapsed(self) -> float:
        return self.seconds + time.monotonic() - self._resumed_at

    # -- ending

    def _interrupted(self) -> History:
        self.state.history.interrupted = True
        self.save()
        return self.state.history

    def _completed(self) -> History:
        history = self.state.history
        history.stopped_early = self.ended and self.state.epoch < self.epochs
        if self.best is not None:
            history.best_epoch = self.best.epoch or None
        if best := self._weights_to_keep():
            self.training.model.load_state_dict(best)
        return history

    # -- saving and restoring

    def _checkpoint_is_due(self) -> bool:
        if self.directory is None:
            return False
        if self.checkpoint_steps is not None:
            return self.state.step % self.checkpoint_steps == 0
        return time.monotonic() - self._saved_at >= self.checkpoint_seconds

    def _epoch_is_worth_saving(self) -> bool:
        """Epochs of a tiny data set end many times a second: then writing files would take longer than training."""
        last = self.ended or self.state.epoch >= self.epochs
        waited = time.monotonic() - self._saved_at
        return last or self.checkpoint_steps is not None or waited >= min(SHORT_EPOCH, self.checkpoint_seconds)

    def save(self) -> None:
        """Write a checkpoint, the weights and the figures; which moments it is done at moves no bit."""
        if self.directory is None:
            return
        self.check()
        self.directory.save(self.state_dict())
        self.directory.save_model(self._weights_to_keep() or self.training.model.state_dict(copy=False))
        self.directory.save_history(self.state.history)
        self.recorders.save()
        self._saved_at = time.monotonic()

    def _weights_to_keep(self) -> dict[str, NumpyArray] | None:
        return self.best_weights if self.best is not None and self.best.rule.restore_best else None

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on with the same bits, to be written at once: arrays are not copied."""
        return {
            "description": self.description,
            "epoch": self.state.epoch,
            "step": self.state.step,
            "data": self.feed.state_dict(),
            "model": self.training.model.state_dict(copy=False),
            "optimizer": self.training.optimizer.state_dict(copy=False),
            "schedule": self.rate.schedule.state_dict() if self.rate.schedule else None,
            "random": random.default_generator.get_state(),
            "totals": self.totals.state_dict(),
            "best": self.best.state_dict() if self.best else None,
            "best_weights": self.best_weights,
            "rows": self.state.history.rows,
            "seconds": self._elapsed(),
            "ended": self.ended,
            "recorders": self.recorders.state_dict(),
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on where `saved` was taken. The description must have been compared before."""
        self.state.epoch, self.state.step = int(saved["epoch"]), int(saved["step"])
        self.feed.load_state_dict(saved["data"])
        self.training.model.load_state_dict(saved["model"])
        self.training.optimizer.load_state_dict(saved["optimizer"])
        if self.rate.schedule is not None and saved["schedule"] is not None:
            self.rate.schedule.load_state_dict(saved["schedule"])
        random.default_generator.set_state(np.asarray(saved["random"]))
        self.totals.load_state_dict(saved["totals"])
        if self.best is not None and saved["best"] is not None:
            self.best.load_state_dict(saved["best"])
        self.best_weights = saved["best_weights"]
        self.state.history.rows = list(saved["rows"])
        self.seconds, self.ended = float(saved["seconds"]), bool(saved["ended"])
