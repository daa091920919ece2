"""What the tools around a restore write into its log, as they really write it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster
from parsers.log.command_output import read_command_output
from parsers.log.messages.event import Event
from tests.fix_tools import need_program
from tests.integration.restores import (
    Story,
    promoted,
    promoted_or_down,
    restore,
    segment_of_the_fourth_commit,
    watch,
)
from tests.waiting import wait_until

SEGMENT = "000000010000000000000003"


def test_what_pgbackrest_says_is_known(tmp_path: Path) -> None:
    program = need_program("pgbackrest")
    config = tmp_path / "pgbackrest.conf"
    config.write_text(
        f"[global]\nrepo1-path={tmp_path}/repo\nlog-level-console=detail\nlog-level-file=off\n"
        f"lock-path={tmp_path}/lock\n[demo]\npg1-path={tmp_path}/data\n"
    )
    told = subprocess.run(
        [program, f"--config={config}", "--stanza=demo", "archive-get", SEGMENT, tmp_path / "x"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [*told.stdout.splitlines(), *told.stderr.splitlines()]
    assert told.returncode and lines
    read = [read_command_output(line.strip(" \t>")) for line in lines]
    assert {each.program for each in read if each} == {"pgBackRest"} and None not in read
    assert any(each.harmless is False for each in read if each)
    assert {each.event for each in read if each} == {Event.COMMAND_OUTPUT}


@pytest.mark.pg("== 16")
def test_a_server_that_pg_ctl_starts_on_a_terminal(restore_story: Story, tmp_path: Path) -> None:
    """Without -l the server writes where pg_ctl prints its dots."""
    story = restore_story
    cluster = Cluster(
        story.primary.installation,
        story.primary.home.parent / f"t{next(story.restores)}",
        story.primary.account,
    )
    cluster.restore_from(
        story.backup, restore_command=f"sleep 0.4; cp {story.archive}/%f %p", fsync=False
    )
    terminal = tmp_path / "terminal"
    with terminal.open("w") as output:
        subprocess.run(
            [cluster.installation.bindir / "pg_ctl", "start", "-w", "-D", cluster.data],
            stdout=output, stderr=output, check=True, **cluster.account.popen_options(),
        )  # fmt: skip
    try:
        wait_until(lambda: promoted(cluster))
    finally:
        cluster.stop("fast")
    assert "waiting for server to start.." in terminal.read_text()
    lines, status = watch("--log", str(terminal), "--once")
    assert (lines[-1]["outcome"], status) == ("promoted", 0)
    assert [line for line in lines if line["event"] == "unparsed"] == []
    tools = {line["program"]: line["harmless"] for line in lines if line.get("program") == "pg_ctl"}
    assert tools == {"pg_ctl": True}


# barman-wal-restore asks its host by ssh: this one is the host.
SSH = """#!/bin/sh
while :; do case $1 in -*) shift ;; *) break ;; esac; done
shift
exec sh -c "$*"
"""
BARMAN = """[barman]
barman_user = {user}
barman_home = {home}
log_file = {home}/barman.log
[demo]
description = a server
conninfo = host=/nowhere dbname=postgres
backup_method = postgres
archiver = on
"""
PGBACKREST = """[global]
repo1-path={home}/repo
log-level-console=detail
log-level-file=off
lock-path={home}/lock
[demo]
pg1-path={data}
"""


def set_up_barman(story: Story, home: Path, without: str | None) -> str:
    """A server of Barman's whose WAL is the story's; give restore_command."""
    program = need_program("barman-wal-restore")
    need_program("barman")
    (home / "barman.conf").write_text(BARMAN.format(user=story.primary.account.name, home=home))
    (home / "ssh").write_text(SSH)
    (home / "ssh").chmod(0o755)
    wals = home / "demo" / "wals" / f"{1:08X}{0:08X}"
    wals.mkdir(parents=True)
    for segment in story.archive.glob("0*"):
        if segment.name != without:
            (wals / segment.name).write_bytes(segment.read_bytes())
    for path in (home, *home.rglob("*")):
        story.primary.account.own(path)
    return f"PATH={home}:$PATH {program} --config {home}/barman.conf localhost demo %f %p"


def set_up_pgbackrest(story: Story, home: Path, without: str | None) -> str:
    """A repository of pgBackRest's whose WAL is the story's; give restore_command."""
    config = home / "pgbackrest.conf"
    config.write_text(PGBACKREST.format(home=home, data=story.primary.data))
    story.primary.account.own(config)
    pgbackrest = [need_program("pgbackrest"), f"--config={config}", "--stanza=demo"]
    segments = [each for each in sorted(story.archive.glob("0*")) if each.name != without]
    for words in (["--no-online", "stanza-create"], *(["archive-push", s] for s in segments)):
        subprocess.run(
            [*pgbackrest, *words], check=True, capture_output=True,
            **story.primary.account.popen_options(),
        )  # fmt: skip
    return f"{' '.join(map(str, pgbackrest))} --pg1-path=$PWD archive-get %f %p"


SET_UP = {"Barman": set_up_barman, "pgBackRest": set_up_pgbackrest}


@pytest.mark.pg("== 15")
@pytest.mark.parametrize("lacks", [False, True], ids=["whole", "gap"])
@pytest.mark.parametrize("tool", SET_UP)
def test_a_restore_through_a_tool(
    restore_story: Story, short_directory: Path, tool: str, lacks: bool
) -> None:
    """The gap that the tool finds is the cause; its other lines are known and change nothing."""
    segment = segment_of_the_fourth_commit(restore_story)
    home = restore_story.primary.account.make_directory(short_directory / "tool")
    command = SET_UP[tool](restore_story, home, segment if lacks else None)
    target = {"recovery_target_xid": "999999"} if lacks else {}
    with restore(restore_story, command=command, until=promoted_or_down, **target) as restored:
        lines, status = watch("--log", str(restored.log), "--once")
    assert "unparsed" not in {line["event"] for line in lines}
    told = [line for line in lines if line["event"] == "command_output"]
    assert {line["program"] for line in told} <= {tool}
    summary = lines[-1]
    if lacks:
        assert (summary["outcome"], status) == ("failed", 2)
        assert f"{segment} was not in the archive" in summary["cause"]
    else:
        assert (summary["outcome"], status) == ("promoted", 0)
        assert len(set(summary["restored_segments"])) > 3
