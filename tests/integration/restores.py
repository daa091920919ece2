"""A primary with a history known to the last record, and restores of it towards any target."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.cli.watch import main
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster, ServerFailed
from agent.postgres.installation import Installation
from parsers.log.stream import LogStream, StreamItem
from tests.parsers.catalogues import installed_languages
from tests.waiting import wait_archived, wait_until
from tests.watch_schema import check_lines

_BYTE_BY_BYTE = 8000  # bytes of a log that is also fed byte by byte


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One committed transaction of the primary, as SQL told it."""

    xid: int
    time: datetime
    after_lsn: str  # pg_current_wal_insert_lsn() right after it


@dataclass(kw_only=True)
class Story:
    """The primary's past: a backup, six commits, a restore point after the fourth."""

    primary: Cluster
    archive: Path
    backup: Path
    commits: list[Commit] = field(default_factory=list)
    start_lsn: str = ""  # of the backup, from its label
    restore_point: str = "before_the_change"
    restore_point_lsn: str = ""  # its end, as pg_create_restore_point() returned it
    restores: Iterator[int] = field(default_factory=itertools.count)


# As anybody may make one: its line is that of whichever process runs it.
_SAY = (
    "CREATE FUNCTION say(words text) RETURNS int LANGUAGE plpgsql PARALLEL SAFE"
    " AS $$ BEGIN RAISE LOG '%', words; RETURN 1; END $$"
)


def tell_story(
    installation: Installation, home: Path, account: Account, pg_basebackup: Path
) -> Story:
    """Make the primary, its backup, its archive; leave it stopped."""
    primary = Cluster(installation, home / "primary", account)
    archive = account.make_directory(home / "archive")
    primary.initdb(segment_mib=1)
    primary.configure(
        archive_mode="on", archive_command=f"cp %p {archive}/%f", fsync=False,
        track_commit_timestamp=True, max_wal_size="64MB", max_connections=30,
        autovacuum=False,  # a commit of its own may be the last
    )  # fmt: skip
    story = Story(primary=primary, archive=archive, backup=primary.home / "backup")
    with primary.running():
        primary.sql("CREATE TABLE t (n int)")
        primary.sql(_SAY)
        primary.base_backup(story.backup, program=pg_basebackup)
        label = (story.backup / "backup_label").read_text()
        story.start_lsn = re.search(r"START WAL LOCATION: (\S+)", label)[1]  # type: ignore[index]
        for number in range(6):
            story.commits.append(_commit(primary, number))
            if number == 3:
                story.restore_point_lsn = _text(
                    primary, "SELECT pg_create_restore_point('before_the_change')::text"
                )
            primary.sql("SELECT pg_switch_wal()")
        primary.sql("CHECKPOINT")
        wait_archived(primary)
    return story


def _commit(primary: Cluster, number: int) -> Commit:
    with primary.connect() as connection:
        connection.execute("INSERT INTO t SELECT generate_series(1, 10)")
        row = connection.execute(
            "SELECT xid::text::bigint, timestamp, pg_current_wal_insert_lsn()::text"
            " FROM pg_last_committed_xact()"
        ).fetchone()
    assert row is not None
    time.sleep(0.02)  # a time target fits between two commits
    return Commit(xid=row[0], time=row[1], after_lsn=row[2])


def _text(cluster: Cluster, query: Any) -> str:
    return str(cluster.sql(query)[0][0])


@dataclass(kw_only=True)
class Restored:
    """One restore, running or over, and what its own restore_command noted."""

    cluster: Cluster
    notes: Path

    @property
    def log(self) -> Path:
        return self.cluster.log

    def noted(self, sign: str) -> list[str]:
        """Files that restore_command got (`+`) or did not (`-`), in order."""
        lines = self.notes.read_text().split() if self.notes.exists() else []
        return [line[1:] for line in lines if line[0] == sign]

    def summary(self, *options: str, log: Path | None = None) -> dict[str, Any]:
        """What `pitr-watch --once` says, with its exit status as `status`.

        Every line of the log must have been read, however its bytes come.
        """
        lines, status = watch("--log", str(log or self.log), "--once", *options)
        assert [line for line in lines if line["event"] == "unparsed"] == []
        check_reading((log or self.log).read_bytes())
        return {**lines[-1], "status": status}


