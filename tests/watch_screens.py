"""What pitr-watch shows, written into files: before a change and after it, for `diff -r`.

    python -m tests.watch_screens DIR LOG...

For each log: `pitr-watch --once` as text and as JSON, with and without an archive, and what a
screen would show at many points of the log beside made-up looks at the server: directories, SQL,
processes, archives and predictions of every kind, drawn with a seed that the log's name gives.
"""

from __future__ import annotations

import contextlib
import io
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.cli import watch as pitr_watch
from agent.watch import notice
from agent.watch.follow import Follower
from agent.watch.foreteller import Archived
from agent.watch.lines import item_lines, screen_lines, summary_lines
from agent.watch.options import Options
from agent.watch.present import Presenter
from agent.watch.prober import Probed
from agent.watch.report import render_item, render_summary
from agent.watch.sources import NOTHING
from agent.zones import find_zone
from parsers.files.pg_control import ClusterState, parse_control_file
from rules.live.forecast import Forecast
from rules.live.observation import ChildCommand, Observation, Prefetch, WalReceiver
from rules.model.outcome import Ending, Obstacle, Outcome, Stop
from tests.parsers.catalogues import LOGS

DATA: Final = Path(__file__).parent / "data"
AT: Final = datetime(2026, 7, 10, 12, tzinfo=UTC)
SEGMENTS: Final = tuple(f"00000001000000000000000{n}" for n in range(3, 9))
CUTS: Final = 8  # of each log
LOOKS: Final = 12  # beside each cut
CONTROL: Final = replace(
    parse_control_file((DATA / "control" / "19" / "shut_down.pg_control").read_bytes()),
    wal_segment_size=1 << 24,
)
LABEL: Final = (
    b"START WAL LOCATION: 0/3000028 (file 000000010000000000000003)\n"
    b"CHECKPOINT LOCATION: 0/3000080\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n"
    b"START TIME: 2026-07-10 12:00:00 UTC\nLABEL: x\nSTART TIMELINE: 1\n"
)


def write_all(directory: Path, logs: list[Path]) -> None:
    """Write what each log shows."""
    directory.mkdir(parents=True, exist_ok=True)
    for log in logs:
        name = "_".join(log.parts[-3:])
        with (directory / f"{name}.txt").open("w") as file:
            for lines in (once(log), screens(log)):
                file.writelines(f"{line}\n" for line in lines)


def once(log: Path) -> Iterator[str]:
    """The two formats of --once, and their exit status."""
    for more in ([], ["--archive", "/nowhere"], ["--log-timezone", "Europe/Madrid"]):
        for form in ("text", "json"):
            out, err = io.StringIO(), io.StringIO()
            argv = ["--log", str(log), "--once", "--format", form, *more]
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = pitr_watch.main(argv)
            yield f"$ pitr-watch {' '.join(argv)}\n{out.getvalue()}{err.getvalue()}[{status}]"


def screens(log: Path) -> Iterator[str]:
    """What is shown at points of the log, beside looks of every kind."""
    text = log.read_bytes().splitlines(keepends=True)
    chance = random.Random(log.name)
    for cut in sorted({0, len(text), *chance.choices(range(len(text) + 1), k=CUTS)}):
        for at in range(LOOKS):
            yield f"-- {cut} lines, look {at}"
            yield from screen(log, b"".join(text[:cut]), chance)


def screen(log: Path, text: bytes, chance: random.Random) -> Iterator[str]:
    """One screen, its end as text, and all of it as JSON."""
    pgdata = chance.choice([None, Path("/data")])
    follower = Follower(
        Options(
            pgdata=pgdata, log=log, dsn=None, archive=chance.choice([None, "/archive dir"]),
            once=True, format="text", timeout_seconds=None, prefix=None, zone=None, localedir=None,
        )
    )  # fmt: skip
    assert follower.tail is not None
    stream = follower.tail.stream
    items = follower._take([*stream.feed(text), *stream.end()])
    now = time.monotonic()
    follower._look = look = a_look(chance, now)
    follower._archived = an_archive(chance)
    follower._foreteller.forecast = a_forecast(chance)
    follower._position = (None, now - chance.choice([0.5, 5.5, 11.5, 31.5, 61.5, 500.5]))
    follower._lasting._since = dict.fromkeys(contradictions(follower), now - 60)
    follower.gone_at = chance.choice([None, now - 60])
    presenter = Presenter(follower)
    for line, style in screen_lines(presenter.view(), 100):
        yield f"{style:12}|{line}"
    for line, style in summary_lines(follower.summary, follower.explanation, follower.checks):
        yield f"{style:12}|{line}"
    yield render_summary(follower.summary, follower.explanation)
    yield f"verdict {follower.summary.verdict}, settled {follower.settled}, {follower._question()}"
    for each in follower.notices():
        yield from item_lines(replace(each, at=AT))
        yield render_item(replace(each, at=AT))
    yield from (render_item(each) for each in follower.label_finished(items))
    assert look is follower.look


def contradictions(follower: Follower) -> list[str]:
    """Every contradiction, as if each had lasted."""
    seen: list[str] = []
    before = notice._LASTING_SECONDS
    notice._LASTING_SECONDS = -1.0  # type: ignore[misc]
    try:
        seen += [each.text for each in follower.notices() if each.event == "disagreement"]
    finally:
        notice._LASTING_SECONDS = before  # type: ignore[misc]
    return seen


# -- what was never seen --------------------------------------------------------------------------


