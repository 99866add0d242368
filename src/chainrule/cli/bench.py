"""`chainrule bench`: how fast does a network train on this machine, and how near is that to what the processor can?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError
from .options import POSITIVE, RATE, SectionCommand, option

if TYPE_CHECKING:
    from .bench_steps import Measured, Workload

HELP = """Time training steps on this machine, one thread and all: forward pass, loss, backward pass and weight update.

\b
NETWORK is one or more of:
  RUN                   a run directory: its network, optimiser and batch
  conv                  the network for the digits that come along
  784-256-10        dense layers with so many units
Left out: xor (2-2-1, in batches of 4), 784-256-10 and conv.

The examples are random numbers. A step is the best of many. "of peak" compares the multiplications and additions of
products and convolutions with the most that this processor does, which is measured first. Memory is what the program
needs. "first" is the time from the first call to the end of its step, compiled; "cached" with the code found on disk.

\b
Examples:
  chainrule bench
  chainrule bench runs/digits-1 --threads 4
  chainrule bench conv 4-8-3 --batch-size 256
"""

DEFAULT = ("2-2-1", "784-256-10", "conv")
FEW, MANY = 4, 64


@click.command(cls=SectionCommand, help=HELP, short_help="Time training steps on this machine.")
@click.argument("networks", nargs=-1, metavar="[NETWORK]...")
@option("Bench", "--threads", type=POSITIVE, metavar="N", help="Threads beside one. Default: all cores.")
@option("Bench", "--batch-size", type=POSITIVE, metavar="N", help="Examples a step. Default: the run's, or 64.")
@option("Bench", "--seconds", type=RATE, default=1.0, metavar="X", help="How long to time each. Default 1.")
def bench(networks: tuple[str, ...], threads: int | None, batch_size: int | None, seconds: float) -> None:
    """Measure the peak, then each network."""
    from ..compiler.machine.cores import default_threads
    from ..compiler.machine.peak import peak
    from . import display
    from .bench_steps import measure

    chosen = [_workload(name, batch_size) for name in networks or DEFAULT]
    counts = sorted({1, threads or default_threads()})
    peaks = {count: peak(count) for count in counts}
    screen = display.console()
    display.heading(screen, "Training steps on this machine, float32")
    facts = [(display.count(count, "thread"), f"{rate / 1e9:.1f} GFLOP/s at most") for count, rate in peaks.items()]
    display.facts(screen, facts)
    heads = ("batch", "threads", "a step", "of peak", "memory", "first", "cached")
    table = display.table("network", *heads, left=("network",))
    for workload in chosen:
        seen: set[int] = set()
        for count in counts:
            found = measure(workload, count, seconds)
            if found.threads not in seen:  # a small program runs on one thread, whatever it is offered
                table.add_row(workload.name, *_row(found, peaks[count if found.threads > 1 else 1]))
            seen.add(found.threads)
    screen.print()
    display.show(screen, table)


def _row(found: Measured, peak: float) -> list[str]:
    from . import display

    speed = found.work / found.seconds
    return [
        str(found.examples),
        str(found.threads),
        _time(found.seconds),
        display.percent(speed / peak),
        f"{found.memory / 1e6:,.1f} MB",
        _time(found.cold),
        _time(found.cached),
    ]


def _time(seconds: float) -> str:
    """A short time with three digits."""
    for limit, unit, name in ((1e-3, 1e-6, "us"), (1.0, 1e-3, "ms")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} s"


def _workload(name: str, batch_size: int | None) -> Workload:
    from .bench_steps import Workload
    from .networks import conv_spec, dense_spec
    from .settings import Settings

    if Path(name).exists():
        from .record import Record

        record = Record.read(Path(name))
        if record.settings.optimizer == "lbfgs":
            raise ConfigurationError(f"{name} was trained with L-BFGS, whose steps have no fixed length to be timed")
        return Workload(name, record.network, record.settings, batch_size or record.settings.examples_an_update())
    settings = Settings(1, "mini-batch", MANY, "adam", 1e-3, "constant", 0.0, 0.0, 0.0, 0, 0, 0)
    if name == "conv":
        return Workload(name, conv_spec((1, 28, 28), 10, None, 0.0, 0), settings, batch_size or MANY)
    spec = dense_spec(name)
    return Workload(name, spec, settings, batch_size or (FEW if spec.inputs == (2,) else MANY))