def check_reading(data: bytes) -> None:
    """The same events from the whole, from random chunks, and byte by byte; no line is lost."""
    whole, stream = read_in_chunks(data, [])
    choose = random.Random(len(data))
    cuts = sorted(choose.sample(range(len(data)), min(len(data), 50)))
    assert read_in_chunks(data, cuts)[0] == whole
    if len(data) < _BYTE_BY_BYTE:
        assert read_in_chunks(data, list(range(len(data))))[0] == whole
    assert stream.counts.lines == len(data.splitlines())
    assert stream.counts.unparsed == 0


def read_in_chunks(data: bytes, cuts: list[int]) -> tuple[list[StreamItem], LogStream]:
    """What a stream gives that is fed the pieces between these cuts."""
    stream = LogStream(find_languages=installed_languages)
    items: list[StreamItem] = []
    for start, end in itertools.pairwise([0, *cuts, len(data)]):
        items += stream.feed(data[start:end])
    return items + stream.end(), stream


def watch(*arguments: str) -> tuple[list[dict[str, Any]], int]:
    """What pitr-watch prints as JSON, and its exit status."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = main([*arguments, "--format", "json"])
    lines = [json.loads(line) for line in printed.getvalue().splitlines()]
    check_lines(lines)
    return lines, status


@contextlib.contextmanager
def restore(
    story: Story,
    *,
    archive: Path | None = None,
    command: str | None = None,
    until: Callable[[Cluster], bool] | None = None,
    environment: dict[str, str] | None = None,
    signal: str = "recovery.signal",
    **settings: str | int | bool,
) -> Iterator[Restored]:
    """Restore the story's backup; `until` tells when to look (default: promoted, or down)."""
    home = story.primary.home.parent / f"r{next(story.restores)}"
    primary = story.primary
    cluster = Cluster(primary.installation, home, primary.account, environment=environment)
    notes = home / "notes"
    source = archive or story.archive
    command = command or (
        f"cp {source}/%f %p && echo +%f >> {notes} || {{ echo -%f >> {notes}; false; }}"
    )
    cluster.restore_from(story.backup, restore_command=command, fsync=False, **settings)
    if signal != "recovery.signal":
        (cluster.data / "recovery.signal").unlink()
        if signal:
            cluster.signal(signal)
    try:
        with contextlib.suppress(ServerFailed):
            cluster.start()
        wait_until(lambda: (until or promoted_or_down)(cluster))
        yield Restored(cluster=cluster, notes=notes)
    finally:
        cluster.stop("immediate")
        shutil.rmtree(cluster.data, ignore_errors=True)


def promoted_or_down(cluster: Cluster) -> bool:
    return not cluster.is_running() or promoted(cluster)


def promoted(cluster: Cluster) -> bool:
    with contextlib.suppress(Exception):
        return not cluster.sql("SELECT pg_is_in_recovery()")[0][0]
    return False


def paused(cluster: Cluster) -> bool:
    """Whether it stands still: the log has said so before, while a pause is asked for earlier."""
    with contextlib.suppress(Exception):
        if cluster.installation.major >= 14:
            return cluster.sql("SELECT pg_get_wal_replay_pause_state()") == [("paused",)]
        return bool(cluster.sql("SELECT pg_is_wal_replay_paused()")[0][0])
    return False


def down(cluster: Cluster) -> bool:
    return not cluster.is_running()


def segment_of_the_fourth_commit(story: Story) -> str:
    return segment_of(story, 4)


def segment_of(story: Story, commit: int) -> str:
    """The segment, of 1 MiB, that this commit lies in; the first is 1."""
    low = int(story.commits[commit - 1].after_lsn.split("/")[1], 16) - 1
    return f"{1:08X}{0:08X}{low >> 20:08X}"


def copy_archive(story: Story, name: str) -> Path:
    """A copy of the archive to damage, which the server's account may read."""
    copy = story.primary.home.parent / f"archive-{name}-{next(story.restores)}"
    shutil.copytree(story.archive, copy)
    for path in (copy, *copy.iterdir()):
        story.primary.account.own(path)
    return copy
