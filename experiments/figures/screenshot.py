"""Pictures of pages, taken in headless Chromium."""

import pathlib
import shutil

from experiments.run.command_line import UserError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


def take(page: pathlib.Path, size: tuple[int, int], script: str) -> bytes:
    """Returns a picture of a page, as a PNG.

    Args:
      page: The page, a file.
      size: Width and height of the window in pixels.
      script: JavaScript that is run in the page before.

    Raises:
      UserError: If there is no Playwright or no browser.
    """
    try:
        from playwright import sync_api
    except ImportError:
        raise UserError("needs Playwright, which the extra [test] brings") from None
    with sync_api.sync_playwright() as driver:
        try:
            path = next(filter(None, map(shutil.which, _BROWSERS)), None)
            browser = driver.chromium.launch(executable_path=path, args=_FLAGS)
        except sync_api.Error as error:
            raise UserError(f"needs Chromium or Chrome: {str(error).splitlines()[0]}") from None
        tab = browser.new_page(viewport={"width": size[0], "height": size[1]})
        tab.goto(page.as_uri())
        tab.evaluate(script)
        tab.wait_for_timeout(300)  # until the next frame is drawn
        picture = tab.screenshot()
        browser.close()
    return picture
