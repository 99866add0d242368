"""`fit`: the whole training of a network in one call."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import nn
from ..autocast import as_precision
from ..data.weights import ClassWeight
from ..errors import CheckpointError
from ..names import name_of
from ..optim import Optimizer
from .checked_step import CheckedStep
from .checkpoint import differences
from .checks import bytes_at_most, check_numbers, check_place, check_readers, check_trained
from .compiled import compiled_steps, stays_eager
from .compiled_batches import CompiledBatches
from .early_stopping import Best, EarlyStopping, as_early_stopping
from .feed import ArrayFeed, Feed
from .feed_loader import LoaderFeed
from .feeds import Wanted, feed_of
from .history import History
from .loop import Loop
from .metrics import as_metrics
from .modes import Pace
from .progress import display_for, stopped_text
from .rates import as_rate
from .recording import Recorded, Recorder, Recorders
from .run_directory import RunDirectory
from .state import Callback
from .step import Loss, TrainingStep, as_loss


def fit(
    model: nn.Module,
    optimizer: Optimizer,
    loss: str | Loss = "cross_entropy",
    data: Any = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    *,
    mode: str = "mini-batch",
    validation: Any = None,
    metrics: Any = (),
    schedule: Any = None,
    schedule_each: str | None = None,
    early_stopping: int | EarlyStopping | None = None,
    callbacks: Sequence[Callback] = (),
    recorders: Sequence[Recorder] = (),
    seed: int = 0,
    shuffle: bool | None = None,
    clip_norm: float | None = None,
    accumulate: int = 1,
    sample_weight: Any = None,
    class_weight: ClassWeight | None = None,
    sampling: Any = None,
    run_directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    config: Mapping[str, Any] | None = None,
    checkpoint_seconds: float = 10.0,
    checkpoint_steps: int | None = None,
    compile: bool | None = None,
    threads: int | None = None,
    check_finite: bool = False,
    memory_limit: int | str | None = None,
    precision: str | None = None,
    progress: Any = True,
) -> History:
    """Train `model` on `data` and give the history of its figures.

    loss: a name ("cross_entropy", "mse", "bce_with_logits", ...), a module, or a function (outputs, targets).
    data: (inputs, targets), arrays with one row an example; a `data.loader(...)`, for data that need not fit into
        memory, images to augment, sequences in buckets; in mode "online" also any iterable of (input, target).
    batch_size: examples an update, 64 by default. epochs: passes over the data, 10 by default.
    mode: "batch", "stochastic", "mini-batch" or "online"; see `chainrule.train.MODES`.
    validation: a fraction of the data to hold out, or (inputs, targets).
    metrics: names ("accuracy", "mae", "r2") or functions (outputs, targets) -> mean over the batch.
    schedule: a name ("cosine", "one-cycle", "linear", "plateau"), a schedule, or a function (optimizer, steps);
        schedule_each says whether it moves on with each "step" or "epoch".
    early_stopping: epochs to wait for an improvement, or an EarlyStopping.
    callbacks: functions of the TrainingState, called after each epoch; one that returns "stop" ends the training.
    recorders: readers of the training, such as `cr.explain.CreditRecorder()`, `cr.explain.FlowRecorder()`,
        `cr.interop.TensorBoard("logs")`. They change no bit of the result.
    seed: of the order of examples and of the split. clip_norm: the largest length of the gradient.
    accumulate: batches for each update: their gradients are added up, as if they were one batch, which then needn't fit
        into memory. In mode "batch", the parts into which the data is cut for that.
    sample_weight: how much each example counts (n,): the loss of a batch is the weighted mean. class_weight: "balanced"
        or the weight of each class, as a dict or in order. Validation is not weighted; metrics count every example.
    sampling: how often each example is drawn: "balanced" (all classes as often), weights by class, or one number an
        example. An epoch is then as many draws as there are examples, with replacement.
    run_directory: where checkpoints go: every checkpoint_seconds (or checkpoint_steps), at the end of each epoch (of
        those in one second, one), and at Ctrl-C. With resume=True the run goes on from the last one and ends with the
        same bits as if it had never been interrupted; to go on longer than planned, resume with more epochs. Ctrl-C and
        SIGTERM end a run after the step it is in: `fit` returns, and `interrupted` of the history is True.
    config: what else to keep in config.json.
    compile: whether steps run as native code, many of them in one call; by default they do, except with L-BFGS, on
        streams, and where the network can't be traced, or counts in Python, or draws Python's or NumPy's random numbers
        (a CompileWarning says so and tells the way out; compile=True makes it an error).
    threads: how many at most; all cores by default. Native code gives the same bits for any number of threads. Without
        it the threads are those of NumPy's matrix products, one by default, because their number moves the last bits.
    check_finite: look for NaN and infinity in losses, weights and moments. The first is a NonFiniteError that
        tells the operation which made it, what it was given, which example it comes from, and a file that replays the
        step (in the run directory, if there is one). It moves no bit.
    memory_limit: bytes, or "500 MB" or "1.5 GiB", that a step may need: parameters, moments, a batch, what is computed
        with it. As few parts of the forward pass as it takes are computed again for the gradients instead of being
        kept; that may move last bits, so a run is resumed with the same limit. Native code only. ConfigurationError
        where that is not enough.
    precision: "bfloat16" rounds the operands of matrix products and convolutions to bfloat16, which processors with an
        instruction for it multiply faster; sums, weights and all else stay float32, and no loss needs scaling. See
        `cr.autocast`. Validation and metrics of it are computed in float32.
    progress: True for a bar in a terminal and a line an epoch elsewhere, False for nothing, or a display of your own.

    Raises DataError for data that can't be learned from (NaN, lengths that differ, labels out of range),
    ConfigurationError for options that can't be, CheckpointError where a run can't be resumed, DivergenceError where
    the loss is no longer finite.
    """
    check_trained(model, optimizer)
    check_numbers(clip_norm, checkpoint_seconds, checkpoint_steps=checkpoint_steps, threads=threads)
    check_readers(callbacks, recorders)
    check_place(resume, run_directory)
    chosen_loss, chosen_metrics = as_loss(loss), as_metrics(metrics)
    wanted = Wanted(batch_size, epochs, mode, shuffle, seed, accumulate, sample_weight, class_weight, sampling)
    feed, held_out, tempo = feed_of(model, data, validation, chosen_loss, wanted)
    steps = None if feed.batches is None else feed.batches * tempo.epochs
    rule = as_early_stopping(early_stopping)
    description = _describe(model, optimizer, loss, mode, tempo, seed, clip_norm, schedule, chosen_metrics, feed)
    rate = as_rate(schedule, optimizer, steps, schedule_each)  # first: it says which options will move
    limit = bytes_at_most(memory_limit, compile, feed, optimizer)
    compile = compile if limit is None else True  # only native code keeps it
    products = None if precision is None else as_precision(precision)
    at_once = tempo.at_once if tempo.accumulate > 1 else None
    training = TrainingStep(model, chosen_loss, optimizer, clip_norm, at_once, products)
    model.train()
    folder = None if run_directory is None else Path(run_directory)
    eager: Callable[..., Any] = CheckedStep(training, folder, feed) if check_finite else training
    native, step, check = None, eager, _nothing
    if isinstance(feed, ArrayFeed):
        native = compiled_steps(
            training,
            feed.arrays,
            tempo.batch_size,
            threads,
            compile,
            bool(chosen_metrics),
            check_finite,
            folder,
            limit,
        )
        check = check if native is None else native.function.check
    elif isinstance(feed, LoaderFeed) and not stays_eager(compile, training):
        step = CompiledBatches(training, eager, threads, compile is True, check_finite, folder, limit)
        check = step.function.check
    if products is not None:
        description["precision"] = products
    if limit is not None:
        description["memory_limit"] = limit
    description["threads"] = (threads or 1) if native is None and step is eager else "any"
    directory = None if run_directory is None else RunDirectory(run_directory)
    saved = directory.load() if directory is not None and resume and directory.has_checkpoint else None
    if saved is not None:
        _check_same(saved["description"], description, directory)
    elif directory is not None:
        directory.start({"fit": {**description, "epochs": tempo.epochs}, **(config or {})})
    loop = Loop(
        training=training,
        step=step,
        feed=feed,
        epochs=tempo.epochs,
        metrics=chosen_metrics,
        validation=held_out,
        rate=rate,
        best=None if rule is None else Best(rule, held_out is not None),
        callbacks=callbacks,
        display=display_for(progress),
        directory=directory,
        checkpoint_seconds=checkpoint_seconds,
        checkpoint_steps=checkpoint_steps,
        threads=threads,
        description=description,
        compiled=native,
        required=compile is True,
        recorders=Recorders(recorders),
        check=check,
        check_finite=check_finite,
    )
    if saved is not None:
        loop.load_state_dict(saved)
    pair = feed.pair if isinstance(feed, ArrayFeed) else None
    path = None if directory is None else directory.path
    loop.begin_recording(Recorded(training, pair, held_out, tempo.batch_size, tempo.epochs, path), saved)
    history = loop.run(new=saved is None)
    history.run_directory = None if directory is None else str(directory.path)
    if history.interrupted and progress is True:
        sys.stderr.write(stopped_text(loop.state.epoch + 1, loop.state.step, history.run_directory))
    return history


def _nothing() -> None:
    """Steps that run operation by operation are looked at one by one: nothing is left to check."""


def _describe(
    model: nn.Module,
    optimizer: Optimizer,
    loss: Any,
    mode: str,
    tempo: Pace,
    seed: int,
    clip_norm: float | None,
    schedule: Any,
    metrics: Sequence[Any],
    feed: Feed,
) -> dict[str, Any]:
    """What must be the same for a resumed run to be the same run."""
    return {
        "loss": _name(loss),
        "optimizer": type(optimizer).__name__,
        "schedule": _name(schedule),
        "mode": mode,
        "batch_size": tempo.batch_size,
        "shuffle": tempo.shuffle,
        "seed": int(seed),
        "clip_norm": clip_norm,
        "metrics": [metric.name for metric in metrics],
        "parameters": [[path, list(each.shape), each.dtype.name] for path, each in model.named_parameters()],
        "data": feed.fingerprint(),
        **({"accumulate": tempo.accumulate} if tempo.accumulate > 1 else {}),
    }


def _name(given: Any) -> str | None:
    """The name of a loss or schedule that is the same in another process."""
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, nn.Module):
        return repr(given)
    return name_of(given)


def _check_same(saved: dict[str, Any], here: dict[str, Any], directory: RunDirectory | None) -> None:
    found = list(differences(saved, here))
    if found and directory is not None:
        raise CheckpointError(
            f"the run in {directory.path} can't go on with these settings: {'; '.join(found)}. Resume with "
            "the settings it was started with, or start a new run in another directory"
        )
