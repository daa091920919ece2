"""The fleet as one HTML file, to be printed or sent: no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from agent.documents import fleet_words as words
from agent.html.environment import SIGNS, render
from agent.html.static_files import static_files
from rules.fleet.line import FleetLine

_SHEETS: Final = ("page.css", "report.css")


def render_fleet(lines: Sequence[FleetLine], now: datetime, within: timedelta) -> str:
    style = "\n".join(static_files()[name].content.decode() for name in _SHEETS)
    return render(
        "fleet_report.html",
        lines=lines,
        worst=lines[0].verdict.value,
        sign=SIGNS[lines[0].verdict.value],
        said=words.in_a_line(lines),
        needs_backup=words.needs_backup(lines, now, within),
        words=words,
        now=now,
        style=Markup(style),
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
