"""The ZIP-code network of 1989 at its exact shape: one of the first convolutional networks trained by backpropagation.

LeCun et al., "Backpropagation applied to handwritten zip code recognition", Neural Computation 1 (1989). Settings the
paper leaves open (learning rate, padding, which map reads which) are those of Andrej Karpathy's replication of 2022.

    python examples/zip_codes_1989.py [--passes 23] [--seed 0] [--eager] [--fan-in root] [--activation scaled]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim

PARAMETERS, CONNECTIONS = 9_760, 64_660
LEARNING_RATE = 0.03
# H2 is three groups of four maps; each group reads 8 of the 12 maps of H1 (Karpathy's choice; 1989 does not say which).
READS = (*range(8), *range(4, 12), *range(4), *range(8, 12))
Step = Callable[..., Any]
ROW = "{:40} {:>10} {:>10} {:>10} {:>10}"


def scaled_tanh(x: cr.Tensor) -> cr.Tensor:
    """LeCun's tanh, which goes through (1, 1) and (-1, -1)."""
    return 1.7159 * cr.tanh(x * (2 / 3))


ACTIVATIONS: dict[str, Callable[[cr.Tensor], cr.Tensor]] = {"tanh": cr.tanh, "scaled": scaled_tanh}


class ZipNetwork(nn.Module):
    """256 - H1 12x8x8 - H2 12x4x4 - H3 30 - 10. Kernels are shared over a map, biases are not: one for each unit."""

    def __init__(self, fan_in: str = "plain", activation: str = "tanh") -> None:
        super().__init__()
        power = {"root": 0.5, "plain": 1.0}[fan_in]

        def weights(inputs: int, *shape: int) -> cr.Parameter:
            limit = 2.4 / inputs**power
            return cr.Parameter(cr.random.uniform(shape, low=-limit, high=limit))

        self.activation = ACTIVATIONS[activation]
        self.h1_weight, self.h1_bias = weights(25, 12, 1, 5, 5), cr.Parameter(cr.zeros((12, 8, 8)))
        self.h2_weight, self.h2_bias = weights(8 * 25, 12, 8, 5, 5), cr.Parameter(cr.zeros((12, 4, 4)))
        self.h3_weight, self.h3_bias = weights(192, 192, 30), cr.Parameter(cr.zeros(30))
        self.output_weight, self.output_bias = weights(30, 30, 10), cr.Parameter(cr.full((10,), -1.0))
        self.reads = cr.tensor(np.array(READS))

    def forward(self, images: cr.Tensor) -> cr.Tensor:
        """(batch, 1, 16, 16) in [-1, 1] to (batch, 10) in about [-1, 1]. Beyond the edge is paper: -1."""
        padded = nn.functional.pad(images, (2, 2, 2, 2), value=-1.0)
        h1 = self.activation(nn.functional.conv2d(padded, self.h1_weight, stride=2) + self.h1_bias)
        padded = nn.functional.pad(cr.take(h1, self.reads, 1), (2, 2, 2, 2), value=-1.0)
        h2 = self.activation(nn.functional.conv2d(padded, self.h2_weight, stride=2, groups=3) + self.h2_bias)
        h3 = self.activation(h2.reshape((images.shape[0], 192)) @ self.h3_weight + self.h3_bias)
        return self.activation(h3 @ self.output_weight + self.output_bias)


@dataclass(frozen=True)
class Score:
    squared_error: float
    wrong: int
    count: int

    @property
    def error(self) -> float:
        """Share of the images answered wrongly, in per cent."""
        return 100 * self.wrong / self.count


def count_parameters(network: ZipNetwork) -> int:
    return sum(parameter.size for parameter in network.parameters())


def count_connections(network: ZipNetwork) -> int:
    """Each unit of H1 and H2 has the weights of its kernel and its bias; H3 and the output are fully connected."""
    connections = 0
    for weight, bias in ((network.h1_weight, network.h1_bias), (network.h2_weight, network.h2_bias)):
        connections += bias.size * (weight[0].size + 1)
    full = (network.h3_weight, network.h3_bias, network.output_weight, network.output_bias)
    return connections + sum(parameter.size for parameter in full)


def targets_of(labels: np.ndarray) -> np.ndarray:
    return np.where(np.arange(10) == labels[:, None], np.float32(1), np.float32(-1))


