"""How much did each weight contribute to the error? A small network learns the digits, and its credit is shared out.

Loss Change Allocation: Lan, Liu, Zhou, Yosinski, "LCA: Loss Change Allocation for Neural Network Training", NeurIPS
2019. They found that in an iteration barely more than half of the parameters help.

    python examples/credit.py [--steps 60] [--budget 9] [--page credit.html]
"""

import argparse
from collections.abc import Sequence

import numpy as np

import chainrule as cr
from chainrule import nn, optim

SHADES = " .:-=+*#%@"
BATCH = 64


def network() -> nn.Module:
    cr.random.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


def trained(model: nn.Module, steps: int, budget: float) -> cr.explain.Credit:
    """Train on mini-batches; the credit is that of 200 other examples, which no batch has seen."""
    (images, labels), (test_images, test_labels) = cr.data.digits()
    order = np.random.default_rng(0).permutation(len(labels))[: steps * BATCH]  # they are stored class by class
    held_out = np.random.default_rng(1).permutation(len(test_labels))[:200]
    recorder = cr.explain.CreditRecorder(probe=(test_images[held_out], test_labels[held_out]), budget=budget)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    data = images[order], labels[order]
    cr.train.fit(model, optimizer, "cross_entropy", data, batch_size=BATCH, epochs=1, seed=0, progress=False,
                 recorders=[recorder])  # fmt: skip
    return recorder.credit


def show_sums(credit: cr.explain.Credit) -> None:
    print(f"loss of 200 held-out digits: {credit.loss_before:.4f} to {credit.loss_after:.4f}")
    print(f"sum of {sum(each.size for each in credit.weights.values()):,} credits: {credit.total:+.6f}")
    print(f"measured change of the loss: {credit.change:+.6f}   left over: {credit.relative_residual:.0e} of it")
    for layer, part in credit.by_layer().items():
        print(f"  layer {layer:<3}{part:+.4f}   {part / credit.change:.0%}")


def show_helpers(credit: cr.explain.Credit) -> None:
    """Weights of pixels that are never inked have a gradient of zero: they do nothing."""
    helped, hurt = credit.helped_share, credit.hurt_share
    moved = helped / (helped + hurt)
    print(f"\nin a step {helped.mean():.1%} of the weights helped, {hurt.mean():.1%} hurt, the others did nothing")
    print(f"of those that did something {moved.mean():.1%} helped (between {moved.min():.0%} and {moved.max():.0%})")


def show_classes(credit: cr.explain.Credit) -> None:
    print("\ndigit    its part of the change")
    for name, part in credit.by_class().items():
        print(f"  {name}      {part:+.4f}  {'#' * round(-40 * part / max(1e-9, -min(credit.by_class().values())))}")


def picture(credit: cr.explain.Credit) -> list[str]:
    """What each pixel's weights contributed together, darker where the loss fell more by them."""
    pixels = np.maximum(0, -credit.weights["1.weight"].sum(axis=0).reshape(14, 2, 28).sum(axis=1))
    shades = np.round(pixels / pixels.max() * (len(SHADES) - 1)).astype(int)
    return ["".join(SHADES[each] for each in row) for row in shades]


def main(arguments: Sequence[str] | None = None) -> cr.explain.Credit:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--budget", type=float, default=9, help="gradients of the probe a step; 100 for sums to 1e-6")
    parser.add_argument("--page", default="", help="also write a page with a map of each unit's weights")
    given = parser.parse_args(arguments)
    credit = trained(network(), given.steps, given.budget)
    show_sums(credit)
    show_helpers(credit)
    show_classes(credit)
    print("\nwhich pixels did it", *picture(credit), sep="\n")
    if given.page:
        print(f"\n{credit.save(given.page, image=(1, 28, 28))}")
    return credit


if __name__ == "__main__":
    main()