def a_look(chance: random.Random, now: float) -> Probed:
    one = chance.choice
    settings = some_settings(chance)
    sources = replace(
        NOTHING, settings=settings, complaint=one([None] * 9 + ["postgresql.conf: line 3"]),
        settings_known=one([True, True, False]),
        archives=one([(), ("/archive",), ("/a", "/b c")]),
        absent_places=one([(), (), (), ("/nowhere",)]),
    )  # fmt: skip
    reading = replace(
        a_reading(chance), configured=settings, configured_known=sources.settings_known,
        complaint=sources.complaint, absent_places=sources.absent_places, find_zone=find_zone,
    )  # fmt: skip
    return Probed(sources=sources, reading=reading, at=now)


def some_settings(chance: random.Random) -> dict[str, str]:
    choices: dict[str, list[str | None]] = {
        "restore_command": [
            None, "", "cp /archive/%f %p", "cp /archive/%f /x", "fetch %p", "cp /archive/%f %p",
        ],
        "recovery_target_time": [None] * 8 + ["2026-07-10 12:00:00", "yesterdayish"],
        "recovery_target_name": [None] * 5 + ["x"],
        "recovery_target_xid": [None] * 6 + ["732"],
        "recovery_target_lsn": [None] * 6 + ["0/5000000", "z"],
        "recovery_target": [None] * 8 + ["immediate", "soon"],
        "recovery_target_timeline": [None] * 5 + ["latest", "7", "x"],
        "recovery_target_action": [None, "pause", "promote", "shutdown"],
        "hot_standby": [None, None, "on", "off"],
        "archive_mode": [None, "on", "off"],
        "archive_command": [None, "cp %p /archive/%f"],
        "max_connections": [None, None, "20", "100"],
    }  # fmt: skip
    drawn = {name: chance.choice(values) for name, values in choices.items()}
    return {name: value for name, value in drawn.items() if value is not None}


def a_reading(chance: random.Random) -> Observation:
    one = chance.choice
    in_recovery = one([None, True, True, False])
    lsn = one([None, 0x3000028, 0x5000000])
    doing = one([None, "recovering", "waiting for"])  # a process title has both, or neither
    return Observation(
        in_recovery=in_recovery,
        replay_lsn=lsn if in_recovery is not None else None,
        replayed_at=one([None, AT]),
        pause_state=one(["not paused", "not paused", "paused", None]) if in_recovery else None,
        timeline=one([None, 1]),
        wait_event=one([
            None, None, "RecoveryConflictSnapshot", "RecoveryApplyDelay", "BufferPin",
            "RecoveryRetrieveRetryInterval", "RecoveryWalStream",
        ]),
        receiver=one([None, None, None, WalReceiver(
            status=one(["streaming", "waiting", None]), sender=one([None, "db1:5432"]),
            received_lsn=one([None, 0x6000000]), sent_lsn=one([None, 0x7000000]),
        )]),
        prefetch=one([None, Prefetch(wal_distance_bytes=12288, io_depth=2)]),
        settings=some_settings(chance) if in_recovery else {},
        sql_error=one([None, "the database system is starting up"]),
        recovery_signal=one([None, True, True, False]), standby_signal=one([None, False, True]),
        label=one([None, None, LABEL, LABEL.replace(b"\n", b"\r\n"), LABEL + (
            b"INCREMENTAL FROM LSN: 0/2000028\nINCREMENTAL FROM TLI: 1\n"
        )]),
        old_label=one([None, LABEL]),
        control=one([None, replace(CONTROL, state=one(list(ClusterState)))]),
        mode=one([None, 0o700, 0o700, 0o755]), recovery_conf=one([False, False, False, True]),
        running=one([None, True, True, False]), doing=doing,
        segment=one(SEGMENTS) if doing else None, blocked=one([False, False, True]),
        resting=one([None, "disk-sleep", "sleeping"]),
        command=one([None, None, ChildCommand(
            pid=4711, seconds=one([0.5, 42.5, 4000.5]), words="sh -c cp /archive/x y" * one([1, 9]),
        )]),
    )  # fmt: skip


def an_archive(chance: random.Random) -> Archived:
    return chance.choice([
        Archived(complaint="/nowhere is no archive"),
        Archived(names=SEGMENTS, segment_size=1 << 24),
        Archived(names=SEGMENTS[:2], segment_size=1 << 24),
        Archived(names=(*SEGMENTS[:3], *SEGMENTS[4:]), segment_size=1 << 24),
        Archived(names=tuple(n.replace("00000001", "00000002", 1) for n in SEGMENTS)),
    ])  # fmt: skip


def a_forecast(chance: random.Random) -> Forecast | None:
    one = chance.choice
    stop: Any = one([None, Stop(
        position=one(["before", "after", "at"]),
        kind=one(["commit", "restore_point", "lsn", "consistency", "end_of_wal"]),
        lsn=one([None, 0x4046FB0]), end_lsn=one([None, 0x4046FE0]), xid=732, name="x",
    )])  # fmt: skip
    opens = one([True, True, False])
    outcome = Outcome(
        outcome=one(["opens", "unknown"]) if opens and stop else "fails",
        reachable=one([True, True, False, None]), reason="that is why",
        fatal=one([
            None, "requested recovery stop point is before consistent recovery point",
            "recovery ended before configured recovery target was reached",
            "maximum number of prepared transactions reached", "something else",
            "recovery aborted because of insufficient parameter settings",
        ]),
        ending=one([None, *Ending]), stop=stop, replayed_lsn=one([None, 0x4046FB0]),
        new_timeline=one([None, 2]), needs=one([{}, {}, {"recovery_prefetch": "off"}]),
        paused_lsn=one([None, None, 0x4000000]), remedy=one([None, "do this"]),
        obstacle=one([None, Obstacle(kind="absent", segment=SEGMENTS[3], lsn=7, detail="gone")]),
    )  # fmt: skip
    return one([None, Forecast(outcome=outcome, standby=one([False, False, True]))])


if __name__ == "__main__":
    write_all(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]] or sorted(LOGS.glob("*.*")))
