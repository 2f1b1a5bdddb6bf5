"""Debian's Chromium without a window."""

import shutil

from selenium import webdriver
from selenium.webdriver.chrome.service import Service


def open_chromium():
    """A browser that keeps its log and its network traffic.

    Raises
    ------
    FileNotFoundError
        When it is not installed.
    """
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        raise FileNotFoundError("no chromium with chromedriver: install Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1440,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options, Service(driver))
