"""A run's page in a real browser: it opens from its file, complains of nothing, and each view answers."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.reports.graph import graph
from chainrule.reports.html.numbers import show

from .conftest import DESKTOP, PHONE

ARROW_DOWN, ARROW_RIGHT, ENTER, ESCAPE, TAB = "\ue015", "\ue014", "\ue007", "\ue00c", "\ue004"


@pytest.fixture
def opened(browser, page):
    browser.open(page.as_uri())
    yield browser
    assert browser.complaints() == []


def test_it_opens_from_its_file_and_loads_nothing(opened):
    names = [each.get_attribute("id") for each in opened.all("main > section")]
    assert names[0] == "curves" and names[-1] == "configuration" and {"results", "mistakes", "graph"} <= set(names)
    loaded = opened.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [each for each in loaded if not each.startswith("data:")] == []
    assert [each.text for each in opened.all("nav a")] == [each.text for each in opened.all("main > section > h2")]
    assert opened.run("return [...document.images].every((image) => image.complete && image.naturalWidth > 0)")


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_and_can_be_read(browser, page, size, dark):
    browser.open(page.as_uri(), size, dark)
    assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    ratios = browser.run(CONTRAST)
    assert min(ratios.values()) >= 4.5, ratios
    assert browser.complaints() == []


CONTRAST = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const linear = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const found = {};
const selectors = "body, .lead, .note, .facts dt, nav a, thead th, .bar .value, button, figcaption".split(", ");
for (const selector of selectors) {
  const element = document.querySelector(selector);
  if (!element) continue;
  const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
  found[selector] = (a + 0.05) / (b + 0.05);
}
return found;
"""


def test_a_curve_is_read_with_the_keyboard(opened, contents):
    opened.run("document.querySelector('#curves [data-chart] svg').focus()")
    opened.keys(ARROW_RIGHT)
    read = opened.text("#curves [data-chart] output")
    last = contents.rows[-1]
    assert read.split() == ["epoch", "2:", "training", show(last["loss"]), "validation", show(last["val_loss"])]


def test_the_confusion_matrix_is_the_networks(opened, contents):
    from chainrule.train.evaluate import predict

    judged = contents.trained.judged
    answers = predict(contents.trained.model, judged.inputs).argmax(axis=1)
    cells = opened.run(
        "return [...document.querySelectorAll('.confusion tbody tr')].map((row) => "
        "[...row.querySelectorAll('td')].slice(0, -1).map((cell) => Number(cell.textContent) || 0))"
    )
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (judged.targets, answers), 1)
    assert np.array_equal(cells, expected)


def test_the_graph_opens_by_click_and_by_key(opened):
    boxes = len(opened.all("#graph .box"))
    opened.click("#graph .node.folded")
    assert len(opened.all("#graph .box")) == boxes + 1
    opened.run("document.querySelector('#graph .node:not(.folded)').focus()")
    opened.keys(ARROW_DOWN)
    assert opened.run("return document.activeElement.classList.contains('node')")
    assert opened.text("#graph .panel h3")
    opened.run("document.querySelector('#graph .node.folded').focus()")
    opened.keys(ENTER)
    assert len(opened.all("#graph .box")) == boxes + 2
    opened.keys(ESCAPE)
    assert len(opened.all("#graph .box")) == boxes + 1


def test_an_equation_shows_what_the_engine_has(opened, contents):
    trained = contents.trained
    inputs, targets = (each[:8] for each in trained.training)
    found = graph(lambda inputs, targets: trained.loss(trained.model(inputs), targets), inputs, targets)
    node = next(node for node in found.nodes if node.kind == "tanh")
    opened.click("#graph [data-do=unfold]")
    opened.click("#graph [data-do=unfold]")
    opened.run(
        "[...document.querySelectorAll('#graph .node')].find((node) => node.textContent.startsWith('tanh'))"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    panel = opened.text("#graph .panel")
    for number in (
        node.value.mean,
        node.value.deviation,
        node.value.largest,
        node.gradient.mean,
        node.gradient.largest,
    ):
        assert show(number) in panel
    assert "tanh(" in panel and node.rule in panel and node.type in panel


def test_links_lead_through_the_graph(opened):
    opened.click("#graph [data-do=unfold]")
    opened.click("#graph .node:not(.folded)")
    title = opened.text("#graph .panel h3")
    opened.click("#graph .panel button.go")
    assert opened.text("#graph .panel h3") != title


def test_five_thousand_equations_open_folded(browser, tmp_path):
    def deep(x):
        for _ in range(1700):
            x = cr.sin(x)
        return x.sum()

    path = graph(deep, cr.ones(3)).save(tmp_path / "deep.html")
    assert path.stat().st_size < 3_000_000
    browser.open(path.as_uri())
    assert 0 < len(browser.all(".node")) < 80
    browser.click("[data-do=unfold]")
    assert len(browser.all(".node")) < 300
    assert browser.complaints() == []
