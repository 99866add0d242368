"""One example, credit and gradient flow on a page, in a real browser: each number is the engine's."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.reports.html.numbers import show

ARROW_DOWN, ARROW_RIGHT = "\ue015", "\ue014"


@pytest.fixture
def opened(browser, page):
    browser.open(page.as_uri())
    yield browser
    assert browser.complaints() == []


def worst(contents) -> int:
    """The judged example that costs most among those answered wrongly."""
    judged, model = contents.trained.judged, contents.trained.model
    outputs = np.asarray(model(cr.tensor(judged.inputs)).numpy(), np.float64)
    chances = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    losses = -np.log(chances[np.arange(len(outputs)), judged.targets])
    return int(np.argmax(np.where(outputs.argmax(axis=1) != judged.targets, losses, -1)))


def loss_of(contents, row, path, index, step):
    """The example's loss with one weight moved, in float64, by the plain model."""
    judged, model = contents.trained.judged, contents.trained.model
    weights = {name: array.astype(np.float64) for name, array in model.state_dict().items()}
    weights[path][index] += step
    hidden = np.tanh(weights["1.0.weight"] @ judged.inputs[row].astype(np.float64).ravel() + weights["1.0.bias"])
    outputs = weights["2.weight"] @ hidden + weights["2.bias"]
    return float(np.log(np.exp(outputs - outputs.max()).sum()) + outputs.max() - outputs[judged.targets[row]])


def slope(contents, row, path, index):
    ends = [loss_of(contents, row, path, index, sign * 1e-5) for sign in (1, -1)]
    return (ends[0] - ends[1]) / 2e-5


def number_after(text: str, mark: str) -> float:
    return float(text.split(mark)[1].split()[0].rstrip(".,"))


def test_listed_weights_against_central_differences(opened, contents):
    row = worst(contents)
    rows = opened.run(
        "return [...document.querySelectorAll('#sample [data-change]')].map((b) => "
        "[b.textContent, ...[...b.closest('tr').querySelectorAll('td')].map((c) => Number(c.textContent))])"
    )
    assert len(rows) == 12
    for name, value, gradient, change in rows:
        path, places = name[:-1].split("[")
        index = tuple(int(each) for each in places.split(", "))
        assert gradient == pytest.approx(slope(contents, row, path, index), rel=2e-5, abs=1e-9)
        assert value == pytest.approx(float(contents.trained.model.state_dict()[path][index]), rel=1e-5)
        assert change == pytest.approx(-contents.trained.rate * gradient, rel=2e-5)


def test_any_weight_of_a_map_is_worked_out(opened, contents):
    """Also of the layer that sees the image: the cell's row and column are those of the pixel."""
    row = worst(contents)
    opened.run("document.querySelectorAll('#sample details').forEach((each) => { each.open = true; })")
    opened.run('document.querySelector(\'[data-parameter="1.0.weight"] [data-map="3"]\').focus()')
    opened.keys(ARROW_DOWN, *[ARROW_DOWN] * 14, *[ARROW_RIGHT] * 13)
    panel = opened.text("#sample .panel")
    index = (3, 14 * 28 + 13)
    assert f"1.0.weight[{index[0]}, {index[1]}]" in panel
    assert "Tanh′(net)" in panel
    gradient = slope(contents, row, "1.0.weight", index)
    read = opened.text('[data-parameter="1.0.weight"] output')
    assert number_after(read, "∂E/∂w") == pytest.approx(gradient, rel=2e-5, abs=1e-9)
    assert show(number_after(read, "∂E/∂w")) in panel


def test_credit_adds_up_in_the_browser(opened):
    """The cells of all maps, summed by the page's own script, are the measured change of the loss."""
    total = opened.run(
        "return [...document.querySelectorAll('#credit [data-maps]')].reduce((sum, figure) => "
        "sum + chainrule.unpack(chainrule.data(figure).arrays.credit).reduce((a, b) => a + b, 0), 0)"
    )
    figures = opened.run(
        "return Object.fromEntries([...document.querySelectorAll('#credit .facts div')].map((e) => "
        "[e.querySelector('dt').textContent, e.querySelector('dd').textContent]))"
    )
    change = float(figures["measured change"])
    assert total == pytest.approx(change, rel=1e-5) and change < 0
    assert float(figures["loss after"]) - float(figures["loss before"]) == pytest.approx(change, abs=2e-4)


def test_a_cell_of_a_credit_map_is_read(opened, contents):
    opened.run("document.querySelector('#credit [data-map=\"5\"]').focus()")
    opened.keys(*[ARROW_DOWN] * 12, *[ARROW_RIGHT] * 9)
    read = opened.text("#credit [data-maps] output")
    weight = contents.trained.model.state_dict()["1.0.weight"][5, 11 * 28 + 9]
    assert show(float(weight)) in read, read


def test_flow_names_each_layer(opened):
    names = opened.run("return [...document.querySelectorAll('#flow tbody th')].map((each) => each.textContent)")
    assert names == ["0 Flatten", "1.0 Linear", "1.1 Tanh", "2 Linear"]
