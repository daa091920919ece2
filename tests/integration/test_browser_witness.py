"""The witness of the browser tests: what a page does wrong is seen."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.fix_browser import Browse
from tests.waiting import wait_until

_UNCLEAN = b"""<!doctype html><title>unclean</title><link rel="icon" href="data:,">
<script src="/said.js"></script><script>window.inline = 1</script>
<p style="color: red">x</p><img src="http://127.0.0.1:9/elsewhere.png">
"""
_SAID = b"console.error('said aloud'); alert('asked'); throw new Error('thrown');"


class _Unclean(http.server.BaseHTTPRequestHandler):
    """Breaks every rule of a clean page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Security-Policy", "default-src 'self'; img-src * data:")
        kind = "text/javascript" if self.path == "/said.js" else "text/html"
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(_SAID if self.path == "/said.js" else _UNCLEAN)

    def log_message(self, *_: object) -> None:
        """Nothing on the tests' output."""


@pytest.fixture
def unclean_url() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Unclean)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_a_page_does_wrong_is_seen(browse: Browse, unclean_url: str) -> None:
    """Else the other tests would prove nothing."""
    tab = browse(unclean_url)
    expected = {
        "refused: script-src-elem: inline",
        "refused: style-src-attr: inline",
        "request: http://127.0.0.1:9/elsewhere.png",
        "console: said aloud",
        "console: Failed to load resource",
        "dialog: asked",
        "exception: thrown",
    }

    def unseen() -> set[str]:
        tab.hear_all()
        return {each for each in expected if not any(c.startswith(each) for c in tab.complaints)}

    wait_until(lambda: not unseen(), "the witness tells of each")
    tab.complaints.clear()
