"""The playground in a real browser: a cycle step by step, and each number the engine's."""

from __future__ import annotations

import pytest

from chainrule.reports.html.numbers import show
from chainrule.reports.pages.playground import playground_page
from chainrule.reports.playground_session import Session
from chainrule.reports.serve import LoopbackServer

from .conftest import DESKTOP, PHONE

WAIT = 300


@pytest.fixture
def session():
    return Session()


@pytest.fixture
def opened(browser, session):
    server = LoopbackServer({"/": lambda _: playground_page(session)}, {"/act": session.act}).start()
    browser.open(server.url)
    yield browser
    server.stop()
    assert [each for each in browser.complaints() if "favicon" not in each] == []


def press(browser, what):
    browser.click(f"[data-do={what}]")


def wait_for(browser, script):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser.driver, WAIT).until(lambda driver: driver.execute_script(f"return {script}"))


def stage(browser):
    return browser.text(".stages .here")


def test_through_one_cycle_and_back(opened, session):
    assert stage(opened) == "example" and "?" in opened.text(".net")
    seen = ["example"]
    for _ in range(7):
        press(opened, "next")
        seen.append(stage(opened))
    assert seen == ["example", "forward 1", "output", "error", "error signal", "back 1", "gradients", "update"]
    shown = session.playground.cycle()
    assert "?" not in opened.text(".net") and f"E = {show(shown.error, 5)}" in opened.text(".net")
    press(opened, "next")
    wait_for(opened, "document.querySelector('figcaption').textContent === 'Example 2 of 4'")
    assert stage(opened) == "example" and session.playground.updates == 1
    press(opened, "back")
    wait_for(opened, "document.querySelector('figcaption').textContent === 'Example 1 of 4'")
    assert stage(opened) == "update" and session.playground.updates == 0


@pytest.mark.parametrize(("layer", "to", "source"), [(0, 1, 1), (1, 0, 2)])
def test_a_weights_chain_rule_in_the_engines_numbers(opened, session, layer, to, source):
    session.playground.look_at(1)
    opened.driver.refresh()
    opened.click(f'[data-wire="{layer},{to},{source}"]')
    cycle = session.playground.cycle()
    here = cycle.layers[layer]
    before = cycle.inputs if layer == 0 else cycle.layers[layer - 1].output
    panel = opened.text(".panel")
    numbers = (here.error_by_output[to], here.slope[to], before[source], here.weight_gradient[to, source])
    for number in (*numbers, here.weight[to, source], here.new_weight[to, source], cycle.error_after):
        assert show(number, 5) in panel
    product = here.error_by_output[to] * here.slope[to] * before[source]
    assert here.weight_gradient[to, source] == pytest.approx(product, rel=1e-12)


def test_units_by_keyboard(opened, session):
    opened.run("document.querySelector('[data-unit=\"0,0\"]').focus()")
    opened.keys("\ue007")
    layer = session.playground.cycle().layers[0]
    panel = opened.text(".panel")
    assert show(layer.net[0], 5) in panel and show(layer.delta[0], 5) in panel
    opened.keys("\ue014")
    assert opened.run("return document.activeElement.getAttribute('aria-label')") == "Unit h₂"


def test_training_and_other_networks(opened, session):
    press(opened, "sweep")
    wait_for(opened, "document.querySelector('.errors').textContent.includes('4 updates')")
    opened.run(
        "const s = document.querySelector('[name=hidden]'); s.value = '4, 4'; s.dispatchEvent(new Event('change'))"
    )
    wait_for(opened, "document.querySelectorAll('[data-unit]').length === 9")
    assert session.playground.choice.hidden == (4, 4)
    opened.click(".point")
    wait_for(opened, "document.querySelector('figcaption').textContent.startsWith('Example 1 ')")


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_it_fits(browser, session, size):
    server = LoopbackServer({"/": lambda _: playground_page(session)}, {"/act": session.act}).start()
    try:
        browser.open(server.url, size, dark=True)
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    finally:
        server.stop()
