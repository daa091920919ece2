"""What is known of a cluster on one time axis: each instant once, and nothing unread as proven."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.files.timeline_history import HistoryEntry, TimelineHistory
from parsers.wal.facts import POSTGRES_EPOCH, RestorePoint
from rules.archive.dated_wal import DatedPlace, DatedWalFacts
from rules.archive.restore_points import PlacedRestorePoint
from rules.backup.completeness import BackupState
from rules.chart.layout import make_picture
from rules.chart.model import Mark, MarkKind, Picture, Seen, SeenBackup, SpanKind
from rules.model.facts import BackupFacts, DamagedSegment, ScanFacts
from rules.model.sequence import ACKNOWLEDGED, Gap
from rules.model.timelines import build_tree
from rules.model.windows import Window
from tests.rules.catalogue.facts import SIZE, backup, name, scan

BEGIN = datetime(2026, 7, 8, tzinfo=UTC)
NOW = 200  # minutes after BEGIN
MINUTE_US = 60_000_000


def minute(number: float) -> datetime:
    return BEGIN + timedelta(minutes=number)


def place(lsn: float, at: float) -> DatedPlace:
    """A commit in segment `lsn` (a share of one is a place in it)."""
    offset = (BEGIN - POSTGRES_EPOCH) // timedelta(microseconds=1)
    return DatedPlace(int(lsn * SIZE), offset + int(at * MINUTE_US), 1)


def dated(**places: list[tuple[float, float]]) -> DatedWalFacts:
    return DatedWalFacts(
        places={int(t[1:]): tuple(place(*each) for each in own) for t, own in places.items()}
    )


# Timeline 1 writes a segment in ten minutes; 2 leaves it in the middle of segment 6.
HISTORY = TimelineHistory(
    timeline=2, entries=(HistoryEntry(timeline=1, switch_lsn=6 * SIZE + SIZE // 2, reason=""),)
)
ONE = dated(t1=[(n, 10 * n) for n in range(1, 10)])
BOTH = dated(t1=[(n, 10 * n) for n in range(1, 10)], t2=[(6.6, 110), (8, 120), (9, 130)])


def window(begin: int | None, end: int | None, timeline: int = 1, **changes: Any) -> Window:
    """From minute to minute, on timeline 1 so many tenths of segments."""
    made: dict[str, Any] = {
        "timeline": timeline, "from_lsn": (begin or 10) * SIZE // 10, "obstacle": None,
        "to_lsn": (end or 90) * SIZE // 10, "from_time": None if begin is None else minute(begin),
        "to_time": None if end is None else minute(end), "commits": 1, "aborts": 0, **changes,
    }  # fmt: skip
    return Window(**made)


def owned(
    *windows: Window, state: str = "RESTORABLE", by_names: bool = False, **facts: Any
) -> SeenBackup:
    made: BackupFacts = backup(
        **{"url": f"/b{len(windows)}", "started_at": None, "finished_at": None, **facts}
    )
    return SeenBackup(facts=made, state=BackupState[state], windows=windows, by_names=by_names)


def picture(forked: bool = False, **seen: Any) -> Picture:
    made: dict[str, Any] = {
        "now": minute(NOW), "tree": build_tree({2: HISTORY} if forked else {}, {1}),
        "segment_size_bytes": SIZE, "scan": scan(), "dated": BOTH if forked else ONE, **seen,
    }  # fmt: skip
    drawn = make_picture(Seen(**made))
    assert drawn is not None
    return drawn


def spans(drawn: Picture, *kinds: SpanKind) -> list[tuple[str, float, float]]:
    """(kind with its timeline, begin and end in minutes) in the order of painting."""
    return [
        (
            f"{span.kind}{lane.timeline}",
            *((at - BEGIN).total_seconds() / 60 for at in (span.begin, span.end)),
        )
        for lane in drawn.lanes
        for span in lane.spans
        if not kinds or span.kind in kinds
    ]  # type: ignore[misc]


# -- windows, and the WAL outside them ------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(10, 80), st.integers(1, 40)), max_size=5))
def test_an_instant_is_painted_once_and_is_restorable_where_some_window_has_it(
    extents: list[tuple[int, int]],
) -> None:
    backups = [
        owned(window(begin, min(begin + length, 90)), url=f"/{n}")
        for n, (begin, length) in enumerate(extents)
    ]
    drawn = picture(backups=backups)
    wide = spans(drawn)
    assert {kind for kind, _, _ in wide} <= {"wal1", "window1"}
    by_time = sorted(wide, key=lambda span: span[1:])
    assert all(before[2] <= after[1] for before, after in itertools.pairwise(by_time))
    for at in range(10, 90):
        (kind,) = (kind for kind, begin, end in wide if begin <= at + 0.5 < end)
        inside = any(begin <= at < min(begin + length, 90) for begin, length in extents)
        assert kind == ("window1" if inside else "wal1")


def test_a_window_says_how_many_backups_give_it() -> None:
    drawn = picture(
        backups=[owned(window(20, 50), url="/a"), owned(window(30, 60), url="/b"),
                 owned(window(70, 80), url="/b")]
    )  # fmt: skip
    (lane,) = drawn.lanes
    said = [span.what.rpartition(", ")[2] for span in lane.spans if span.kind is SpanKind.WINDOW]
    assert said == ["from 2 backups", "from 1 backup"]
    assert spans(drawn, SpanKind.WINDOW) == [("window1", 20, 60), ("window1", 70, 80)]


@pytest.mark.parametrize(
    ("reached", "painted"),
    [
        # over the fork: on each timeline the part that it wrote
        (window(20, 120, 2, to_lsn=8 * SIZE), [("window1", 20, 60), ("window2", 110, 120)]),
        # begun after the fork
        (window(115, 130, 2, from_lsn=7 * SIZE, to_lsn=9 * SIZE), [("window2", 115, 130)]),
        # the parent's own branch
        (window(20, 80, 1), [("window1", 20, 80)]),
        # nothing was committed since the backup ended
        (window(20, None, 1), [("window1", 20, 20)]),
        # by names alone: it has no instants
        (window(None, None, 1), []),
    ],
)
def test_a_window_lies_on_the_timelines_that_wrote_it(
    reached: Window, painted: list[tuple[str, float, float]]
) -> None:
    assert spans(picture(forked=True, backups=[owned(reached)]), SpanKind.WINDOW) == painted


def test_a_lane_says_whence_it_comes() -> None:
    one, two = picture(forked=True).lanes
    assert (one.timeline, one.parent, one.forked_at, one.begun_at) == (1, None, None, minute(10))
    assert (two.timeline, two.parent, two.forked_at, two.begun_at) == (
        2,
        1,
        minute(60),
        minute(110),
    )
    assert [p.transactions for p in two.places] == [1, 1, 1]


# -- what was not read, or is wrong ---------------------------------------------------------------

NEVER = "; when that was is not known"


@pytest.mark.parametrize(
    ("seen", "painted", "note"),
    [
        # nobody read the records: all is unproven, until now
        ({"scan": None}, [("unproven1", 10, NOW)], None),
        ({"scan": scan(depth="headers")}, [("unproven1", 10, NOW)], None),
        # read, and nothing in it has a time
        ({"dated": None}, [], "of timeline 1 nothing with a time was read"),
        ({"dated": None, "scan": None}, [], "timeline 1: its records were not read, and nothing"),
    ],
)
def test_what_was_not_read_is_never_painted_as_proven(seen, painted, note: str | None) -> None:
    marks = [Mark(kind=MarkKind.TARGET, timeline=1, at=minute(5), what="the target")]
    drawn = picture(**seen, marks=marks)
    assert spans(drawn) == painted
    assert [text.startswith(note) for text in drawn.notes if note] == [True] * bool(note)
    assert bool(drawn.notes) == (note is not None)


def test_of_a_timeline_that_was_not_read_the_fork_is_known() -> None:
    drawn = picture(forked=True, dated=ONE, scan=scan(depth="headers"))
    assert spans(drawn) == [("unproven1", 10, NOW), ("unproven2", 60, NOW)]


@pytest.mark.parametrize(
    ("facts", "painted"),
    [
        ({"state": "UNKNOWN", "finished_at": minute(30)}, [("unproven1", 30, 90)]),
        ({"state": "UNKNOWN", "finished_at": minute(150)}, [("unproven1", 150, 150)]),
        ({"state": "UNKNOWN"}, []),
        ({"state": "RESTORABLE", "finished_at": minute(30)}, []),
        ({"state": "NOT_RESTORABLE", "finished_at": minute(30)}, []),
    ],
)
def test_after_a_backup_of_which_nothing_is_proven_nothing_is(facts, painted) -> None:
    assert (
        spans(
            picture(
                backups=[owned(**facts)],
            ),
            SpanKind.UNPROVEN,
        )
        == painted
    )
    unread = picture(backups=[owned(**facts)], scan=scan(depth="headers"))
    assert spans(unread, SpanKind.UNPROVEN) == [("unproven1", 10, NOW)]  # all of it, once


def gap(first: int, last: int, timeline: int = 1, **changes: Any) -> Gap:
    return Gap(timeline=timeline, first=first, last=last, segment_size_bytes=SIZE, **changes)


def damaged(*segments: str, lsn: int | None = None, kind: str = "bad_crc") -> ScanFacts:
    return scan(damaged=tuple(
        DamagedSegment(segment=each, kind=kind, lsn=lsn, detail="it is odd") for each in segments
    ))  # fmt: skip


GAPS: list[tuple[dict[str, Any], list[tuple[str, float, float]], str]] = [
    # between the instants around it
    ({"gaps": [gap(3, 4)]}, [("gap1", 30, 50)], f"gap: {name(3)} to {name(4)} (2 lost)"),
    ({"gaps": [gap(3, 3)]}, [("gap1", 30, 40)], f"gap: {name(3)} (1 lost)"),
    # before everything known, and after it: until now
    ({"gaps": [gap(0, 0)]}, [("gap1", 10, 10)], f"gap: {name(0)} (1 lost); at 2026-07-08"),
    ({"gaps": [gap(9, 9, cause="delayed")]}, [("gap1", 90, NOW)], f"gap: {name(9)} (1 delayed)"),
    ({"gaps": [gap(3, 4, harmless=True)]}, [("gap1", 30, 50)], "gap"),
    ({"scan": damaged(name(3))}, [("damage1", 30, 40)], f"damage: {name(3)} is bad_crc: it is odd"),
    ({"scan": damaged(name(3), lsn=3 * SIZE + SIZE // 2)}, [("damage1", 30, 40)], "damage"),
    ({"scan": damaged(name(3), name(3))}, [("damage1", 30, 40)], "damage"),
    ({"scan": damaged("no segment")}, [], ""),
    ({"scan": damaged(name(3)), "segment_size_bytes": None}, [], ""),
    ({"scan": scan(unread={name(3): "x"})}, [("unread1", 30, 40)], f"not read: {name(3)}: x"),
    # those that follow each other are one, also over another name between them
    (
        {"scan": scan(unread={name(3): "x", name(4): "y", name(6): "z", "odd": "o"})},
        [("unread1", 30, 50), ("unread1", 60, 70)],
        f"not read: {name(3)} to {name(4)} (2 segments): x",
    ),
    ({"scan": scan(unread={name(3): "x", name(4, 7): "y"})}, [("unread1", 30, 40)], ""),
    ({"scan": scan(unread={"odd": "o"})}, [], ""),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "painted", "what"), GAPS)
def test_what_is_wrong_lies_somewhere_between_the_instants_around_it(
    seen: dict[str, Any], painted: list[tuple[str, float, float]], what: str
) -> None:
    drawn = picture(**seen)
    bad = (SpanKind.GAP, SpanKind.DAMAGE, SpanKind.UNREAD)
    assert spans(drawn, *bad) == painted
    found = [span for span in drawn.lanes[0].spans if span.kind in bad]
    assert not any(span.exact for span in found)
    assert not found or found[0].what.startswith(what)


@pytest.mark.parametrize(
    ("harmless", "cause", "muted"),
    [(False, "lost", False), (True, "lost", True), (False, ACKNOWLEDGED, True)],
)
def test_a_gap_that_takes_nothing_away_is_muted(harmless: bool, cause: str, muted: bool) -> None:
    drawn = picture(gaps=[gap(3, 4, harmless=harmless, cause=cause)])
    (span,) = (span for span in drawn.lanes[0].spans if span.kind is SpanKind.GAP)
    assert (span.muted, "no restore needs it" in span.what) == (muted, harmless)


def test_what_has_no_instant_at_all_is_said_in_words() -> None:
    started = owned(
        started_at=minute(1), finished_at=minute(2), stop_lsn=None, label={"timeline": 1}
    )
    drawn = picture(dated=None, backups=[started], gaps=[gap(3, 4, timeline=9)])
    assert f"gap: {name(3, 9)} to {name(4, 9)} (2 lost){NEVER}" in drawn.notes
    assert "backup b does not tell when it was made" in picture(backups=[owned()]).notes


def test_the_worse_is_painted_over_the_better() -> None:
    drawn = picture(
        backups=[owned(window(20, 50))], gaps=[gap(3, 4)],
        scan=scan("bad_crc", unread={name(6): "x"}), exposed_since=minute(150),
    )  # fmt: skip
    kinds = [span.kind for span in drawn.lanes[0].spans]
    assert kinds == [
        SpanKind.WAL, SpanKind.WAL, SpanKind.WINDOW, SpanKind.UNREAD, SpanKind.EXPOSED,
        SpanKind.GAP, SpanKind.DAMAGE,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("since", "painted"),
    [(minute(150), [("exposed2", 150, NOW)]), (minute(NOW), []), (None, [])],
)
def test_what_is_in_no_archive_yet_lies_on_the_timeline_that_reaches_furthest(
    since, painted
) -> None:
    drawn = picture(forked=True, exposed_since=since)
    assert spans(drawn, SpanKind.EXPOSED) == painted


# -- the axis and the marks -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "end"),
    [(200, 200), (250, 250), (251, 90), (50, 90)],  # twice as long as what is known, and no longer
)
def test_the_axis_ends_now_unless_little_would_be_seen(now: float, end: float) -> None:
    drawn = picture(now=minute(now))
    assert (drawn.begin, drawn.end) == (minute(10), minute(end))


def test_one_instant_alone_has_an_axis_and_none_no_picture() -> None:
    mark = Mark(kind=MarkKind.TARGET, timeline=1, at=minute(10), what="the target")
    drawn = picture(dated=None, marks=[mark], now=minute(5))
    assert (drawn.begin, drawn.end) == (minute(10), minute(11))
    assert (
        make_picture(Seen(now=minute(1), tree=build_tree({}, {1}), segment_size_bytes=None)) is None
    )


@pytest.mark.parametrize(
    ("state", "by_names", "drawn_as", "words"),
    [
        ("RESTORABLE", False, "restorable", "restorable"),
        ("RESTORABLE", True, "by_names", "restorable, by the names of files alone"),
        ("NOT_RESTORABLE", False, "not_restorable", "cannot be restored"),
        ("UNKNOWN", False, "unknown", "not known whether it can be restored"),
    ],
)
def test_a_backup_is_marked_with_what_is_known_of_it(
    state: str, by_names: bool, drawn_as: str, words: str
) -> None:
    own = owned(state=state, by_names=by_names, started_at=minute(21), finished_at=minute(22))
    (mark,) = picture(backups=[own]).lanes[0].marks
    assert (mark.state, mark.what, mark.at, mark.until) == (
        drawn_as, f"backup b: {words}", minute(21), minute(22),
    )  # fmt: skip
    unstarted = owned(state=state, by_names=by_names)  # it began in segment 2, twenty minutes on
    (mark,) = picture(backups=[unstarted]).lanes[0].marks
    assert (mark.at, mark.until) == (minute(20), None)


def test_marks_stand_in_order_on_their_timelines() -> None:
    point = RestorePoint(3 * SIZE, 3 * SIZE + 80, place(3, 30).time_us, "p")
    target = Mark(kind=MarkKind.TARGET, timeline=1, at=minute(25), what="the target")
    known = DatedWalFacts(places=ONE.places, restore_points=(PlacedRestorePoint(1, point),))
    drawn = picture(dated=known, marks=[target], backups=[owned(started_at=minute(40))])
    assert [(m.kind.value, m.at) for m in drawn.lanes[0].marks] == [
        ("target", minute(25)), ("restore_point", minute(30)), ("backup", minute(40)),
    ]  # fmt: skip
