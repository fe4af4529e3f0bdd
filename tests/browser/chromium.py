"""Find a Chromium-like browser, and how to start it where there is no screen."""

import os
import shutil

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium():
    """Look for a Chromium-like browser; CHROMIUM names one that is not on the PATH."""
    names = [name for name in (os.environ.get("CHROMIUM"), *BROWSERS) if name]
    return next(filter(None, map(shutil.which, names)), None)
