"""The parts of a page: what they hold is what they were given, to the last bit."""

from __future__ import annotations

import re

import numpy as np
import pytest

from chainrule.reports.credit_record import Credit, CreditSteps
from chainrule.reports.flow_record import Flow, FlowFinding, FlowRow
from chainrule.reports.html.document import Document, Section, inline
from chainrule.reports.html.markup import element
from chainrule.reports.html.numbers import show, unpacked
from chainrule.reports.pages.credit import credit_section
from chainrule.reports.pages.curves import curves_section
from chainrule.reports.pages.flow import flow_section
from chainrule.reports.pages.results import confusion_section, residuals_section

from ..html.reading import check, data_of


def credit(steps: int = 4) -> Credit:
    generator = np.random.default_rng(0)
    weights = {"1.weight": generator.normal(size=(3, 16)), "1.bias": generator.normal(size=3)}
    sums = np.array([[each.sum() / steps for each in weights.values()]] * steps)
    total = sums.sum(axis=1)
    before = 5 + np.concatenate([[0], np.cumsum(total)[:-1]])
    counts = np.full((steps, 2), 1)
    by_class = np.stack([sums * 0.25, sums * 0.75], axis=2)
    numbers = np.arange(steps)
    spans = CreditSteps(
        first=numbers,
        last=numbers + 1,
        epoch=numbers // 2 + 1,
        loss_before=before,
        loss_after=before + total,
        residual=np.zeros(steps),
        raw_residual=np.full(steps, 1e-9),
        evaluations=np.full(steps, 3),
        converged=np.ones(steps, bool),
        credit=sums,
        helped=counts,
        hurt=counts,
        by_class=by_class,
    )
    names, kinds = ("1.weight", "1.bias"), ("Linear", "Linear")
    return Credit(names, (True, True), ("1", "1"), kinds, weights, spans, 10, 1e-6, classes=("a", "b"))


def flow() -> Flow:
    rows = tuple(
        FlowRow(step, 1, layer, "ReLU", 0.5, 0.1, 0.25, None, 8, 3, 1e-3, None, None, None, None)
        for step in (0, 10)
        for layer in ("1", "3")
    )
    return Flow(
        rows, (FlowFinding("1", "ReLU", "dead units", "warning", 0, 10, "3 of 8 are dead.", "Lower the rate."),)
    )


def test_credit_adds_up_on_the_page():
    made = credit()
    text = credit_section(made, (1, 4, 4)).markup()
    check(text)
    maps = [each for each in data_of(text) if "arrays" in each]
    total = sum(float(unpacked(each["arrays"]["credit"]).sum()) for each in maps)
    assert total == pytest.approx(made.loss_after - made.loss_before, rel=1e-12)
    assert show(made.change) in text and show(made.total) in text
    assert unpacked(maps[0]["arrays"]["credit"]).shape == (3, 4, 4)


def test_flow_names_what_is_wrong():
    text = flow_section(flow()).markup()
    check(text)
    assert "dead units" in text and "Lower the rate." in text and "3 of 8" in text
    assert "Nothing to object to" in flow_section(Flow((), ())).markup()


def test_confusion_and_residuals():
    matrix = np.array([[5, 1], [0, 4]])
    text = confusion_section(("cat", "<dog>"), matrix, "Test", 0.6).markup()
    check(text)
    assert data_of(text)[0]["matrix"] == matrix.tolist() and "90.0 %" in text and "&lt;dog&gt;" in text
    wanted, predicted = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    text = residuals_section(predicted, wanted, "price", "Test").markup()
    check(text)
    assert data_of(text)[0] == {"x": wanted.tolist(), "y": predicted.tolist()} and ">0.5<" in text


def test_a_document_needs_nothing_else():
    rows = [{"epoch": n, "loss": 1 / n, "val_loss": 2 / n, "accuracy": 0.5, "lr": 0.1, "seconds": n} for n in (1, 2, 3)]
    text = Document("A <run>", [curves_section(rows), credit_section(credit()), flow_section(flow())]).text()
    check(re.sub(r"<!doctype html>", "", text))
    assert "A &lt;run&gt;" in text
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert not re.search(r"@import|url\((?!#)|https?://(?!www\.w3\.org/)", text)


def test_a_notebook_shows_a_frame():
    text = inline([Section("a", "A", element("p", 'x "quoted"'))], "Title")
    assert text.startswith("<iframe") and "&quot;quoted&quot;" not in text.split("srcdoc=")[0]
    assert all(each._repr_html_().startswith("<iframe") for each in (credit(), flow()))
