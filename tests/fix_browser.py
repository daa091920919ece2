"""A real Chromium (Debian package `chromium`), driven by Playwright, that tells what a page did.

    def test_x(browse):
        tab = browse(url)                             # in a context of its own
        tab = browse(url, color_scheme="dark", viewport=PHONE)
        tab.page.get_by_role("heading")...            # Playwright's page

At the end of the test every tab must have been *clean*: no request but to its own origin, no
violation of the Content-Security-Policy, no error on the console, no exception in a script, no
dialog.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from tests.fix_tools import PATIENCE_SECONDS, need, need_program

PHONE: Final = {"width": 390, "height": 844}
DESK: Final = {"width": 1280, "height": 900}
PATIENCE_MS: Final = 1000 * PATIENCE_SECONDS
expect.set_options(timeout=PATIENCE_MS)

# Root may not use the sandbox; /dev/shm of a container is small.
_OPTIONS: Final = ("--disable-dev-shm-usage", "--disable-gpu")
# The console tells it as well, in words that change from release to release.
_WITNESS: Final = """
document.addEventListener("securitypolicyviolation", event =>
  tellRefused(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""
# What the browser and htmx say then.
_REQUEST_FAILED: Final = ("Failed to load resource", "htmx:")


class Tab:
    """A page, and what went wrong in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.complaints: list[str] = []
        self._origin = _origin(url)
        self._outage = False
        context.expose_binding("tellRefused", lambda _, text: self._complain("refused", text))
        context.add_init_script(_WITNESS)
        self.page = page = context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._complain("exception", str(error)))
        page.on("request", self._see)
        page.on("dialog", self._dismiss)
        page.goto(url)

    def hear_all(self) -> None:
        """Wait for what the page has said and is still on its way."""
        if not self.page.is_closed():
            self.page.evaluate("null")

    def expect_outage(self) -> None:
        """From now on requests may fail: the agent is stopped on purpose."""
        self._outage = True

    def _complain(self, kind: str, text: str) -> None:
        self.complaints.append(f"{kind}: {text}")

    def _hear(self, message: ConsoleMessage) -> None:
        of_outage = self._outage and message.text.startswith(_REQUEST_FAILED)
        if message.type == "error" and not of_outage:
            self._complain("console", f"{message.text} {message.location}")

    def _see(self, request: Request) -> None:
        if _origin(request.url) != self._origin and not request.url.startswith("data:"):
            self._complain("request", request.url)

    def _dismiss(self, dialog: Dialog) -> None:
        self._complain("dialog", dialog.message)
        dialog.dismiss()


def _origin(url: str) -> str:
    """Scheme, host and port; of a file its path."""
    parts = urlsplit(url)
    return parts.path if parts.scheme == "file" else f"{parts.scheme}://{parts.netloc}"


def launch(playwright: Playwright) -> Browser:
    """Start the distribution's Chromium."""
    program = need_program("chromium")
    options = [*_OPTIONS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return playwright.chromium.launch(executable_path=program, args=options)


# Not the session's: Playwright keeps its event loop running in the thread of the tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need_program("chromium")
    need("libatomic")
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


Browse = Callable[..., Tab]


@pytest.fixture
def browse(browser: Browser) -> Iterator[Browse]:
    """Open tabs; options are those of a Playwright context. Each must be clean at the end."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def open_tab(url: str, **options: Any) -> Tab:
        context = browser.new_context(**{"viewport": DESK, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        tabs.append(Tab(context, url))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.hear_all()
    for context in contexts:
        context.close()
    assert not [complaint for tab in tabs for complaint in tab.complaints]
