"""Debian's Chromium, driven by its own driver: what a page does for those who look at it."""

import json
import shutil
from contextlib import contextmanager

import pytest

WINDOW = (1100, 1000)


@contextmanager
def open_chromium(*, window=WINDOW, dark=False):
    """Yield a `selenium.webdriver.Chrome` without a screen; skip the test where it is not there."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("Chromium is not there: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    width, height = window
    # In a container there is neither a sandbox for root nor much of /dev/shm.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--autoplay-policy=no-user-gesture-required", f"--window-size={width},{height}",
                     *(["--force-dark-mode"] if dark else [])):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def complaints(chrome):
    """What stands in the console since it was last asked."""
    return [entry["message"] for entry in chrome.get_log("browser")]


def requests(chrome):
    """Every address that was asked for since this was last called, but for data in the page itself."""
    told = (json.loads(entry["message"])["message"] for entry in chrome.get_log("performance"))
    addresses = (
        one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"
    )
    return [address for address in addresses if not address.startswith("data:")]
