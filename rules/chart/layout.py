"""Laying what is known of a cluster on one time axis: see `rules.chart.model`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from parsers.sentences import tr
from parsers.wal.facts import DatedPlace, instant
from rules.archive.dated_wal import Dating, Places, make_dating, sane
from rules.backup.completeness import BackupState
from rules.chart.model import Mark, MarkKind, Picture, Seen, SeenBackup, Span, TimelineLane
from rules.chart.spans import lane_spans


def make_picture(seen: Seen) -> Picture | None:
    """Lay it all on one axis; None when nothing has an instant."""
    seen = replace(seen, now=sane(seen.now))
    dating = make_dating(seen.tree, _places(seen))
    marks = list(_marks(seen, dating))
    painted = lane_spans(seen, dating)
    lanes = [
        TimelineLane(
            timeline=timeline,
            parent=node.parent,
            forked_at=dating.forked_at(timeline),
            begun_at=extent[0] if (extent := dating.extents.get(timeline)) else None,
            spans=tuple(map(_on_axis, painted.spans.get(timeline, ()))),
            marks=tuple(sorted(_on(timeline, marks), key=lambda mark: mark.at)),
            places=seen.dated.places.get(timeline, ()) if seen.dated else (),
        )
        for timeline, node in seen.tree.timelines.items()
    ]
    instants = [at for lane in lanes for at in _instants(lane)]
    if not instants:
        return None
    # What reaches until now because nothing newer is known does not stretch the axis.
    known = [at for at in instants if at != seen.now] or instants
    begin, end = min(known), max(known)
    return Picture(
        begin=begin,
        end=_with_now(begin, end, seen.now),
        now=seen.now,
        lanes=tuple(lanes),
        notes=(*painted.undated, *_undated_backups(seen)),
    )


def _on(timeline: int, marks: list[Mark]) -> Iterator[Mark]:
    for mark in marks:
        if mark.timeline == timeline:
            yield replace(mark, at=sane(mark.at), until=sane(mark.until) if mark.until else None)


def _on_axis(span: Span) -> Span:
    return replace(span, begin=sane(span.begin), end=sane(span.end))


def _with_now(begin: datetime, end: datetime, now: datetime) -> datetime:
    """The axis ends now, unless that is so long after everything that little would be seen."""
    if begin == end:
        return max(now, begin + timedelta(minutes=1))
    near = now - end <= max(2 * (end - begin), timedelta(minutes=10))
    return max(end, now) if near else end


def _places(seen: Seen) -> dict[int, Places]:
    """The WAL's own dates, and those of the backups."""
    places = {t: list(p) for t, p in seen.dated.places.items()} if seen.dated else {}
    for backup in seen.backups:
        facts = backup.facts
        timeline = facts.label.timeline
        if facts.started_at is not None:
            place = DatedPlace(facts.label.start_lsn, _time_us(facts.started_at))
            places.setdefault(timeline, []).append(place)
        if facts.finished_at is not None and facts.stop_lsn is not None:
            place = DatedPlace(facts.stop_lsn, _time_us(facts.finished_at))
            places.setdefault(facts.stop_timeline or timeline, []).append(place)
    return {timeline: tuple(sorted(each)) for timeline, each in places.items()}


def _time_us(at: datetime) -> int:
    return (at - instant(0)) // timedelta(microseconds=1)


def _instants(lane: TimelineLane) -> Iterator[datetime]:
    for span in lane.spans:
        yield from (span.begin, span.end)
    for mark in lane.marks:
        yield from (mark.at, mark.until or mark.at)


def _marks(seen: Seen, dating: Dating) -> Iterator[Mark]:
    yield from seen.marks
    for backup in seen.backups:
        facts, label = backup.facts, backup.facts.label
        at = facts.started_at or dating.before(label.timeline, label.start_lsn)
        if at is not None:
            yield Mark(
                kind=MarkKind.BACKUP,
                timeline=label.timeline,
                at=at,
                until=facts.finished_at,
                state="by_names" if backup.by_names else backup.state.value,
                what=tr(
                    "backup {name}: {state}", name=label.label or facts.url, state=_state(backup)
                ),
                name=facts.url,
            )
    for timeline, point in seen.dated.restore_points if seen.dated else ():
        yield Mark(
            kind=MarkKind.RESTORE_POINT,
            timeline=timeline,
            at=instant(point.time_us),
            what=tr("restore point {name}", name=point.name),
            name=point.name,
        )


_STATES = {
    BackupState.RESTORABLE: tr("restorable"),
    BackupState.NOT_RESTORABLE: tr("cannot be restored"),
    BackupState.UNKNOWN: tr("not known whether it can be restored"),
}


def _state(backup: SeenBackup) -> str:
    state = _STATES[backup.state]
    return tr("{state}, by the names of files alone", state=state) if backup.by_names else state


def _undated_backups(seen: Seen) -> Iterator[str]:
    for backup in seen.backups:
        facts = backup.facts
        if facts.started_at is None and facts.finished_at is None:
            yield tr(
                "backup {name} does not tell when it was made", name=facts.label.label or facts.url
            )
