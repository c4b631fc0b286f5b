"""A real browser for tests of pages: Playwright driving the Chromium that the set-up found.

One browser a module, for it takes a second to start; a context (its own cookies, nothing kept)
for each visitor.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tools import browser as tool

if TYPE_CHECKING:  # half a second that only the tests of pages should pay
    from playwright.sync_api import Browser, BrowserContext, Page

_ONE_PROCESS = ("--renderer-process-limit=1", "--disable-site-isolation-trials")
"""A new process for each site that a page goes to is a fifth of what our pages cost. Sites are kept
apart from each other by the same policies in one process."""

_WITHOUT = (
    # The address bar's list is a page of its own, with a process, in each visitor's window: half of
    # what a visitor costs, and nobody types an address.
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    # A fresh frame for each page, and a process in reserve for it: a sixth of what a page costs.
    "RenderDocument",
    "SpareRendererForSitePerProcess",
    # An option that is given again takes the place of Playwright's own, which has these.
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
"""Features of Chromium's that are switched off."""

_PATIENCE_MS = 30_000
"""How long an expected element or page may take, on a machine that does much else."""


class Visitor:
    """A person at a browser of their own, and everything its console complained of."""

    def __init__(self, context: "BrowserContext") -> None:
        self.context = context
        self.complaints: list[str] = []
        """Console errors and warnings, and exceptions of scripts, of all pages so far."""
        context.set_default_timeout(_PATIENCE_MS)
        context.on(
            "console",
            lambda message: (
                self.complaints.append(f"{message.type}: {message.text}")
                if message.type in ("error", "warning")
                else None
            ),
        )
        context.on("weberror", lambda error: self.complaints.append(f"exception: {error.error}"))

    def page(self, address: str) -> "Page":
        """Open an address in a new page."""
        page = self.context.new_page()
        page.goto(address)
        return page

    def clipboard(self, page: "Page") -> str:
        """Return the clipboard's text; the page's origin must have been permitted to read it."""
        return str(page.evaluate("navigator.clipboard.readText()"))


def enter(
    browser: "Browser",
    *,
    embedded: bool = False,
    width: int = 1280,
    height: int = 900,
    **options: object,
) -> Visitor:
    """Make a visitor.

    `embedded` lets pages in that the embedded tenant serves: its authority lives a day, in a file
    of one test, and the browser has no option to trust one for a context. Other options are those
    of Playwright's `new_context` (`locale`, `permissions`, …).
    """
    context = browser.new_context(
        viewport={"width": width, "height": height},
        ignore_https_errors=embedded,
        **{"locale": "ja-JP"} | options,  # type: ignore[arg-type]
    )
    return Visitor(context)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A browser for a module's tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=tool.needed().path,
            args=[*tool.QUIET, *_ONE_PROCESS, f"--disable-features={','.join(_WITHOUT)}"],
            chromium_sandbox=tool.can_sandbox(),
        )
        yield running
        running.close()


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Visit]:
    """Let a visitor in, as `enter` does; all leave when the test ends."""
    visitors: list[Visitor] = []

    def let_in(**options: Any) -> Visitor:
        visitors.append(enter(browser, **options))
        return visitors[-1]

    yield let_in
    for visitor in visitors:
        visitor.context.close()