def training_step(network: ZipNetwork, optimizer: optim.SGD) -> Step:
    """What an image does to the weights."""

    def step(image: cr.Tensor, wanted: cr.Tensor) -> cr.Tensor:
        optimizer.zero_grad()
        errors = network(image) - wanted
        error = (errors * errors).mean()
        error.backward()
        optimizer.step()
        return error

    return step


def train_pass(step: Any, images: np.ndarray, labels: np.ndarray, eager: bool) -> None:
    """Show every image once, one at a time, always in the same order: compiled, in one native call."""
    if not eager:
        step.epoch(images, targets_of(labels), batch_size=1)
        return
    shown, wanted = cr.tensor(images), cr.tensor(targets_of(labels))
    for place in range(len(images)):
        step(shown[place : place + 1], wanted[place : place + 1])


@cr.no_grad()
def evaluate(network: Any, images: np.ndarray, labels: np.ndarray, eager: bool) -> Score:
    """All images, as many at a time as divide their number."""
    count = max(count for count in range(1, 501) if len(images) % count == 0)
    if eager:
        starts = range(0, len(images), count)
        outputs = np.concatenate([network(cr.tensor(images[start : start + count])).numpy() for start in starts])
    else:
        outputs = network.epoch(images, batch_size=count).numpy().reshape(-1, 10)
    wrong = int((outputs.argmax(axis=1) != labels).sum())
    return Score(float(np.mean((outputs - targets_of(labels)) ** 2)), wrong, len(labels))


def report(train: Score, test: Score) -> None:
    print("\n" + ROW.format("", "train MSE", "train %", "test MSE", "test %"))
    print(ROW.format("1989, envelopes, 3 days on a SUN-4/260", "2.5e-03", "0.14", "1.8e-02", "5.00"))
    print(ROW.format("Karpathy 2022, MNIST reduced to 16x16", "4.1e-03", "0.62", "2.8e-02", "4.09"))
    ours = f"{train.squared_error:.1e}", f"{train.error:.2f}", f"{test.squared_error:.1e}", f"{test.error:.2f}"
    print(ROW.format("ours", *ours), f"  ({test.wrong} of {test.count} test digits wrong)")
    print(
        "\nWhere they differ: the digits of 1989 are not public. Ours are MNIST digits as Karpathy's are, but others;"
        "\nthe standard error of a test error on 2,007 digits is 0.45 points. 1989 set the learning rates by an"
        "\napproximate second-order method. The initial weights are within 2.4 / fan-in as 1989 says (--fan-in plain);"
        "\nKarpathy takes the root of the fan-in. MSE is the mean over images and outputs; 1989 may count half of it."
    )


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=23)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fan-in", choices=("root", "plain"), default="plain")
    parser.add_argument("--activation", choices=tuple(ACTIVATIONS), default="tanh")
    parser.add_argument("--resize", choices=("area", "bilinear"), default="area", help="how 28x28 becomes 16x16")
    parser.add_argument("--eager", action="store_true", help="operation by operation instead of compiled")
    parser.add_argument("--images", type=int, default=7_291, help="show only the first so many images")
    options = parser.parse_args(arguments)
    (images, labels), test_set = cr.data.load_zip_digits(options.resize)
    images, labels = images[: options.images], labels[: options.images]
    cr.random.manual_seed(options.seed)
    network = ZipNetwork(options.fan_in, options.activation)
    parameters, connections = count_parameters(network), count_connections(network)
    assert (parameters, connections) == (PARAMETERS, CONNECTIONS), (parameters, connections)
    print(f"{parameters:,} parameters, {connections:,} connections; {options}")
    step: Any = training_step(network, optim.SGD(network.parameters(), lr=LEARNING_RATE))
    answer = network if options.eager else cr.compile(network)
    step = step if options.eager else cr.compile(step)
    training, start = 0.0, time.perf_counter()
    for number in range(1, options.passes + 1):
        begin = time.perf_counter()
        train_pass(step, images, labels, options.eager)
        training += time.perf_counter() - begin
        train = evaluate(answer, images, labels, options.eager)
        test = evaluate(answer, *test_set, options.eager)
        elapsed = time.perf_counter() - start
        errors = f"train {train.error:5.2f} %  test {test.error:5.2f} %"
        print(f"pass {number:2}  {errors}  {elapsed:6.1f} s, {training:5.1f} s of it training", flush=True)
    report(train, test)
    return {"parameters": parameters, "connections": connections, "train": train, "test": test}


if __name__ == "__main__":
    main()
