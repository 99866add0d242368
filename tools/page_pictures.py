"""Takes the pictures of pages for the documents, in a Chromium without a window.

python tools/page_pictures.py docs/pictures
"""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver

from chainrule.reports.pages.playground import playground_page
from chainrule.reports.playground_session import Session
from chainrule.reports.serve import LoopbackServer

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars")
QUIET = ("--disable-background-networking", "--disable-component-update")
WIDTH, SCALE, COLOURS = 1000, 2, 256
TRAINING = ("train", "digits", "--network", "mlp", "--hidden", "16", "--epochs", "6", "--quiet")


def browser(profile: str) -> Any:
    """A fresh Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}", "--disable-sync", *QUIET):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    metrics = {"width": WIDTH, "height": 800, "deviceScaleFactor": SCALE, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    return driver


def take(driver: Any, selector: str, target: Path) -> None:
    """A picture of one element, with as few colours as it needs."""
    box = driver.execute_script(
        "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height}",
        selector,
    )
    options = {"captureBeyondViewport": True, "clip": {**box, "scale": 1}}
    shot = base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"])
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1024:.0f} KiB")


def credit_map(driver: Any, folder: Path, target: Path) -> None:
    """Train on the digits, and take the credit of the weights that see the image."""
    command = [sys.executable, "-m", "chainrule"]
    subprocess.run([*command, *TRAINING, "--run", str(folder / "run")], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*command, "report", str(folder / "run"), "-o", str(folder / "page.html")], check=True)
    driver.get((folder / "page.html").as_uri())
    take(driver, "#credit figure.broad", target)


def worked_chain_rule(driver: Any, target: Path) -> None:
    """The playground after the backward pass, with a weight of the hidden layer worked out."""
    session = Session()
    session.playground.train(60)
    session.playground.look_at(1)
    server = LoopbackServer({"/": lambda _: playground_page(session)}, {"/act": session.act}).start()
    driver.get(server.url)
    driver.execute_script(
        "for (let step = 0; step < 6; step += 1) document.querySelector('[data-do=next]').click();"
        "document.querySelector('[data-wire=\"0,1,1\"]').dispatchEvent(new MouseEvent('click', {bubbles: true}));"
        "document.querySelector('.pair').remove(); document.activeElement.blur()"
    )
    take(driver, ".playground", target)
    server.stop()


def main() -> None:
    """Both pictures, into the folder given."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver = browser(str(Path(folder) / "profile"))
        try:
            credit_map(driver, Path(folder), target / "credit-map.png")
            worked_chain_rule(driver, target / "worked-chain-rule.png")
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
