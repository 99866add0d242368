"""A real Chromium without a window. Where it or selenium is missing the tests are skipped, with the reason."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.reports.contents import Judged, RunContents, Trained

DESKTOP, PHONE = (1280, 900), (390, 844)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


class Browser:
    """The driver, with what these tests ask of it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, address: str, size: tuple[int, int] = DESKTOP, dark: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.complaints()
        self.driver.get(address)

    def complaints(self) -> list[str]:
        """What the console holds: errors, and what the page was not allowed to load."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def click(self, selector: str) -> None:
        self.run(
            "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});"
            "e.dispatchEvent(new MouseEvent('click', {bubbles: true}))",
            selector,
        )

    def keys(self, *keys: str) -> None:
        """Keys for what has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pages are not opened")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    helper = shutil.which("chromedriver")
    if program is None or helper is None:
        pytest.skip("no Chromium with chromedriver on this machine: pages are not opened in a browser")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={DESKTOP[0]},{DESKTOP[1]}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(helper))
        driver.set_script_timeout(300)
        try:
            yield Browser(driver)
        finally:
            driver.quit()


@pytest.fixture(scope="session")
def contents() -> RunContents:
    """A small network that has learned a little of the digits."""
    (images, labels), (test_images, test_labels) = cr.data.digits()
    cr.random.manual_seed(0)
    hidden = nn.Sequential(nn.Linear(784, 12), nn.Tanh())
    network = nn.Sequential(nn.Flatten(), hidden, nn.Linear(12, 10))
    first, optimizer = network.state_dict(), optim.Adam(network.parameters(), lr=0.01)
    data = (images[:600], labels[:600])
    history = cr.train.fit(network, optimizer, data=data, epochs=2, progress=False, validation=0.2)
    trained = Trained(
        network,
        nn.functional.cross_entropy,
        data,
        Judged("Test", test_images[:300], test_labels[:300]),
        tuple(map(str, range(10))),
        first=first,
        optimizer=lambda module: optim.Adam(module.parameters(), lr=0.01),
        image=(1, 28, 28),
    )
    return RunContents("A run", history.rows, {"settings": {"seed": 0}}, "chainrule train digits", trained=trained)


@pytest.fixture(scope="session")
def page(contents: RunContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from chainrule.reports.run_page import write_page

    return write_page(contents, tmp_path_factory.mktemp("page") / "report.html")
