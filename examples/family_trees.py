"""The family trees of 1986: a network learns who is whose uncle, and its units come to mean nation, generation, branch.

Hinton, "Learning distributed representations of concepts" (1986); Rumelhart, Hinton, Williams, Nature 323 (1986).

    python examples/family_trees.py [--seeds 20] [--sweeps 1500]
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import chainrule as cr
from chainrule import nn, optim

# fmt: off
ENGLISH = ["Christopher", "Penelope", "Andrew", "Christine", "Margaret", "Arthur",
           "Victoria", "James", "Jennifer", "Charles", "Colin", "Charlotte"]
ITALIAN = ["Roberto", "Maria", "Pierro", "Francesca", "Gina", "Emilio",
           "Lucia", "Marco", "Angela", "Tomaso", "Alfonso", "Sophia"]
PEOPLE = ENGLISH + ITALIAN
RELATIONS = ["father", "mother", "husband", "wife", "son", "daughter",
             "uncle", "aunt", "brother", "sister", "nephew", "niece"]
# fmt: on
# One tree, as places in the lists above; the other has the same shape.
MEN = {0, 2, 5, 7, 9, 10}
SPOUSES = {0: 1, 2: 3, 5: 4, 6: 7, 9: 8} | {1: 0, 3: 2, 4: 5, 7: 6, 8: 9}
PARENTS = {5: {0, 1}, 6: {0, 1}, 7: {2, 3}, 8: {2, 3}, 10: {6, 7}, 11: {6, 7}}
GENERATIONS, BRANCHES = (1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3), (1, 1, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3)
TRIPLES, HELD_OUT = 104, 4
ON, OFF = 0.8, 0.2  # a unit beyond these has no error (recalled from the paper, as are epsilon, alpha and the decay)
ROW = "{:>10} {:>8} {:>7}  {:>22}  {:>24}  {:>13}"


WHY = """Where they differ: with the settings as recalled and weights within 0.3 as in the symmetry network, so little
error comes back through four layers of logistic units that nothing is learned, with or without the decay. The second
row has larger initial weights, four times the epsilon and a tenth of the decay, the best of eight combinations for
the trained triples. It learns nearly all in the same 1,500 sweeps, but seldom or never answers all four held-out
ones: which four were held out in 1986 we don't know, and ours are other ones for each seed."""


@dataclass(frozen=True)
class Settings:
    """Epsilon for 20 sweeps and after, initial weights uniform within +-weight_range, share lost after each update."""

    epsilons: tuple[float, float]
    weight_range: float
    decay: float


PUBLISHED = Settings((0.005, 0.01), 0.3, 0.002)
OURS = Settings((0.02, 0.04), 1.0, 0.0002)


def relatives(person: int) -> dict[str, set[int]]:
    """All relatives of one person of a tree, by relation: {"father": {0}, "uncle": {5, 9}, ...}."""
    parents = PARENTS.get(person, set())
    children = {child for child, pair in PARENTS.items() if person in pair}
    siblings = siblings_of(person)
    spouse = {SPOUSES[person]} if person in SPOUSES else set()
    parents_siblings = with_spouses({each for parent in parents for each in siblings_of(parent)})
    own_and_spouses = siblings | {each for other in spouse for each in siblings_of(other)}
    siblings_children = {child for child, pair in PARENTS.items() if pair & own_and_spouses}
    kinds = (parents, spouse, children, parents_siblings, siblings, siblings_children)
    named: dict[str, set[int]] = {}
    for place, kind in enumerate(kinds):
        first, second = RELATIONS[2 * place : 2 * place + 2]  # of a man, of a woman
        named |= {first: kind & MEN, second: kind - MEN}
    return named


def siblings_of(person: int) -> set[int]:
    return {other for other, pair in PARENTS.items() if other != person and pair == PARENTS.get(person)}


def with_spouses(people: set[int]) -> set[int]:
    return people | {SPOUSES[person] for person in people if person in SPOUSES}


def triples() -> list[tuple[int, int, set[int]]]:
    """(person, relation, the persons asked for) for each question that has an answer: Colin's aunts are two persons."""
    found = []
    for first in (0, len(ENGLISH)):
        for person in range(len(ENGLISH)):
            for relation, answer in relatives(person).items():
                if answer:
                    found.append((first + person, RELATIONS.index(relation), {first + each for each in answer}))
    assert len(found) == TRIPLES, len(found)
    return found


