"""The 8-3-8 encoder of 1986: eight patterns must pass through three hidden units, so these invent a binary code.

Rumelhart, Hinton, Williams, "Learning internal representations by error propagation", Parallel Distributed Processing
(1986), pp. 335-338.

    python examples/encoder.py [--seeds 100] [--sweeps 10000]
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import chainrule as cr
from chainrule import nn, optim

SIZE, HIDDEN, RATE, MOMENTUM, WEIGHT_RANGE = 8, 3, 0.5, 0.5, 1.0


class EncoderNetworks(nn.Module):
    """Many independent 8-3-8 networks of logistic units: each weight has a leading seed axis, as in symmetry.py."""

    def __init__(self, seeds: int) -> None:
        super().__init__()

        def uniform(*shape: int) -> cr.Parameter:
            return cr.Parameter(cr.random.uniform((seeds, *shape), low=-WEIGHT_RANGE, high=WEIGHT_RANGE))

        self.hidden_weight, self.hidden_bias = uniform(SIZE, HIDDEN), uniform(1, HIDDEN)
        self.output_weight, self.output_bias = uniform(HIDDEN, SIZE), uniform(1, SIZE)

    def codes(self, patterns: cr.Tensor) -> cr.Tensor:
        """Activities of the hidden units: (seeds, 8 patterns, 3)."""
        return cr.sigmoid(patterns @ self.hidden_weight + self.hidden_bias)

    def forward(self, patterns: cr.Tensor) -> cr.Tensor:
        return cr.sigmoid(self.codes(patterns) @ self.output_weight + self.output_bias)


@dataclass(frozen=True)
class Outcome:
    """Per seed: the sweep after which each pattern's unit was on and no other (0 = never), and the codes (8, 3)."""

    sweeps: np.ndarray
    codes: np.ndarray

    def binary(self) -> np.ndarray:
        """Per seed, do the codes rounded to 0 and 1 tell all eight patterns apart?"""
        rounded = (self.codes > 0.5) @ np.array([4, 2, 1])
        return np.array([len(set(code)) == SIZE for code in rounded])

    def middling(self) -> np.ndarray:
        """Per seed, is some activity between 0.25 and 0.75?"""
        return np.asarray((np.abs(self.codes - 0.5) < 0.25).any(axis=(1, 2)))


def train(seeds: int, sweeps: int, seed: int = 0) -> Outcome:
    """Train until every network reproduces all eight patterns (each output on the right side of 0.5)."""
    cr.random.manual_seed(seed)
    patterns, networks = cr.eye(SIZE), EncoderNetworks(seeds)
    optimizer = optim.SGD(networks.parameters(), lr=RATE, momentum=MOMENTUM)
    learned = np.zeros(seeds, dtype=int)
    codes = np.zeros((seeds, SIZE, HIDDEN), dtype=np.float32)
    for sweep in range(sweeps + 1):
        errors = networks(patterns) - patterns
        fresh = (learned == 0) & (np.abs(errors.numpy()).max(axis=(1, 2)) < 0.5)
        if fresh.any():
            learned[fresh], codes[fresh] = sweep, networks.codes(patterns).numpy()[fresh]
        if learned.all():
            break
        optimizer.zero_grad()
        (0.5 * (errors * errors).sum()).backward()  # the sum over the eight patterns: one update a sweep
        optimizer.step()
    return Outcome(learned, codes)


def report(outcome: Outcome) -> None:
    solved = outcome.sweeps > 0
    print(f"8-3-8, rate {RATE}, momentum {MOMENTUM}, weights within {WEIGHT_RANGE:g}, {len(solved)} seeds\n")
    print("published, 1986: one run; a binary code, in which some units also take a value in the middle")
    print(f"ours, solved:                          {solved.mean():.0%}")
    if not solved.any():
        return
    places = np.quantile(outcome.sweeps[solved], (0.25, 0.5, 0.75))
    print(f"ours, sweeps, quartiles of the solved: {' / '.join(f'{place:,.0f}' for place in places)}")
    print(f"ours, code binary when rounded:        {outcome.binary()[solved].mean():.0%}")
    print(f"ours, some activity 0.25 to 0.75:      {outcome.middling()[solved].mean():.0%}\n")
    print("pattern     code of the first seed that solved it")
    for place, code in enumerate(outcome.codes[solved][0]):
        print("".join("1" if place == unit else "0" for unit in range(SIZE)), "  ", *(f"{each:.2f}" for each in code))
    print("\nWhere they differ: 1986 gives no time and not all settings; the rate, momentum and weights are ours.")


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--sweeps", type=int, default=10_000)
    options = parser.parse_args(arguments)
    outcome = train(options.seeds, options.sweeps)
    report(outcome)
    return outcome


if __name__ == "__main__":
    main()
