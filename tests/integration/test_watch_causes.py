"""Restores that fail in ways that people have, on real servers: each log names its cause.

Every situation is judged in each format that its server writes: what is told is the same.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.restores import (
    Restored,
    Story,
    copy_archive,
    promoted_or_down,
    restore,
    segment_of_the_fourth_commit,
    watch,
)
from tests.waiting import wait_logged

BEYOND: Final = {"recovery_target_xid": "999999"}
COLLECTED: Final = {"logging_collector": True, "log_directory": "../log", "log_filename": "l.log"}
SAYS: Final = 'test "%f" = {segment} && {{ echo "{words}" >&2; exit 1; }}; cp {archive}/%f %p'


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is broken, and what must and must not be said of it."""

    outcome: str = "failed"
    status: int = 2
    said: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    spoil: Callable[[Path, str], object] = lambda archive, segment: None
    command: str | None = None  # restore_command: {archive}, {segment}
    settings: dict[str, Any] = field(default_factory=dict)
    until: Callable[..., bool] = promoted_or_down


def garble(archive: Path, segment: str) -> None:
    """Noise inside of a record."""
    data = bytearray((archive / segment).read_bytes())
    data[200:20000] = random.Random(1).randbytes(19800)
    (archive / segment).write_bytes(data)


def make_directory(archive: Path, segment: str) -> None:
    (archive / segment).unlink()
    (archive / segment).mkdir()


def hand_over(suffix: str) -> Callable[[Path, str], object]:
    return lambda archive, segment: (archive / segment).rename(archive / f"{segment}{suffix}")


IO_ERROR: Final = "cp: error reading '/mnt/%f': Input/output error"
DENIED: Final = "cp: cannot open '/mnt/%f' for reading: Permission denied"
SITUATIONS: Final = {
    "a gap": Situation(
        spoil=lambda archive, segment: (archive / segment).unlink(), settings=BEYOND,
        said=("{segment} was not in the archive", "before the target", "{archive}"),
        unsaid=("damaged", "recovery.signal"),
    ),
    "noise in a record": Situation(
        spoil=garble, settings=BEYOND, said=("stopped reading with", "at 0/", "{archive}"),
    ),
    "input/output error": Situation(
        command=SAYS.replace("{words}", IO_ERROR), settings=BEYOND,
        said=("Input/output error", "by hand"), unsaid=("a gap", "damaged"),
    ),
    "permission denied": Situation(
        command=SAYS.replace("{words}", DENIED), settings=BEYOND,
        said=("Permission denied", "by hand"), unsaid=("a gap", "damaged"),
    ),
    "input/output error, without a target": Situation(
        command=SAYS.replace("{words}", IO_ERROR), outcome="promoted", status=3,
        said=("Input/output error", "cannot be said"),
    ),
    "a directory": Situation(
        spoil=make_directory, settings=BEYOND, said=("{segment}", "irectory", "by hand"),
        unsaid=("a gap",),
    ),
    "a quote that is lost": Situation(
        command="cp '{archive}/%f %p", settings=BEYOND, said=("nterminated", "by hand"),
        unsaid=("a gap", "recovery.signal"),
    ),
    "a program that is not there": Situation(
        command="no-such-program %f %p", said=("command not found", "no-such-program"),
    ),
    "a network that is down": Situation(
        command="echo 'ssh: connect to host b port 22: Connection refused' >&2; exit 255",
        said=("255", "Connection refused"),
    ),
    "a command that does nothing": Situation(
        command="true", settings=BEYOND, said=("brought no",), unsaid=("a gap",),
    ),
    "a command that fails in silence": Situation(
        command="false", settings=BEYOND, said=("brought no segment",), unsaid=("a gap",),
    ),
    "a short segment": Situation(
        spoil=lambda archive, segment: os.truncate(archive / segment, 700_000),
        said=("{segment}", "700000", "{archive}"),
    ),
    "a target in another zone": Situation(
        settings={"recovery_target_time": "2099-01-01 00:00:00+00"},
        said=("before the target", "another time zone"),
    ),
    "a shutdown at the target": Situation(
        settings={"recovery_target": "immediate", "recovery_target_action": "shutdown"},
        outcome="shut_down", status=0, said=("recovery_target_action = shutdown",),
    ),
    "a pause without hot standby": Situation(
        settings={
            "recovery_target": "immediate", "recovery_target_action": "pause", "hot_standby": False,
        },
        outcome="shut_down", status=0, said=("hot_standby is off",),
    ),
}  # fmt: skip


def judgements(restored: Restored, *options: str) -> list[tuple[dict[str, Any], int]]:
    """What is said of each of the logs that the server wrote."""
    logs = sorted((restored.cluster.home / "log").glob("l.*"))
    assert logs
    wait_logged(logs, "database system is shut down", "is ready to accept connections")
    said = [watch("--log", str(log), "--once", *options) for log in logs]
    return [(lines[-1], status) for lines, status in said]


def formats_of(story: Story) -> dict[str, Any]:
    json = ",jsonlog" if story.primary.installation.major >= 15 else ""
    return {**COLLECTED, "log_destination": f"stderr,csvlog{json}"}


@pytest.mark.pg(">= 13", npm=True)
@pytest.mark.parametrize("name", SITUATIONS)
def test_a_log_names_its_cause(restore_story: Story, name: str) -> None:
    situation, segment = SITUATIONS[name], segment_of_the_fourth_commit(restore_story)
    archive = copy_archive(restore_story, "cause")
    situation.spoil(archive, segment)
    values = {"archive": str(archive), "segment": segment}
    command = (situation.command or "cp {archive}/%f %p").format(**values)
    settings = {**formats_of(restore_story), **situation.settings}
    with restore(restore_story, command=command, until=situation.until, **settings) as restored:
        for summary, status in judgements(restored):
            told = f"{summary['cause']}\n{summary['next_command']}"
            assert (summary["outcome"], status) == (situation.outcome, situation.status), told
            for words in situation.said:
                assert words.format(**values) in told
            assert [words for words in situation.unsaid if words in told] == []
            assert "DIR" not in told and "FILE" not in told
    shutil.rmtree(archive)


NAMES: Final = {
    "{segment}.gz": "gzip -dc {archive}/%f.gz > %p",
    "{segment}.partial": "cp -n {archive}/{segment}.partial {archive}/{segment}",
    "{segment}.partial.gz": "gzip -dc {archive}/{segment}.partial.gz > {archive}/{segment}",
    ".{segment}.Xk2a9b": "cp -n {archive}/.{segment}.Xk2a9b {archive}/{segment}",
    "{segment}.tmp": "cp -n {archive}/{segment}.tmp {archive}/{segment}",
}


@pytest.mark.pg("== 16")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", [{}, BEYOND], ids=["promoted", "failed"])
def test_a_gap_that_lies_there_under_another_name(
    restore_story: Story, name: str, target: dict[str, str]
) -> None:
    segment = segment_of_the_fourth_commit(restore_story)
    archive = copy_archive(restore_story, "name")
    values = {"archive": str(archive), "segment": segment}
    (archive / segment).rename(archive / name.format(**values))
    with restore(restore_story, archive=archive, **target) as restored:
        summary = restored.summary("--archive", str(archive))
        assert summary["status"] == 2
        if name.endswith("gz") and "partial" not in name:  # a codec's file is the segment
            assert summary["outcome"] == ("failed" if target else "promoted")
        assert name.format(**values) in summary["cause"]
        assert NAMES[name].format(**values) in summary["next_command"]
    shutil.rmtree(archive)
