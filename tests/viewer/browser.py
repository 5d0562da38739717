"""Chromium without a screen, and OHIF's page in it as a person sees it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response, sync_playwright

from tests.tools import tool

_OPTIONS: Final = (
    "--no-sandbox",
    # WebGL computed by the processor
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    # no calls to anybody
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
_TIMEOUT_MS: Final = 60_000
# the thumbnails have canvases too, for a while
_CANVAS: Final = "[data-cy=viewport-pane] canvas.cornerstone-canvas"
_SKIP_THE_TOUR: Final = "localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))"
_LOOK: Final = """canvas => {
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const greys = new Set();
  let count = 0, x = 0, y = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    const [r, g, b] = [pixels[i], pixels[i + 1], pixels[i + 2]];
    if (Math.max(r, g, b) - Math.min(r, g, b) > 8) {
      count += 1; x += (i / 4) % canvas.width; y += Math.floor(i / 4 / canvas.width);
    } else greys.add(r);
  }
  return {width: canvas.width, height: canvas.height, greys: greys.size, coloured: count, x: x / count, y: y / count};
}"""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the canvas of a viewport shows of a CT that fills it; a CT is grey, so colour comes from what lies over it.

    Attributes
    ----------
    greys
        How many different greys there are.
    coloured
        Area of all coloured pixels, in pixels of the CT.
    centre
        Their centre as (column, row) of the CT.
    """

    greys: int
    coloured: float
    centre: tuple[float, float]


@dataclass
class Viewer:
    """OHIF in a page of a browser.

    Attributes
    ----------
    faults
        Errors on the console, exceptions that nobody caught, and requests that were refused, since the page was opened.
    """

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def open_list(self) -> None:
        self.page.goto(self.url)

    def open_study(self, study: str) -> None:
        """Open a study afresh: what was shown before leaves traces."""
        self.page.goto("about:blank")
        self.faults.clear()
        self.page.goto(f"{self.url}/viewer?StudyInstanceUIDs={study}")
        self.wait_until(lambda: self.page.locator(_CANVAS).count() == 1 and self.look().greys > 50)

    def show(self, series_number: int) -> None:
        """Open a series in the viewport."""
        self.page.locator(f'[data-series="{series_number}"]').first.dblclick()

    def series(self) -> list[tuple[int, str]]:
        """Series Number and text of each entry of the study's list."""
        entries = self.page.locator("[data-series]")
        return [(int(one.get_attribute("data-series") or 0), one.inner_text()) for one in entries.all()]

    def text(self) -> str:
        return self.page.locator("body").inner_text()

    def drawn(self) -> str:
        """Text that is drawn over the image."""
        return " ".join(self.page.locator("svg.svg-layer").all_text_contents())

    def panel(self, name: str) -> None:
        """Open one of the panels at the right."""
        self.page.locator(f"[data-cy={name}-btn]").click()

    def control(self, name: str) -> Locator:
        return self.page.locator(f"[data-cy={name}]")

    def instance_number(self) -> int:
        """Instance Number of the image that the viewport shows."""
        found = re.search(r"I:(\d+)", self.control("viewport-overlay-bottom-right").inner_text())
        return int(found.group(1)) if found else 0

    def look(self, *, size: int = 256) -> Shown:
        """What the only viewport shows of a CT of `size` rows and columns."""
        found = self.page.locator(_CANVAS).evaluate(_LOOK)
        scale = min(found["width"], found["height"]) / size
        middle = (size - 1) / 2
        centre = (
            (((found["x"] or 0) - found["width"] / 2) / scale + middle),
            (((found["y"] or 0) - found["height"] / 2) / scale + middle),
        )
        return Shown(found["greys"], found["coloured"] / scale**2, centre)

    def wait_until(self, ready: Any, *, timeout_ms: int = _TIMEOUT_MS) -> None:
        """Let the page work until `ready` is true; fails with its text when it never is."""
        for _ in range(timeout_ms // 200):
            if ready():
                return
            self.page.wait_for_timeout(200)
        raise AssertionError(f"the page does not come to show what it should: {self.faults}\n{self.text()[-3000:]}")

    def photograph(self, path: Path) -> None:
        """Keep what is shown as an image."""
        self.page.screenshot(path=path)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium with an empty profile."""
    program = tool("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS, headless=True)
        try:
            yield browser
        finally:
            browser.close()


def viewer_at(browser: Browser, url: str) -> Viewer:
    """A page for OHIF at `url`."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(_TIMEOUT_MS)
    page.add_init_script(_SKIP_THE_TOUR)
    viewer = Viewer(page, url)

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            viewer.faults.append(message.text)

    def answered(response: Response) -> None:
        if response.status >= 400 or not response.url.startswith(url):
            viewer.faults.append(f"{response.status} {response.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: viewer.faults.append(str(error)))
    page.on("response", answered)
    return viewer
