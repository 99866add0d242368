"""The graph of a function: its numbers against eager runs and central differences, its folding, what it leaves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.reports.graph import ProgramGraph, graph
from chainrule.reports.graph_fold import MOST_MEMBERS, Group
from chainrule.reports.graph_node import Node
from chainrule.reports.statistics import Statistics


@pytest.fixture
def network() -> nn.Module:
    cr.random.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.normal(size=(6, 4)), generator.integers(0, 3, 6)


def loss_of(network: nn.Module):
    def loss(inputs, labels):
        return nn.functional.cross_entropy(network(inputs), labels)

    return loss


def named(found: ProgramGraph, name: str) -> Node:
    return next(node for node in found.nodes if node.name == name)


def groups(group: Group) -> Iterator[Group]:
    yield group
    for each in group.members:
        if isinstance(each, Group):
            yield from groups(each)


def test_values_are_those_of_the_eager_engine(network, batch):
    found = graph(loss_of(network), *batch)
    assert found.loss == loss_of(network)(*map(cr.tensor, batch)).item()
    hidden = np.tanh(batch[0] @ network[0].weight.numpy().T + network[0].bias.numpy())
    node = next(node for node in found.nodes if node.kind == "tanh")
    assert node.value.mean == pytest.approx(hidden.mean(), rel=1e-12)
    assert node.value.deviation == pytest.approx(hidden.std(), rel=1e-12)
    assert (node.value.smallest, node.value.largest) == pytest.approx((hidden.min(), hidden.max()), rel=1e-12)


def test_gradients_of_parameters_against_central_differences(network, batch):
    found = graph(loss_of(network), *batch)
    inputs, labels = map(cr.tensor, batch)
    for path, parameter in network.named_parameters():
        kept, step, differences = parameter.numpy().copy(), 1e-6, []
        for place in np.ndindex(kept.shape):
            ends = []
            for sign in (1, -1):
                moved = kept.copy()
                moved[place] += sign * step
                parameter.assign(moved)
                ends.append(loss_of(network)(inputs, labels).item())
            differences.append((ends[0] - ends[1]) / (2 * step))
        parameter.assign(kept)
        expected, shown = Statistics.of(np.array(differences)), named(found, path).gradient
        assert shown.row()[:4] == pytest.approx(expected.row()[:4], abs=1e-8)


def test_every_value_of_the_way_has_its_cotangent(network, batch):
    """Also where a rule hands the cotangent on as it is, as that of `add` does."""
    found = graph(loss_of(network), *batch)
    inputs = cr.tensor(batch[0])
    net = network[0](inputs)
    cotangent = cr.grad(lambda net: nn.functional.cross_entropy(network[2](network[1](net)), cr.tensor(batch[1])))(net)
    sums = [node for node in found.nodes if node.kind == "add" and node.scope[-1:] == ("0: Linear",)]
    assert sums[0].phase == "forward"
    assert sums[0].gradient.row()[:4] == pytest.approx(Statistics.of(cotangent.numpy()).row()[:4], rel=1e-10)


def test_folded_by_module_and_known_function(network, batch):
    found = graph(loss_of(network), *batch)
    names = [group.name for group in groups(found.tree)]
    assert names[:5] == ["loss", "forward pass", "Sequential", "0: Linear", "1: Tanh"]
    assert "cross_entropy" in names
    assert sorted(_numbers(found.tree)) == list(range(len(found.nodes)))


def _numbers(group: Group) -> Iterator[int]:
    for each in group.members:
        if isinstance(each, int):
            yield each
        else:
            yield from _numbers(each)


def test_a_whole_step_has_three_phases_and_changes_nothing(batch):
    cr.random.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 3)).double()
    optimizer = optim.Adam(network.parameters())

    def step(inputs, labels):
        loss = nn.functional.cross_entropy(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    before, state = network.state_dict(), cr.random.default_generator.get_state()
    found = graph(step, *batch)
    assert {node.phase for node in found.nodes} == {"forward", "backward", "update"}
    assert all(np.array_equal(before[path], array) for path, array in network.state_dict().items())
    assert np.array_equal(state, cr.random.default_generator.get_state())
    assert any(group.name == "update of 0.weight" for group in groups(found.tree))
    assert named(found, "0.weight").gradient is not None


def test_backward_equations_know_what_they_derive(network, batch):
    found = graph(loss_of(network), *batch)
    backward = [node for node in found.nodes if node.phase == "backward"]
    assert backward
    for node in backward:
        assert node.derives is not None and found.nodes[node.derives].phase == "forward"
        assert node.scope == found.nodes[node.derives].scope


def test_formula_rule_and_line(network, batch):
    node = next(node for node in graph(loss_of(network), *batch).nodes if node.kind == "tanh")
    assert node.formula == "tanh({0})"
    assert node.rule.startswith("da = ")
    assert "test_graph.py" in node.source and "cross_entropy" in node.source


def test_a_function_without_a_network_has_gradients_for_its_arguments():
    found = graph(lambda x, n: (x * x).sum() * n, cr.tensor([1.0, 3.0]), 2)
    assert named(found, "x").gradient.elements == (4.0, 12.0)


def test_a_result_that_is_no_single_number_has_no_backward_pass():
    assert {node.phase for node in graph(lambda x: x * 2.0, cr.ones(3)).nodes} == {"forward"}


def test_thousands_of_equations_are_folded():
    def deep(x):
        for _ in range(1700):
            x = cr.sin(x)
        return x.sum()

    found = graph(deep, cr.ones(2))
    assert found.equations > 5000
    assert max(len(group.members) for group in groups(found.tree)) <= MOST_MEMBERS


def test_loops_show_what_is_inside():
    found = graph(lambda x: cr.scan(lambda c, _: (c * 1.5, c), x, None, length=4)[0], cr.tensor(1.0))
    node = next(node for node in found.nodes if node.kind == "scan")
    assert "its body: " in node.formula and node.value.elements == (1.5**4,)


def test_the_body_of_a_loop_opens():
    """Its numbers are those of the first round; every node of it lies in a group of its own, under the loop's."""

    def loss(x, ys):
        return cr.scan(lambda c, y: (cr.tanh(c) * y, c), x, ys)[0].sum()

    x, ys = np.array([0.5, -1.0]), np.array([[2.0, 3.0], [4.0, 5.0]])
    found = graph(loss, cr.tensor(x), cr.tensor(ys))
    loop = next(node for node in found.nodes if node.kind == "scan" and node.phase == "forward")
    inside = [node for node in found.nodes if node.scope[-1:] == (f"{loop.name}, body",)]
    tanh = next(node for node in inside if node.kind == "tanh")
    product = next(node for node in inside if node.kind == "multiply")
    assert tanh.value.elements == tuple(np.tanh(x)) and tanh.rule.startswith("da = ")
    assert product.value.elements == tuple(np.tanh(x) * ys[0])
    carried = next(node for node in inside if node.kind == "input")
    assert carried.value.elements == tuple(x) and carried.inputs[0] in range(len(found.nodes))
    assert any(group.name == f"{loop.name}, body" for group in groups(found.tree))
    assert sorted(_numbers(found.tree)) == list(range(len(found.nodes)))


def test_both_branches_open():
    found = graph(lambda x: cr.cond(x.sum() > 0, lambda x: cr.exp(x), lambda x: cr.sin(x), x).sum(), cr.ones(2))
    assert {"exp", "sin"} <= {node.kind for node in found.nodes}
