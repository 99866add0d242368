"""Kill a training run at random moments (SIGKILL), resume it each time, compare the weights with an undisturbed run.

    python benchmarks/resume.py --kills 50

Each attempt starts a new process on the run directory, lets it work for a random time, and kills it; then the run is
resumed to its end. The network has batch norm and dropout, the optimiser moments, the rate a schedule, the data an
order: all of it must come back to the bit.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

import chainrule as cr
from chainrule import nn, optim

EPOCHS = 12


def train(directory: str | None) -> nn.Module:
    """The run: a small convolutional net on a part of the digits."""
    (images, labels), _ = cr.data.digits()
    cr.random.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(8 * 144, 10),
    )
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    cr.train.fit(
        model,
        optimizer,
        data=(images[:2000], labels[:2000]),
        epochs=EPOCHS,
        validation=0.1,
        metrics=["accuracy"],
        schedule="one-cycle",
        run_directory=directory,
        resume=directory is not None,
        checkpoint_seconds=0.05,
        progress=False,
    )
    return model


def start(directory: str) -> subprocess.Popen[bytes]:
    """The run in a process of its own, resumed from where it stands."""
    return subprocess.Popen([sys.executable, __file__, "--worker", directory])


def interrupted_run(directory: str, kills_left: int, longest: float) -> int:
    """One run to its end, killed at random moments on the way; how often it was killed."""
    kills = 0
    while kills < kills_left:
        process = start(directory)
        time.sleep(random.uniform(0.3, longest))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    if start(directory).wait() != 0:
        raise SystemExit("a resumed run failed")
    return kills


def same_bits(directory: str, expected: dict[str, Any]) -> bool:
    """Whether the run ended with the weights expected."""
    given = cr.train.RunDirectory(directory).load_model()
    return all(expected[name].tobytes() == given[name].tobytes() for name in expected)


def main() -> int:
    """Run the experiment; 0 if all weights came back to the bit in every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--longest", type=float, default=2.0, help="seconds a process lives at most")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        train(options.worker)
        return 0
    expected = train(None).state_dict()
    kills, runs, right = 0, 0, 0
    while kills < options.kills:
        with tempfile.TemporaryDirectory() as directory:
            kills += interrupted_run(directory, options.kills - kills, options.longest)
            runs, right = runs + 1, right + same_bits(directory, expected)
    print(f"{runs} runs killed {kills} times in all; {right} of them ended with the same bits as the undisturbed run")
    return 0 if right == runs else 1


if __name__ == "__main__":
    sys.exit(main())
