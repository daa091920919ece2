"""The verdict as one HTML file: to open from disk, to print, to attach to a ticket or an audit.

Everything is in it. It runs no script and asks no network, and says so to the browser by a
Content-Security-Policy of its own, because what it shows (names, labels) is anybody's.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from agent.archive.restore_command import block_to_paste
from agent.check.render_text import TOLD, answer, looked_at, reading_time
from agent.documents.drill import drill_document
from agent.documents.values import asked_for
from agent.html.axis import view_of, zooms_for
from agent.html.environment import SIGNS, render
from agent.html.static_files import static_files
from agent.html.svg import Drawn, draw
from parsers.sentences import joined, tr
from parsers.values import dataclass
from parsers.wal.facts import instant
from rules.chart.downsample import CloseUp, close_up
from rules.chart.from_report import picture_of
from rules.chart.model import Mark, MarkKind, Picture
from rules.model.findings import Severity
from rules.model.sequence import Gap
from rules.verdict.report import Report

ROWS_MAX: Final = 500  # of one table; the JSON document has all
_SHEETS: Final = ("page.css", "drawing.css", "report.css")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoomView:
    """One zoom of the drawing."""

    zoom: str
    seen: CloseUp
    drawn: Drawn


class _Anchors:
    """The marks lead to the rows of the tables in the same file."""

    def __init__(self, report: Report) -> None:
        self._ids: Mapping[tuple[MarkKind, str], str] = {
            **{
                (MarkKind.BACKUP, each.facts.url): f"#backup-{number}"
                for number, each in enumerate(report.backups[:ROWS_MAX], 1)
            },
            **{
                (MarkKind.RESTORE_POINT, each.point.name): f"#point-{number}"
                for number, each in enumerate(report.restore_points[:ROWS_MAX], 1)
            },
        }

    def to_mark(self, mark: Mark) -> str | None:
        others = {MarkKind.TARGET: "#target", MarkKind.DRILL: "#drill"}
        return self._ids.get((mark.kind, mark.name)) or others.get(mark.kind)

    def to_instant(self, at: datetime, timeline: int) -> str | None:
        return None


def render_html(report: Report, arguments: Sequence[str]) -> str:
    """The document. `arguments` are those of the command, to be repeated in it."""
    style = "\n".join(static_files()[name].content.decode() for name in _SHEETS)
    return render(
        "check.html",
        report=report,
        sign=SIGNS[report.verdict.value],
        answer=answer(report),
        worst=_worst(report),
        looked_at=looked_at(report),
        reading_time=joined(" ", reading_time(report)),
        asked=asked_for(report.target.target),
        told=TOLD[report.target.reachable],
        settings=block_to_paste(report),
        gaps=list(_gaps(report)),
        damaged=list(report.scan.damaged) if report.scan else [],
        unread=dict(report.scan.unread) if report.scan else {},
        points=[(each.timeline, each.point) for each in report.restore_points],
        drill=drill_document(report.drill) if report.drill else None,
        command=shlex.join(["pitr-check", *arguments]),
        rows_max=ROWS_MAX,
        instant=instant,
        style=Markup(style),
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        **_drawing(report),
    )


def _worst(report: Report) -> str | None:
    """What makes the verdict no better; None: nothing does."""
    found = report.findings
    return found[0].summary if found and found[0].severity is not Severity.INFO else None


def _drawing(report: Report) -> dict[str, Any]:
    picture = picture_of(report.case, report.now)
    views = list(_views(picture, report)) if picture else []
    return {
        "views": views,
        "notes": picture.notes if picture else (),
        "lanes": views[-1].seen.lanes if views else (),
    }


def _views(picture: Picture, report: Report) -> Iterator[ZoomView]:
    """All there is comes last, and is what is shown at first."""
    begin, end = picture.begin, picture.end
    title = tr(
        "Restorable windows of {cluster}", cluster=report.system_identifier or tr("the archive")
    )
    for zoom in zooms_for(begin, end):
        view = view_of(begin, end, zoom, until=None, around=None)
        seen = close_up(picture, view.begin, view.end)
        yield ZoomView(zoom=zoom, seen=seen, drawn=draw(seen, _Anchors(report), title))


def _gaps(report: Report) -> Iterator[tuple[str, Gap]]:
    for archive in report.archives:
        for gap in archive.sequence.gaps if archive.sequence else ():
            yield archive.facts.url, gap
