"""Kill a training run at random moments (SIGKILL), resume it each time, and compare the weights with an undisturbed run.

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
from pathlib import Path

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


def kill_at_random(directory: str, kills: int, longest: float) -> int:
    """How often the run was killed while it worked; it is started anew when it ends before its time."""
    done = 0
    for _ in range(kills):
        process = start(directory)
        time.sleep(random.uniform(0.3, longest))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            done += 1
        process.wait()
    return done


def main() -> int:
    """Run the experiment; 0 if every weight came back to the bit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--longest", type=float, default=2.0, help="seconds a process lives at most")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        train(options.worker)
        return 0
    begin = time.monotonic()
    expected = train(None).state_dict()
    alone = time.monotonic() - begin
    with tempfile.TemporaryDirectory() as directory:
        kills = kill_at_random(directory, options.kills, options.longest)
        steps = cr.train.load_checkpoint(Path(directory) / "checkpoint.safetensors")["step"]
        assert start(directory).wait() == 0
        given = cr.train.RunDirectory(directory).load_model()
    same = [name for name in expected if expected[name].tobytes() == given[name].tobytes()]
    print(f"undisturbed run: {alone:.1f} s; killed {kills} times, the last time after step {steps}")
    print(f"{len(same)} of {len(expected)} arrays of weights have the same bits")
    return 0 if len(same) == len(expected) else 1


if __name__ == "__main__":
    sys.exit(main())
