"""An auditor's page: the document of a period as one HTML file that prints well.

It runs no script and asks no network, and says so to the browser: what it shows is anybody's.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from agent.html.environment import SIGNS, render
from agent.html.static_files import static_files
from parsers.sentences import tr

_SHEETS: Final = ("page.css", "report.css", "evidence.css")
# In a bar of verdicts, the order of what is best to worst, and what is not known.
OBJECTIVES: Final = {
    "rpo": tr("data loss (RPO)"),
    "rto": tr("duration of a restore (RTO)"),
    "window": tr("how far back a restore reaches"),
    "backup_age": tr("age of the newest backup"),
    "drill_age": tr("age of the last good drill"),
}


def render_report(document: Mapping[str, Any]) -> str:
    """The page of `agent.evidence.period.report_document`."""
    style = "\n".join(static_files()[name].content.decode() for name in _SHEETS)
    return render(
        "evidence.html",
        report=document,
        chain=document["chain"],
        instant=datetime.fromisoformat,
        objectives=OBJECTIVES,
        sign=SIGNS[document["verdict"]],
        total_seconds=(
            datetime.fromisoformat(document["to"]) - datetime.fromisoformat(document["from"])
        ).total_seconds(),
        style=Markup(style),
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
