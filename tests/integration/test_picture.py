"""The picture of archives whose truth is known: what lies where on the axis."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.check.render_html import render_html
from agent.inputs.gather import ReadingOptions, gather
from parsers.lsn import parse_lsn
from parsers.wal.facts import DatedPlace, RestorePoint, instant
from rules.archive.dated_wal import DatedWalFacts
from rules.archive.restore_points import PlacedRestorePoint
from rules.case.case import Case
from rules.case.context import END_OF_WAL, Context
from rules.chart.from_report import picture_of
from rules.chart.model import MarkKind, Picture, Span, SpanKind, TimelineLane
from rules.model.evidence import WindowsFacts
from rules.verdict.check import load_catalogue
from rules.verdict.report import give_verdict
from tests.unpack import unpack_tar

ARCHIVES = Path(__file__).parent.parent / "data" / "archives"


def truth_of(case: str) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((ARCHIVES / f"{case}.truth.json").read_text())
    return truth


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("pictures")
    for path in ARCHIVES.glob("*.tar.xz"):
        unpack_tar(path, home / path.name.removesuffix(".tar.xz"))
    return home


@functools.cache
def read(home: Path, depth: Any) -> Case:
    return gather(
        [str(home / "archive")], [str(home / "backup")], None, context=Context(depth=depth),
        backup_depth="label", reading=ReadingOptions(workers=1),
    )  # fmt: skip


def draw(home: Path, depth: Any = "records", *, days_later: float = 0) -> Picture:
    """The picture as it is just after the archive's last commit, or later."""
    last = at(truth_of(home.name)["commits"]["last_time"])
    now = last + timedelta(seconds=10, days=days_later)
    picture = picture_of(read(home, depth), now)
    assert picture is not None
    return picture


def spans(lane: TimelineLane, kind: SpanKind) -> list[Span]:
    return [span for span in lane.spans if span.kind is kind]


def test_a_window_ends_at_the_gap_which_lies_between_the_commits_around_it(unpacked: Path) -> None:
    truth, picture = truth_of("gap_middle"), draw(unpacked / "gap_middle")
    (lane,) = picture.lanes
    (window,), (gap,) = spans(lane, SpanKind.WINDOW), spans(lane, SpanKind.GAP)
    latest = at(truth["restorable"]["latest_time"])
    assert (window.begin, window.end) == (at(truth["restorable"]["earliest_time"]), latest)
    assert gap.begin == latest and not gap.exact and not gap.muted
    after = next(p.time_us for p in lane.places if p.lsn >= parse_lsn("0/F00000"))
    assert gap.end == datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=after)
    assert truth["gaps"][0][0] in gap.what


def test_each_restore_point_and_the_backup_stand_at_their_times(unpacked: Path) -> None:
    truth = truth_of("good_15")
    (lane,) = draw(unpacked / "good_15").lanes
    points = {m.name: m.at for m in lane.marks if m.kind is MarkKind.RESTORE_POINT}
    assert points == {p["name"]: at(p["time"]) for p in truth["restore_points"]}
    (backup,) = (m for m in lane.marks if m.kind is MarkKind.BACKUP)
    assert backup.until == at(truth["restorable"]["earliest_time"])
    assert backup.state == "restorable"
    assert not spans(lane, SpanKind.GAP) and not spans(lane, SpanKind.UNPROVEN)


def test_timelines_begin_where_they_left_their_parent(unpacked: Path) -> None:
    truth = truth_of("timelines_good")
    lanes = draw(unpacked / "timelines_good").lanes
    told = [(each["timeline"], each["parent"]) for each in truth["timelines"]]
    assert [(lane.timeline, lane.parent) for lane in lanes] == told
    first, second, third = lanes
    assert first.forked_at is None
    for parent, child in ((first, second), (second, third)):
        assert child.forked_at is not None and child.begun_at is not None
        assert child.forked_at <= child.begun_at
        assert all(span.begin >= child.begun_at for span in child.spans)
        assert spans(parent, SpanKind.WINDOW)[0].begin < child.forked_at
    last = spans(third, SpanKind.WINDOW)[0].end
    assert last == at(truth["restorable"]["latest_time"])


@pytest.mark.parametrize("depth", ["names", "headers"])
def test_what_was_not_read_is_in_no_window(unpacked: Path, depth: str) -> None:
    for lane in draw(unpacked / "timelines_good", depth).lanes:
        assert not spans(lane, SpanKind.WINDOW) and not spans(lane, SpanKind.WAL)
        (unproven,) = spans(lane, SpanKind.UNPROVEN)
        assert not unproven.exact and "not read" in unproven.what


def test_an_archive_of_long_ago_is_not_pressed_against_the_edge(unpacked: Path) -> None:
    soon = draw(unpacked / "gap_middle")
    assert soon.end == soon.now
    later = draw(unpacked / "gap_middle", days_later=400)
    assert later.end - later.begin < timedelta(minutes=1) < later.now - later.end


@pytest.mark.parametrize("time_us", [-(1 << 63), (1 << 63) - 1])
def test_times_that_nobody_can_have_are_drawn_at_the_edge(unpacked: Path, time_us: int) -> None:
    """Whoever writes the WAL chooses its times."""
    home = unpacked / "gap_middle"
    far, now = instant(time_us), at(truth_of(home.name)["commits"]["last_time"])
    case = read(home, "records")
    read_places, reached = case.get(DatedWalFacts), case.get(WindowsFacts)
    assert read_places is not None and reached is not None
    point = PlacedRestorePoint(1, RestorePoint(1 << 20, 1 << 20, time_us, "x"))
    places = {1: (DatedPlace(1 << 20, time_us, 1), *read_places.places[1])}
    dated = DatedWalFacts(places=places, restore_points=(point,))
    windows = {
        url: tuple(replace(window, to_time=far) for window in found or ())
        for url, found in reached.by_backup.items()
    }
    case = case.having(dated, WindowsFacts(by_backup=windows))
    asked = case.set(replace(case.context, asked=END_OF_WAL))
    checks = load_catalogue()
    assert "restore point x" in render_html(give_verdict(asked, checks, now), [])
    assert "CRITICAL" in render_html(give_verdict(asked, checks, far), [])
