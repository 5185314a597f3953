"""What a browser makes of a page: headless Chromium, by its DevTools protocol over a pipe."""

import base64
import contextlib
import functools
import itertools
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
          "--disable-background-networking", "--disable-extensions", "--remote-debugging-pipe")  # fmt: skip
_SECONDS = 60.0  # for any answer
_WIDTHS = (1280, 360)

# Of every picture: its size, 0 where it could not be decoded, and how Chromium's decoder finds it moves.
_PROBE = """
(async () => Promise.all([...document.images].map(async image => {
  await image.decode().catch(() => null);
  const found = {alt: image.alt, width: image.naturalWidth, frames: 0, loops: false};
  const source = image.src.match(/^data:([^;]+);base64,(.*)$/);
  if (source && image.naturalWidth) {
    const data = Uint8Array.from(atob(source[2]), character => character.charCodeAt(0));
    const decoder = new ImageDecoder({data, type: source[1]});
    await Promise.all([decoder.tracks.ready, decoder.completed]);
    const track = decoder.tracks.selectedTrack;
    Object.assign(found, {frames: track.frameCount, loops: track.repetitionCount === Infinity});
  }
  return found;
})))()
"""


# What elements refer to beside data URIs and places in the page.
_REFERENCES = """
[...document.querySelectorAll('[src], [href], [srcset], [poster], [data], [action]')]
  .flatMap(element => ['src', 'href', 'srcset', 'poster', 'data', 'action'].map(name => element.getAttribute(name)))
  .filter(value => value && !value.startsWith('data:') && !value.startsWith('#'))
"""


class Image(NamedTuple):
    """A picture of a page.

    Attributes:
      alt: its text.
      width: in its own pixels; 0 if it could not be decoded.
      frames: more than one if it moves.
      loops: whether it does so without end.
    """

    alt: str
    width: int
    frames: int
    loops: bool


@functools.cache
def find() -> str | None:
    """The path of Chromium or Chrome that runs, as a name may be a shim without one behind; None if there is none."""
    for path in filter(None, map(shutil.which, _NAMES)):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run([path, "--version"], check=True, capture_output=True, timeout=_SECONDS)
            return path
    return None


class Page:
    """A page in a browser; `open_page` makes it.

    Attributes:
      errors: uncaught exceptions, `console.error`, and what else the browser reports as an error or a warning.
      requests: addresses that it asked for, data URIs left out.
    """

    def __init__(self, to_browser: int, from_browser: int):
        self.errors, self.requests = [], []
        self._to, self._from = to_browser, from_browser
        self._buffer, self._numbers, self._session, self._loaded = b"", itertools.count(1), None, False
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def load(self, address: str, width: int = 1280, height: int = 800) -> None:
        """Opens an address in a window of a size and waits until all of it is loaded."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self._loaded = False
        self._call("Page.navigate", url=address)
        while not self._loaded:
            self._read()

    def evaluate(self, script: str) -> Any:
        """The value of a script in the page."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"the script failed: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def images(self) -> list[Image]:
        """The pictures, each decoded."""
        return [Image(**found) for found in self.evaluate(_PROBE)]

    def screenshot(self, element: str = "document.documentElement") -> bytes:
        """A PNG of an element, given as a script that finds it, from top to bottom."""
        box = self.evaluate(
            f"(() => {{ const box = {element}.getBoundingClientRect();"
            " return {x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height}; })()"
        )
        clip = {**box, "scale": 1}
        return base64.b64decode(
            self._call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        )

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        content = json.dumps(message).encode() + b"\0"
        while content:
            content = content[os.write(self._to, content) :]
        while (answer := self._read()).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        """The next message, what it tells of the page noted."""
        deadline = time.monotonic() + _SECONDS
        while b"\0" not in self._buffer:
            ready, *_ = select.select([self._from], [], [], max(deadline - time.monotonic(), 0.0))
            part = os.read(self._from, 1 << 20) if ready else b""
            if not part:
                raise RuntimeError("Chromium ended" if ready else f"Chromium did not answer within {_SECONDS:.0f} s")
            self._buffer += part
        content, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(content)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, event: str | None, params: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["exception"].get("description", "an exception"))
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(value.get("value")) for value in params["args"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        elif event == "Network.requestWillBeSent" and not params["request"]["url"].startswith("data:"):
            self.requests.append(params["request"]["url"])


def problems(page: Page, path: pathlib.Path) -> list[str]:
    """What is wrong with a page that should be whole in one file, on a screen and on a telephone."""
    page.errors.clear()
    page.requests.clear()
    found = []
    for width in _WIDTHS:
        page.load(path.as_uri(), width)
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
            found.append(f"is {needed} pixels wide on a screen of {width}")
    found += [f"error: {error}" for error in page.errors]
    found += [f"asks for {address}" for address in page.requests if address != path.as_uri()]
    found += [f"refers to {reference}" for reference in page.evaluate(_REFERENCES)]
    images = page.images()
    found += [f"cannot show {image.alt}" for image in images if not image.width]
    for i, image in enumerate(images):
        if image.frames > 1 and not (image.loops and _moves(page, f"document.images[{i}]")):
            found.append(f"does not play {image.alt}")
    return found


def _moves(page: Page, element: str) -> bool:
    first, end = page.screenshot(element), time.monotonic() + _SECONDS
    while page.screenshot(element) == first:
        if time.monotonic() > end:
            return False
    return True


@contextlib.contextmanager
def open_page(profile: pathlib.Path) -> Iterator[Page]:
    """Starts a browser with an empty page, its files below a directory of its own, and ends it with the block."""
    read_commands, to_browser = os.pipe()
    from_browser, write_answers = os.pipe()
    # The browser takes its commands from descriptor 3 and answers to 4.
    shell = f'exec "$@" 3<&{read_commands} 4>&{write_answers}'
    command = ["bash", "-c", shell, "chromium", find(), *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with contextlib.ExitStack() as stack:
        for descriptor in (to_browser, from_browser):
            stack.callback(os.close, descriptor)
        process = subprocess.Popen(
            command, pass_fds=(read_commands, write_answers), stderr=subprocess.DEVNULL, start_new_session=True
        )
        stack.callback(_end, process)
        for descriptor in (read_commands, write_answers):
            os.close(descriptor)
        yield Page(to_browser, from_browser)


def _end(process: subprocess.Popen) -> None:
    """Ends the browser and the processes it started, which are a group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def assert_works(test, path: pathlib.Path) -> None:
    """Fails a test if there is anything wrong with a page; skips it where there is no browser."""
    if not find():
        test.skipTest("there is no Chromium or Chrome on the PATH")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, open_page(pathlib.Path(profile)) as page:
        test.assertEqual(problems(page, path), [])
