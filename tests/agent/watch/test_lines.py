"""The screens of pitr-watch as text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.live.progress import Pace, RestoreProgress
from agent.live.words import stop_words
from agent.watch.lines import Bar, ScreenView, item_lines, screen_lines
from agent.watch.notice import Notice
from parsers.log.stream import LogStream, StreamItem
from rules.live.attempt import describe_target
from rules.live.checks import four_checks
from rules.live.facts import RestoreRecord, watch_restore
from rules.live.observation import Prefetch, WalReceiver
from rules.live.summary import summarize
from rules.verdict.live import explain
from tests.parsers.catalogues import installed_languages, read_log


def view(
    name: str, *, lines: int | None = None, progress: RestoreProgress | None = None
) -> ScreenView:
    """The screen after the first `lines` lines of a log."""
    stream, restore = LogStream(find_languages=installed_languages), RestoreRecord()
    text = b"".join(read_log(name).splitlines(keepends=True)[:lines])
    items: list[StreamItem] = stream.feed(text) + stream.end()
    restore.apply_all(items)
    summary, attempt = summarize(restore), restore.attempt
    checks = four_checks(
        summary, attempt, in_recovery=None, no_sql="the server is down", recovery_signal=None
    )
    return ScreenView(
        where="/data",
        phase=str(attempt.phase.value),
        phase_seconds=3,
        target=describe_target(attempt),
        predicted=None,
        summary=summary,
        explanation=explain(watch_restore(restore, summary, None)),
        progress=progress or RestoreProgress(),
        replayed_at=None,
        segment=None,
        segment_doing=None,
        timeline=1,
        receiver=None,
        prefetch=None,
        recent=tuple(items[-2:]),
        notices=(),
        notes=(),
        checks=checks if lines is None else (),
        stop=stop_words(summary.stop) if summary.stop.kind else None,
    )


PREDICTED = "stops before the commit of transaction 732 (2025-07-10 19:36:58 UTC), at 0/4046FB0"
LOOKS_FAR = Notice(
    event="foreseen", source="prediction", fails=True, remedy="choose an earlier target",
    text="the restore will fail: WAL ends at 0/AFFFF88 (00000001000000000000000B is not there),"
    " before the target (FATAL: recovery ended before configured recovery target was reached)",
)  # fmt: skip
STALLED = Notice(
    event="stalled", source="process", stall_kind="restore_command",
    text="restore_command has been fetching 000000010000000000000005 for 42 s",
    remedy="ps -o pid,etime,stat,args -p 4711",
)  # fmt: skip


def busy_view() -> ScreenView:
    """Everything that a screen can show at once."""
    progress = RestoreProgress(
        start_lsn=0x3000028, replayed_lsn=0x4000000, goal_lsn=0x6000000,
        goal="the predicted stop", bytes_per_second=8 << 20, slowest=2 << 20, fastest=8 << 20,
    )  # fmt: skip
    return replace(
        view("laboratory_name.log", lines=12, progress=progress),
        predicted=PREDICTED,
        segment="000000010000000000000005",
        segment_doing="fetching",
        receiver=WalReceiver(
            status="streaming", sender="db1:5432", received_lsn=0x5000000, sent_lsn=0x5000000
        ),
        prefetch=Prefetch(wal_distance_bytes=12 << 10, io_depth=2),
        notices=(LOOKS_FAR, STALLED),
        notes=("SQL cannot be asked: the database system is starting up",),
    )


def test_a_busy_screen_of_120_columns() -> None:
    assert screen(busy_view(), 120) == [
        "pitr-watch  /data",
        "",
        "phase        replaying  (3s)",
        'target       restore point "punto_laboratorio"',
        f"predicted    {PREDICTED}",
        "WAL          at 0/4000000 of 0/6000000 (the predicted stop)",
        "             [#############...........................]  33%  8.0 MiB/s  4s to 16s to go",
        "segments     fetching 000000010000000000000005  (2 restored from the archive)",
        "streaming    streaming from db1:5432, 16 MiB received and not replayed",
        "prefetch     12 KiB of WAL ahead, 2 reads under way",
        "timeline     1",
        "note         SQL cannot be asked: the database system is starting up",
        "",
        "  19:04:16.647 UTC  replay begins at 0/3000028",
        "  19:04:16.665 UTC  got 000000010000000000000004 from the archive",
        "",
        "WILL FAIL    the restore will fail: WAL ends at 0/AFFFF88 (00000001000000000000000B is not"
        " there), before the target",
        "             (FATAL: recovery ended before configured recovery target was reached)",
        "next         choose an earlier target",
        "stalled      restore_command has been fetching 000000010000000000000005 for 42 s",
        "next         ps -o pid,etime,stat,args -p 4711",
    ]  # fmt: skip


def test_a_busy_screen_of_40_columns() -> None:
    lines = screen(busy_view(), 40)
    at = lines.index("WAL          at 0/4000000 of 0/6000000")
    assert lines[at : at + 3] == [
        "WAL          at 0/4000000 of 0/6000000",
        "             (the predicted stop)",
        "             [###.......]  33%  8.0",
    ]
    assert " 19:04:16 got 000000010000000000000004 …" in lines
    assert lines[-2:] == ["next         ps -o pid,etime,stat,args", "             -p 4711"]


@pytest.mark.parametrize("height", [10, 16, 20, 24, 40])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_low_screen_keeps_what_to_know_and_to_type(width: int, height: int) -> None:
    lines = [text for text, _ in screen_lines(busy_view(), width, height)]
    words = " ".join(" ".join(lines).split())
    assert lines[0] == "pitr-watch  /data" and lines[2].startswith("phase")
    assert "WAL ends at 0/AFFFF88" in words
    assert words.endswith("next ps -o pid,etime,stat,args -p 4711")
    if height >= 24 and width >= 80:
        assert len(lines) <= height
        assert "replay begins at" in words or len(lines) >= height - 2


def test_all_that_fits_is_shown() -> None:
    everything = list(screen_lines(busy_view(), 120))
    assert list(screen_lines(busy_view(), 120, len(everything))) == everything
    fewer = list(screen_lines(busy_view(), 120, len(everything) - 1))
    assert len(fewer) == len(everything) - 1
    assert [line for line in everything if line not in fewer] == [
        ("  19:04:16.647 UTC  replay begins at 0/3000028", "dim")
    ]


def test_notices_in_a_log_of_the_log() -> None:
    first, second = item_lines(LOOKS_FAR)
    assert "WILL FAIL: the restore will fail" in first
    assert second.strip() == "next: choose an earlier target"


def screen(shown: ScreenView, width: int = 100) -> list[str]:
    return [text for text, _ in screen_lines(shown, width)]


def test_while_it_replays() -> None:
    progress = RestoreProgress(
        start_lsn=0x3000028, replayed_lsn=0x4000000, goal_lsn=0x6000000,
        goal="the end of the archive", bytes_per_second=8 << 20, slowest=7 << 20, fastest=8 << 20,
    )  # fmt: skip
    assert screen(view("laboratory_name.log", lines=12, progress=progress)) == [
        "pitr-watch  /data",
        "",
        "phase        replaying  (3s)",
        'target       restore point "punto_laboratorio"',
        "WAL          at 0/4000000 of 0/6000000 (the end of the archive)",
        "             [#############...........................]  33%  8.0 MiB/s  about 5s to go",
        "segments     (2 restored from the archive)",
        "timeline     1",
        "",
        "  19:04:16.647 UTC  replay begins at 0/3000028",
        "  19:04:16.665 UTC  got 000000010000000000000004 from the archive",
    ]


def test_paused_at_the_target() -> None:
    lines = screen(view("es_target_name_pause.log"))
    assert lines[2:7] == [
        "phase        paused at the target  (3s)",
        'target       restore point "antes_del_cambio"',
        "segments     (5 restored from the archive)",
        "timeline     1",
        'stop         at restore point "antes_del_cambio" (2026-11-22 12:46:33.615591 UTC)',
    ]
    assert lines[-1] == "next         SELECT pg_wal_replay_resume();"


def test_failed() -> None:
    lines = screen(view("missing_middle_target.log"), 400)
    assert lines[-6:-2] == [
        "  ?    pg_is_in_recovery(): not asked: the server is down",
        "  BAD  the log: recovery ended before configured recovery target was reached",
        "  ?    recovery.signal: not looked for: give --pgdata",
        "  BAD  promotion: did not happen",
    ]
    assert lines[-2].startswith("cause        the WAL ended before the target (time 2026-11-22")
    assert "00000001000000000000000C was not in the archive" in lines[-2]
    assert lines[-1] == "next         pitr-check --archive /tmp/pglab/logs_15/arch_gap"


@pytest.mark.parametrize("width", [20, 40, 60, 80])
@pytest.mark.parametrize("name", ["laboratory_name.log", "missing_middle_target.log"])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    lines = screen(view(name), width)
    assert all(len(line) <= width for line in lines)
    if width >= 40 and name.startswith("missing"):  # what to know and to type is never cut
        assert "a target later than the archive's last commit" in " ".join(" ".join(lines).split())


def test_the_pace_is_that_of_the_last_minute_and_of_one_attempt() -> None:
    pace = Pace()
    pace.add(0, 100)
    assert pace.bytes_per_second is None
    pace.add(2, 300)
    assert pace.bytes_per_second == 100
    pace.add(3, 50)  # it started again
    assert pace.bytes_per_second is None
    progress = RestoreProgress(start_lsn=0, replayed_lsn=50, goal_lsn=100, slowest=5, fastest=10)
    assert (progress.fraction, progress.eta_bounds_seconds) == (0.5, (5, 10))
    assert progress.eta == "5s to 10s to go"
    assert RestoreProgress(start_lsn=5, replayed_lsn=5, goal_lsn=5).fraction is None


def test_numbers_that_say_nothing_are_left_out() -> None:
    idle = replace(
        view("laboratory_name.log", lines=2),
        progress=RestoreProgress(
            start_lsn=0x3000028, replayed_lsn=0x4000000, goal_lsn=0x6000000, goal="the target",
            bytes_per_second=0.2,
        ),
        segment="000000010000000000000005",
        segment_doing="waiting for",
        receiver=WalReceiver(
            status="streaming", sender="db1", received_lsn=0x4000000, sent_lsn=None
        ),
        prefetch=Prefetch(wal_distance_bytes=12288, io_depth=0),
    )  # fmt: skip
    text = "\n".join(screen(idle, 100))
    assert "segments     waiting for 000000010000000000000005\n" in text
    assert "prefetch     12 KiB of WAL ahead\n" in text
    assert "streaming    streaming from db1\n" in text
    assert "under way" not in text and "MiB/s" not in text and " B/s" not in text
    assert "(0 restored" not in text and "not replayed" not in text


def test_a_clock_and_keys_of_a_screen_that_lives() -> None:
    at = datetime(2026, 7, 10, 12, 36, 7, tzinfo=UTC)
    quiet = view("laboratory_name.log", lines=12)
    lines = [text for text, _ in screen_lines(quiet, 80, 40, bar=Bar(clock=at, keys=True))]
    assert lines[0] == f"{'pitr-watch  /data':68}12:36:07 UTC"
    assert lines[-1] == "q leave   p how to pause and resume"
    narrow = [text for text, _ in screen_lines(quiet, 20, 40, bar=Bar(clock=at, keys=True))]
    assert narrow[0] == "pitr-watch  /data" and max(map(len, narrow)) <= 20
    still = [text for text, _ in screen_lines(quiet, 80)]
    assert still[0] == "pitr-watch  /data" and not any("q leave" in line for line in still)