def as_arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Persons (104, 24) and relations (104, 12) as one on of many, answers (104, 24) as 1 for each right person."""
    asked = triples()
    answers = np.zeros((TRIPLES, len(PEOPLE)), dtype=np.float32)
    for place, (_, _, answer) in enumerate(asked):
        answers[place, sorted(answer)] = 1
    identity, relations = np.eye(len(PEOPLE), dtype=np.float32), np.eye(len(RELATIONS), dtype=np.float32)
    return identity[[p for p, _, _ in asked]], relations[[r for _, r, _ in asked]], answers


class FamilyNetworks(nn.Module):
    """Many independent 36-(6+6)-12-6-24 networks: each weight has a leading seed axis, as in symmetry.py."""

    def __init__(self, seeds: int, limit: float) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int) -> tuple[cr.Parameter, cr.Parameter]:
            weight = cr.random.uniform((seeds, inputs, outputs), low=-limit, high=limit)
            return cr.Parameter(weight), cr.Parameter(cr.random.uniform((seeds, 1, outputs), low=-limit, high=limit))

        self.person_weight, self.person_bias = layer(24, 6)
        self.relation_weight, self.relation_bias = layer(12, 6)
        self.centre_weight, self.centre_bias = layer(12, 12)
        self.last_weight, self.last_bias = layer(12, 6)
        self.output_weight, self.output_bias = layer(6, 24)

    def forward(self, persons: cr.Tensor, relations: cr.Tensor) -> cr.Tensor:
        person = cr.sigmoid(persons @ self.person_weight + self.person_bias)
        relation = cr.sigmoid(relations @ self.relation_weight + self.relation_bias)
        centre = cr.sigmoid(cr.concat([person, relation], axis=-1) @ self.centre_weight + self.centre_bias)
        last = cr.sigmoid(centre @ self.last_weight + self.last_bias)
        return cr.sigmoid(last @ self.output_weight + self.output_bias)


@dataclass(frozen=True)
class Outcome:
    """right: (seeds, 104) answered; held_out: (seeds, 104); person_weight: (seeds, 24, 6)."""

    right: np.ndarray
    held_out: np.ndarray
    person_weight: np.ndarray

    def count_right(self, held_out: bool) -> np.ndarray:
        return (self.right & (self.held_out == held_out)).sum(axis=1)


def train(settings: Settings, seeds: int, sweeps: int, seed: int = 0) -> Outcome:
    """Train on 100 triples, other ones for each seed; the gradient of a sweep is the sum over its triples."""
    cr.random.manual_seed(seed)
    shuffle = np.random.default_rng(seed)
    held_out = np.array([shuffle.permutation(TRIPLES) < HELD_OUT for _ in range(seeds)])
    persons, relations, answers = as_arrays()
    inputs, wanted = (cr.tensor(persons), cr.tensor(relations)), cr.tensor(answers)
    networks = FamilyNetworks(seeds, settings.weight_range)
    optimizer = optim.SGD(networks.parameters(), lr=settings.epsilons[0], momentum=0.5)
    for sweep in range(sweeps):
        if sweep == 20:
            optimizer.param_groups[0].update(lr=settings.epsilons[1], momentum=0.9)
        outputs = networks(*inputs)
        satisfied = np.where(answers == 1, outputs.numpy() >= ON, outputs.numpy() <= OFF)
        errors = (outputs - wanted) * cr.tensor(np.float32(1) * ~(satisfied | held_out[:, :, None]))
        optimizer.zero_grad()
        (0.5 * (errors * errors).sum()).backward()
        optimizer.step()
        decay(networks, settings.decay)
    right = ((networks(*inputs).numpy() > 0.5) == (answers == 1)).all(axis=2)
    return Outcome(right, held_out, networks.person_weight.numpy().copy())


@cr.no_grad()
def decay(networks: FamilyNetworks, share: float) -> None:
    """Each weight loses its share after each update, whatever epsilon is: not the optimiser's weight_decay."""
    for parameter in networks.parameters():
        parameter.assign(parameter * (1 - share))


def explained(weights: np.ndarray, groups: Sequence[int]) -> np.ndarray:
    """Share of the variance of each unit's weights that the groups explain: (seeds, 24, 6) -> (seeds, 6)."""
    labels, centred = np.array(groups), weights - weights.mean(axis=1, keepdims=True)
    members = [labels == group for group in sorted(set(groups))]
    between = sum(chosen.sum() * centred[:, chosen].mean(axis=1) ** 2 for chosen in members)
    return np.asarray(between / (centred**2).sum(axis=1))


def row(settings: Settings, sweeps: int, outcome: Outcome) -> str:
    trained, answered = outcome.count_right(held_out=False), outcome.count_right(held_out=True)
    quartiles = " / ".join(f"{place:g}" for place in np.quantile(trained, (0.25, 0.5, 0.75)))
    tally = " ".join(f"{number}:{(answered == number).sum()}" for number in range(HELD_OUT + 1))
    epsilons = "/".join(f"{each:g}" for each in settings.epsilons)
    changed = f"+-{settings.weight_range:g}", f"{settings.decay:.2%}"
    return ROW.format(epsilons, *changed, f"{quartiles} of 100", tally, f"{answered.mean():.2f} of 4")


def report_codes(person_weight: np.ndarray) -> None:
    print("\nwhat the six person units encode: share of a unit's variance explained, best unit, median over the seeds")
    nations = (0,) * 12 + (1,) * 12
    for name, groups in (("nation", nations), ("generation", GENERATIONS * 2), ("branch", BRANCHES * 2)):
        print(f"  {name:11} {np.median(explained(person_weight, groups).max(axis=1)):.2f}")
    print("weights from the persons to the six units, first seed (English, Italian):")
    for unit in person_weight[0].T:
        for people in (unit[:12], unit[12:]):
            print("  " + " ".join(f"{weight:6.1f}" for weight in people))
        print()


def main(arguments: Sequence[str] | None = None) -> dict[str, Outcome]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--sweeps", type=int, default=1_500)
    options = parser.parse_args(arguments)
    print(f"{len(triples())} triples, {HELD_OUT} held out, {options.seeds} seeds, {options.sweeps:,} sweeps")
    print("published, 1986: all 100 trained triples right and the 4 held-out ones answered\n")
    print(ROW.format("epsilon", "weights", "decay", "trained, quartiles", "held-out right: seeds", "mean"))
    outcomes = {}
    for name, settings in (("published", PUBLISHED), ("ours", OURS)):
        outcomes[name] = train(settings, options.seeds, options.sweeps)
        print(row(settings, options.sweeps, outcomes[name]), flush=True)
    report_codes(outcomes["ours"].person_weight)
    print(WHY)
    return outcomes


if __name__ == "__main__":
    main()
