"""axe-core, the accessibility engine that browsers' own tools use, run inside a page.

Its npm package is fetched when it is first needed and kept beside the test servers.

    python -m tests.accessibility     fetch it now, where a browser is here to run it
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from tests import npm_servers
from tests.fix_tools import need_program

_VERSION: Final = "4.14.1"
_GRAVE: Final = ("serious", "critical")


def grave_violations(page: Page) -> list[str]:
    """What axe-core calls serious or critical: the rule, and the elements that break it."""
    page.evaluate(_engine().read_text())
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(found["passes"]) > 5, "it has looked at nothing"
    return [
        f"{each['id']}: {[node['target'] for node in each['nodes']]}"
        for each in found["violations"]
        if each["impact"] in _GRAVE
    ]


def _engine() -> Path:
    kept = npm_servers.directory() / f"axe-core-{_VERSION}.min.js"
    if not kept.is_file():
        need_program("npm")
        npm_servers.directory().mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=npm_servers.directory()) as scratch:
            package = npm_servers.unpack("axe-core", _VERSION, Path(scratch))
            shutil.move(package / "axe.min.js", kept)  # whole, or not there
    return kept


if __name__ == "__main__":
    if shutil.which("chromium") and shutil.which("npm"):
        _engine()
