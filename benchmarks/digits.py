"""The digits: our default training, PyTorch's with the same network and settings, and scikit-learn's MLP.

    python benchmarks/digits.py --seeds 3

Same 7,650 training digits, same 1,500 test digits. The PyTorch contestant has the network of `chainrule train digits`,
its optimiser, schedule, label smoothing and random shifts; it runs only where PyTorch is installed, likewise
scikit-learn. The contestants take turns, seed by seed; accuracy and seconds of training are printed for each.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.cli import networks, problem
from chainrule.cli.defaults import Wishes, choose_network, choose_settings
from chainrule.cli.source import ImageOptions, Source, TableOptions
from chainrule.optim.schedules import OneCycleLR

DATA = problem.load(Source("digits", "", None, 0.0, "", 0.1, TableOptions(), ImageOptions()))
SETTINGS = choose_settings(Wishes(), DATA)
NETWORK = choose_network(Wishes(), DATA)
TRAIN_X, TRAIN_Y = DATA.training.pair
TEST_X, TEST_Y = DATA.test.pair if DATA.test else (TRAIN_X, TRAIN_Y)


def ours(seed: int) -> np.ndarray[Any, Any]:
    """Outputs for the test digits of a network trained here."""
    cr.random.manual_seed(seed)
    model = networks.build(NETWORK)
    optimizer = cr.optim.Adam(model.parameters(), lr=SETTINGS.lr)
    cr.train.fit(
        model,
        optimizer,
        loss=cr.nn.CrossEntropyLoss(label_smoothing=SETTINGS.label_smoothing),
        data=(TRAIN_X, TRAIN_Y),
        batch_size=SETTINGS.batch_size,
        epochs=SETTINGS.epochs,
        schedule=lambda chosen, steps: OneCycleLR(chosen, SETTINGS.lr, steps),
        seed=seed,
        progress=False,
    )
    return cr.train.predict(model, TEST_X)


def theirs(seed: int) -> np.ndarray[Any, Any]:
    """The same network, settings and updates in PyTorch."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    channels, size = NETWORK.inputs[0], NETWORK.inputs[1]
    for width in NETWORK.channels:
        layers += [nn.Conv2d(channels, width, networks.KERNEL), nn.MaxPool2d(2), nn.ReLU()]
        channels, size = width, (size - networks.KERNEL + 1) // 2
    features = channels * size * size
    layers.append(nn.Flatten())
    for width in NETWORK.hidden:
        layers += [nn.Linear(features, width), nn.ReLU(), nn.Dropout(NETWORK.dropout)]
        features = width
    model = nn.Sequential(*layers, nn.Linear(features, NETWORK.outputs))
    optimizer = torch.optim.Adam(model.parameters(), lr=SETTINGS.lr)
    batches = -(-len(TRAIN_X) // SETTINGS.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, SETTINGS.lr, total_steps=batches * SETTINGS.epochs)
    x, y = torch.tensor(TRAIN_X), torch.tensor(TRAIN_Y)
    for _ in range(SETTINGS.epochs):
        for rows in torch.randperm(len(x)).split(SETTINGS.batch_size):
            images = shifted(x[rows], NETWORK.shift)
            loss = nn.functional.cross_entropy(model(images), y[rows], label_smoothing=SETTINGS.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return model.eval()(torch.tensor(TEST_X)).numpy()


def shifted(images: Any, most: int) -> Any:
    """Each image moved by up to `most` pixels, the background coming in."""
    import torch

    count, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (most,) * 4, value=float(images.min()))
    moves = torch.randint(0, 2 * most + 1, (count, 2))
    return torch.stack([padded[i, :, a : a + height, b : b + width] for i, (a, b) in enumerate(moves.tolist())])


def mlp(seed: int) -> np.ndarray[Any, Any]:
    """scikit-learn's MLP with one hidden layer of 128 units and its own settings."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((128,), random_state=seed, early_stopping=True)
    model.fit(TRAIN_X.reshape(len(TRAIN_X), -1), TRAIN_Y)
    return np.asarray(model.predict_proba(TEST_X.reshape(len(TEST_X), -1)))


CONTESTANTS: dict[str, tuple[Callable[[int], Any], str]] = {
    "chainrule, as chainrule train digits": (ours, "chainrule"),
    "PyTorch, same network and settings": (theirs, "torch"),
    "scikit-learn MLPClassifier((128,))": (mlp, "sklearn"),
}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    present = {name: each for name, (each, module) in CONTESTANTS.items() if importlib.util.find_spec(module)}
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in present}
    for seed in range(options.seeds):
        for name, contestant in present.items():
            start = time.perf_counter()
            outputs = contestant(seed)
            seconds = time.perf_counter() - start
            results[name].append((float((outputs.argmax(1) == TEST_Y).mean()), seconds))
            print(f"seed {seed}  {name:<38} {results[name][-1][0]:.2%} in {seconds:.1f} s", flush=True)
    print(f"\n{'contestant':<38} {'test accuracy, each seed':<28} median seconds")
    for name, runs in results.items():
        accuracies = "  ".join(f"{accuracy:.2%}" for accuracy, _ in runs)
        print(f"{name:<38} {accuracies:<28} {statistics.median(seconds for _, seconds in runs):.1f}")


if __name__ == "__main__":
    main()
