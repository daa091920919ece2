"""The stretches of the picture: windows, gaps, damage, and what was not read, each in time.

Only a window that was read record by record has instants of its own. Everything else has LSNs, and
is placed between the dated places around it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import NamedTuple

from parsers.errors import ParseError
from parsers.segment import parse_segment_name
from parsers.sentences import tr
from parsers.values import dataclass
from rules.archive.dated_wal import Dating
from rules.backup.completeness import BackupState
from rules.chart.model import Seen, SeenBackup, Span, SpanKind
from rules.model.counted import counted
from rules.model.facts import DamagedSegment
from rules.model.sequence import ACKNOWLEDGED, Gap
from rules.model.windows import Window

_ORDER = list(SpanKind)


@dataclass(slots=True)
class Painted:
    """The spans of each timeline, and words about what has no instant."""

    spans: dict[int, list[Span]] = field(default_factory=lambda: defaultdict(list))
    undated: list[str] = field(default_factory=list)

    def add(self, timeline: int, span: Span) -> None:
        self.spans[timeline].append(span)


def lane_spans(seen: Seen, dating: Dating) -> Painted:
    """Every span, by timeline, in the order of painting."""
    painted = Painted()
    _paint_windows(seen, dating, painted)
    for timeline in seen.tree.timelines:
        _paint_wal(timeline, seen, dating, painted)
    for backup in seen.backups:
        _paint_unproven(backup, seen, dating, painted)
    for gap in seen.gaps:
        _paint_gap(gap, seen, dating, painted)
    for damage in _worst_by_segment(seen):
        _paint_damage(damage, seen, dating, painted)
    _paint_unread(seen, dating, painted)
    _paint_exposed(seen, painted)
    for spans in painted.spans.values():
        spans.sort(key=lambda span: (_ORDER.index(span.kind), span.begin))
    return painted


def _is_read(seen: Seen) -> bool:
    return seen.scan is not None and seen.scan.depth == "records"


def _paint_wal(timeline: int, seen: Seen, dating: Dating, painted: Painted) -> None:
    """What there is of WAL outside the windows, which are painted already."""
    extent = dating.extents.get(timeline)
    if extent is None and _is_read(seen):
        painted.undated.append(
            tr("of timeline {timeline} nothing with a time was read", timeline=timeline)
        )
    elif extent is not None and _is_read(seen):
        what = tr(
            "timeline {timeline}: there is WAL, but no backup from which to replay it",
            timeline=timeline,
        )
        for begin, end in _outside(extent, painted.spans[timeline]):
            painted.add(timeline, Span(kind=SpanKind.WAL, begin=begin, end=end, what=what))
    else:
        _paint_unread_timeline(timeline, extent[0] if extent else None, seen, dating, painted)


def _paint_unread_timeline(
    timeline: int, first: datetime | None, seen: Seen, dating: Dating, painted: Painted
) -> None:
    """From the first instant known of it on: up to when is not known."""
    begin = first or dating.forked_at(timeline)
    what = tr("timeline {timeline}: its records were not read", timeline=timeline)
    if begin is None:
        painted.undated.append(tr("{what}, and nothing else tells when it was written", what=what))
        return
    end = max(begin, seen.now)
    span = Span(kind=SpanKind.UNPROVEN, begin=begin, end=end, what=what, exact=False)
    painted.add(timeline, span)


def _outside(
    extent: tuple[datetime, datetime], windows: Iterable[Span]
) -> Iterator[tuple[datetime, datetime]]:
    """What the windows, of which no two overlap, leave of an extent."""
    begin, end = extent
    for window in sorted(windows, key=lambda window: window.begin):
        if begin < window.begin:
            yield begin, min(window.begin, end)
        begin = max(begin, window.end)
    if begin < end:
        yield begin, end


def _paint_unproven(backup: SeenBackup, seen: Seen, dating: Dating, painted: Painted) -> None:
    """Paint the time after a backup that may or may not be restorable."""
    begin, timeline = backup.facts.finished_at, backup.facts.label.timeline
    extent = dating.extents.get(timeline)
    if backup.state is not BackupState.UNKNOWN or begin is None or extent is None:
        return
    if not _is_read(seen):
        return  # the whole timeline is unproven
    what = tr(
        "not known whether {name} can be restored",
        name=backup.facts.label.label or backup.facts.url,
    )
    end = max(begin, extent[1])
    painted.add(timeline, Span(kind=SpanKind.UNPROVEN, begin=begin, end=end, what=what))


# -- windows -------------------------------------------------------------------------------------


def _paint_windows(seen: Seen, dating: Dating, painted: Painted) -> None:
    """What all backups reach together: each instant once, on the timeline that wrote it."""
    parts: dict[int, list[_Part]] = defaultdict(list)
    for backup in seen.backups:
        for window in backup.windows:
            for timeline, begin, end in _parts(window, dating):
                parts[timeline].append(_Part(begin, end, frozenset({backup.facts.url})))
    for timeline, found in parts.items():
        for begin, end, backups in _union(found):
            many = counted(len(backups), "backup")
            what = tr(
                "restorable from {begin} to {end}, from {backups}",
                begin=clock(begin),
                end=clock(end),
                backups=many,
            )
            painted.add(timeline, Span(kind=SpanKind.WINDOW, begin=begin, end=end, what=what))


def _parts(window: Window, dating: Dating) -> Iterator[tuple[int, datetime, datetime]]:
    """A window by the timelines that its path takes. One that was not read has no instants."""
    if window.from_time is None:
        return
    path = [s for s in dating.tree.path(window.timeline) if s.begin_lsn <= window.to_lsn]
    for stretch, following in zip(path, [*path[1:], None], strict=True):
        if stretch.end_lsn is not None and stretch.end_lsn <= window.from_lsn:
            continue
        extent = dating.extents.get(stretch.timeline)
        end = window.to_time or window.from_time
        if following is not None:
            end = dating.forked_at(following.timeline) or window.from_time
        begin = window.from_time
        if stretch.begin_lsn > window.from_lsn and extent is not None:
            begin = max(begin, extent[0])
        yield stretch.timeline, begin, max(begin, end)


class _Part(NamedTuple):
    begin: datetime
    end: datetime
    backups: frozenset[str]


def _union(parts: Iterable[_Part]) -> Iterator[_Part]:
    """Parts that overlap as one."""
    held: _Part | None = None
    backups: set[str] = set()
    for part in sorted(parts, key=lambda part: part.begin):
        if held is not None and part.begin <= held.end:
            held = held._replace(end=max(held.end, part.end))
        else:
            if held is not None:
                yield held._replace(backups=frozenset(backups))
            held, backups = part, set()
        backups |= part.backups
    if held is not None:
        yield held._replace(backups=frozenset(backups))


# -- what is wrong, or was not looked at ----------------------------------------------------------


def _between(
    seen: Seen, dating: Dating, timeline: int, first_lsn: int, end_lsn: int
) -> tuple[datetime, datetime] | None:
    """The instants known around a piece of WAL; None: there are none.

    Without a known time after it, the piece lasts until now.
    """
    before, after = dating.before(timeline, first_lsn), dating.at_or_after(timeline, end_lsn)
    begin = before or after
    if begin is None:
        return None
    end = after or max(begin, seen.now)
    return min(begin, end), max(begin, end)


def _paint_gap(gap: Gap, seen: Seen, dating: Dating, painted: Painted) -> None:
    size = gap.segment_size_bytes
    around = _between(seen, dating, gap.timeline, gap.first * size, (gap.last + 1) * size)
    what = tr("gap: {gap}", gap=gap.in_words)
    _paint_between(gap.timeline, around, SpanKind.GAP, what, painted, muted=is_muted(gap))


def is_muted(gap: Gap) -> bool:
    """Whether a gap takes nothing away from anybody who does not know."""
    return gap.harmless or gap.cause == ACKNOWLEDGED


def _worst_by_segment(seen: Seen) -> Iterable[DamagedSegment]:
    found = {damage.segment: damage for damage in (seen.scan.damaged if seen.scan else ())}
    return found.values()


def _paint_damage(damage: DamagedSegment, seen: Seen, dating: Dating, painted: Painted) -> None:
    place = _place(damage.segment, seen.segment_size_bytes)
    if place is None:
        return
    timeline, first, end = place
    around = _between(seen, dating, timeline, first if damage.lsn is None else damage.lsn, end)
    what = tr(
        "damage: {segment} is {kind}: {detail}",
        segment=damage.segment,
        kind=damage.kind,
        detail=damage.detail,
    )
    _paint_between(timeline, around, SpanKind.DAMAGE, what, painted)


def _paint_unread(seen: Seen, dating: Dating, painted: Painted) -> None:
    """Segments that were not read, those that follow each other as one."""
    unread: Mapping[str, str] = seen.scan.unread if seen.scan else {}
    for timeline, first, end, names in _runs(sorted(unread), seen.segment_size_bytes):
        around = _between(seen, dating, timeline, first, end)
        many = names[0]
        if len(names) > 1:
            many = tr(
                "{first} to {last} ({count} segments)",
                first=names[0],
                last=names[-1],
                count=len(names),
            )
        what = tr("not read: {segments}: {why}", segments=many, why=unread[names[0]])
        _paint_between(timeline, around, SpanKind.UNREAD, what, painted)


def _runs(names: list[str], size: int | None) -> Iterator[tuple[int, int, int, list[str]]]:
    """(timeline, first LSN, end LSN, names)."""
    run: tuple[int, int, int, list[str]] | None = None
    for name in names:
        place = _place(name, size)
        if place is None:
            continue
        timeline, first, end = place
        if run is not None and (run[0], run[2]) == (timeline, first):
            run[3].append(name)
            run = timeline, run[1], end, run[3]
            continue
        if run is not None:
            yield run
        run = timeline, first, end, [name]
    if run is not None:
        yield run


def _place(name: str, size: int | None) -> tuple[int, int, int] | None:
    """Timeline, first LSN and end of a segment; None for a name that no segment has."""
    if size is None:
        return None
    try:
        timeline, number = parse_segment_name(name, size)
    except ParseError:
        return None
    return timeline, number * size, (number + 1) * size


def _paint_between(
    timeline: int,
    around: tuple[datetime, datetime] | None,
    kind: SpanKind,
    what: str,
    painted: Painted,
    *,
    muted: bool = False,
) -> None:
    if around is None:
        painted.undated.append(tr("{what}; when that was is not known", what=what))
        return
    begin, end = around
    told = tr("{what}; between {begin} and {end}") if begin != end else tr("{what}; at {begin}")
    when = tr(told, what=what, begin=clock(begin), end=clock(end))
    span = Span(kind=kind, begin=begin, end=end, what=when, exact=False, muted=muted)
    painted.add(timeline, span)


def _paint_exposed(seen: Seen, painted: Painted) -> None:
    """On the timeline that reaches furthest: the one that the server writes."""
    ends = {t: max(span.end for span in spans) for t, spans in painted.spans.items() if spans}
    if not ends:
        return
    newest = max(ends, key=ends.__getitem__)
    if seen.beyond_since is not None:
        end = seen.exposed_since or seen.now
        what = tr(
            "archived since {since}, and out of reach: {segment} is missing",
            since=clock(seen.beyond_since),
            segment=seen.beyond,
        )
        _paint_at_risk(SpanKind.BEYOND, seen.beyond_since, end, what, newest, painted)
    if seen.exposed_since is not None:
        what = tr(
            "in no archive yet: what was committed since {since}", since=clock(seen.exposed_since)
        )
        _paint_at_risk(SpanKind.EXPOSED, seen.exposed_since, seen.now, what, newest, painted)


def _paint_at_risk(
    kind: SpanKind, begin: datetime, end: datetime, what: str, timeline: int, painted: Painted
) -> None:
    if end - begin >= timedelta(seconds=1):
        painted.add(timeline, Span(kind=kind, begin=begin, end=end, what=what))


def clock(at: datetime) -> str:
    """An instant for a person: to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
