"""Headless Chromium, by which tests look at pages; they are skipped where there is none."""

import contextlib
import functools
import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
_WIDTHS = (1280, 400, 360)  # of a screen and of telephones
_OPEN_DETAILS = "document.querySelectorAll('details').forEach(part => { part.open = true; })"
_PICTURES = "Promise.all([...document.images].map(async image => (await image.decode().catch(() => 0), image.alt)))"
_BROKEN_PICTURES = "[...document.images].filter(image => !image.naturalWidth).map(image => image.alt)"
_FOUND = ".md-search-result__link"
# References of elements to anything but data URIs and places in the page.
_REFERENCES = """
[...document.querySelectorAll('[src], [href], [srcset], [poster], [data], [action]')]
  .flatMap(element => ['src', 'href', 'srcset', 'poster', 'data', 'action'].map(name => element.getAttribute(name)))
  .filter(value => value && !value.startsWith('data:') && !value.startsWith('#'))
"""


@functools.cache
def executable() -> str | None:
    """Returns the path of Chromium or Chrome; a name on the PATH may be a wrapper without a browser, so it is run."""
    for path in filter(None, map(shutil.which, _NAMES)):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run([path, "--version"], check=True, capture_output=True, timeout=60)
            return path
    return None


@contextlib.contextmanager
def launch() -> Iterator["Browser"]:
    """Starts a browser for as long as the block lasts; skips the test if there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not executable():
        pytest.skip("there is no Chromium or Chrome on the PATH")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable(), args=_FLAGS)
        yield Browser(chromium)
        chromium.close()


def _collect(page, event: str) -> list:
    """Returns a list that grows with each event of a page."""
    events = []
    page.on(event, lambda value: events.append(value))
    return events


class Browser:
    """A running browser."""

    def __init__(self, chromium):
        self._chromium = chromium

    def evaluate(self, path: pathlib.Path, expression: str) -> object:
        """Opens a page and returns the value of an expression in it."""
        page = self._chromium.new_page()
        page.goto(path.as_uri())
        value = page.evaluate(expression)
        page.close()
        return value

    def problems(self, path: pathlib.Path) -> tuple[list[str], list[str]]:
        """Opens a page that should be complete in one file, on a screen and on a telephone.

        Returns:
          The problems of the page, and the `alt` texts of its pictures.
        """
        problems = []
        with self._visit(path.as_uri(), path.as_uri(), problems) as page:
            pictures = page.evaluate(_PICTURES)
            problems += [f"refers to {reference}" for reference in page.evaluate(_REFERENCES)]
        return problems, pictures

    def problems_of_address(self, address: str, site: str) -> list[str]:
        """Opens a page of a site that loads nothing from elsewhere; returns its problems."""
        problems = []
        with self._visit(address, site, problems):
            pass
        return problems

    def search(self, address: str, words: str) -> list[str]:
        """Returns the addresses that the search of a site finds, from one of its pages."""
        with contextlib.closing(self._chromium.new_page()) as page:
            page.goto(address)
            page.fill("[data-md-component=search-query]", words)
            page.wait_for_selector(_FOUND)
            return page.evaluate(f"[...document.querySelectorAll('{_FOUND}')].map(link => link.href)")

    @contextlib.contextmanager
    def _visit(self, address: str, site: str, problems: list[str]):
        """Opens a page on screens of all widths, and at the end of the block appends what is wrong with it.

        Args:
          address: Address of the page.
          site: Start of the addresses that it may request.
          problems: The list of problems.
        """
        page = self._chromium.new_page(viewport={"width": _WIDTHS[0], "height": 800})
        messages, errors, requests = (_collect(page, event) for event in ("console", "pageerror", "request"))
        page.goto(address)
        page.evaluate(_OPEN_DETAILS)
        page.evaluate(_PICTURES)
        yield page
        for width in _WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
                problems.append(f"is {needed} pixels wide on a screen of {width}")
        errors += [message.text for message in messages if message.type in ("error", "warning")]
        problems += [f"error: {error}" for error in errors]
        addresses = {request.url for request in requests if not request.url.startswith("data:")}
        problems += [f"requests {address}" for address in addresses if not address.startswith(site)]
        problems += [f"cannot show {picture}" for picture in page.evaluate(_BROKEN_PICTURES)]
        page.close()
